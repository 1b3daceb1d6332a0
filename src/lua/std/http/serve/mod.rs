//! `http.serve`: a small server on loopback, for tests and examples. It has a thread of its own, so that it answers
//! while the script waits.

use std::cell::RefCell;
use std::io;
use std::net::TcpListener as StdListener;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use mlua::{AnyUserData, Lua, Table, UserDataRef, Value};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::Notify;
use tokio::task::LocalSet;

use crate::lua::error::LibError;
use crate::lua::module::{Methods, object};
use crate::lua::options::Options;
use crate::lua::std::{Shared, env, path};

mod body;
mod carry;
mod folder;
mod line;
mod range;
mod reply;
mod routes;
mod script;
mod upvalues;

use body::Body;
use carry::Cargo;
use line::{Line, Reset};
use reply::{Answer, Fault};
use routes::Pattern;
use script::{Packed, Script};

/// Where replies come from, on its way to the server's thread.
enum Source {
    Folder(PathBuf),
    Routes(Vec<(Pattern, Packed)>),
}

/// The same on the server's thread.
enum Answerer {
    Folder(PathBuf),
    Script(Script),
}

/// A running server. It ends when it is closed or with the process; a script that keeps only its address may forget
/// the object.
struct Server {
    close: Arc<Notify>,
    /// Told when the port is free again.
    closed: RefCell<Option<mpsc::Receiver<()>>>,
}

/// Largest body of a request.
const MOST_BYTES: usize = 64 << 20;

pub(super) fn register(lua: &Lua) -> mlua::Result<()> {
    Methods::new(lua, "http.ServerHandle").userdata::<Server>()?;
    let meta = Methods::new(lua, "http.Server")
        .method("close()", |_, this: Table| {
            let server: UserDataRef<Server> = this.raw_get("handle")?;
            server.close.notify_one();
            if let Some(closed) = server.closed.borrow_mut().take() {
                // Gone at once unless a function of the script holds the thread; then the port follows later.
                let _ = closed.recv_timeout(Duration::from_secs(1));
            }
            Ok(())
        })
        .metatable()?;
    let close: Value = meta.raw_get::<Table>("__index")?.raw_get("close")?;
    meta.raw_set("__close", close)?;
    lua.set_app_data(ServerMetatable(meta));
    Ok(())
}

struct ServerMetatable(Table);

pub(super) fn serve(lua: &Lua, (source, options): (Value, Option<Table>)) -> Result<Table, LibError> {
    let mut options = Options::new(options);
    let host = options.string("host")?.unwrap_or_else(|| "127.0.0.1".to_owned());
    let port = options.count("port")?.unwrap_or(0);
    options.finish()?;
    let port = u16::try_from(port).map_err(|_| LibError::invalid("option `port` must be 0 to 65535"))?;
    let source = match source {
        Value::String(folder) => {
            let folder = path::of(&folder);
            let wrong = |error: std::io::Error| LibError::file(&error, &folder);
            std::fs::read_dir(&folder).map_err(wrong)?;
            Source::Folder(folder.canonicalize().map_err(wrong)?)
        }
        Value::Function(function) => {
            Source::Routes(vec![(Pattern::any(), Packed::Function(carry::pack(lua, &function)?))])
        }
        Value::Table(routes) => Source::Routes(pack_routes(lua, &routes)?),
        other => {
            let got = other.type_name();
            return Err(LibError::invalid(format!(
                "argument 1 (source) must be a folder, a function or a table of routes, got {got}"
            )));
        }
    };
    let wrong = |error: std::io::Error| LibError::from(error).url(format!("http://{host}:{port}"));
    let listener = StdListener::bind((host.as_str(), port)).map_err(wrong)?;
    listener.set_nonblocking(true).map_err(wrong)?;
    let address = listener.local_addr().map_err(wrong)?;
    let handle = start(lua, listener, source)?;

    let table = lua.create_table_with_capacity(0, 3)?;
    table.raw_set("url", format!("http://{address}"))?;
    table.raw_set("port", address.port())?;
    table.raw_set("handle", handle)?;
    let meta = lua.app_data_ref::<ServerMetatable>().map(|meta| meta.0.clone());
    table.set_metatable(meta)?;
    Ok(table)
}

/// Starts the thread and waits until it can answer.
fn start(lua: &Lua, listener: StdListener, source: Source) -> Result<AnyUserData, LibError> {
    let close = Arc::new(Notify::new());
    let stop = Arc::clone(&close);
    let (ready, is_ready) = mpsc::channel::<Result<(), (String, String)>>();
    let (gone, closed) = mpsc::channel();
    let around = env(lua)?.shared();
    let thread = std::thread::Builder::new().name("http.serve".to_owned());
    let spawned = thread.spawn(move || {
        let prepared = prepare(listener, source, around);
        match prepared {
            Err(error) => {
                // The caller waits for it; it cannot be gone.
                let _ = ready.send(Err((error.code().to_owned(), error.message().to_owned())));
            }
            Ok((runtime, listener, answerer)) => {
                let _ = ready.send(Ok(()));
                // What is in flight is dropped with the set.
                LocalSet::new().block_on(&runtime, async {
                    tokio::task::spawn_local(accept(listener, Rc::new(answerer)));
                    stop.notified().await;
                });
            }
        }
        // Nobody listens when the script has forgotten the server.
        let _ = gone.send(());
    });
    spawned.map_err(LibError::from)?;
    match is_ready.recv() {
        Ok(Ok(())) => Ok(object(lua, Server { close, closed: RefCell::new(Some(closed)) })?),
        Ok(Err((code, message))) => Err(LibError::new(code, message)),
        Err(_) => Err(LibError::new("io", "the thread of the server ended before it began")),
    }
}

type Prepared = (tokio::runtime::Runtime, TcpListener, Answerer);

fn prepare(listener: StdListener, source: Source, around: Shared) -> Result<Prepared, LibError> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let listener = {
        let _inside = runtime.enter();
        TcpListener::from_std(listener)?
    };
    let answerer = match source {
        Source::Folder(folder) => Answerer::Folder(folder),
        Source::Routes(routes) => Answerer::Script(Script::new(routes, around)?),
    };
    Ok((runtime, listener, answerer))
}

async fn accept(listener: TcpListener, answerer: Rc<Answerer>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::task::spawn_local(converse(stream, Rc::clone(&answerer)));
            }
            // Out of descriptors, most likely: it passes when connections close.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn converse(stream: TcpStream, answerer: Rc<Answerer>) {
    // Only costs speed where it fails.
    let _ = stream.set_nodelay(true);
    let reset = Reset::default();
    let line = Line { stream, reset: Rc::clone(&reset) };
    let service = service_fn(move |request| {
        let (answerer, reset) = (Rc::clone(&answerer), Rc::clone(&reset));
        async move { deliver(answer(request, &answerer).await, reset).await }
    });
    let mut server = http1::Builder::new();
    // A client that goes away in the middle is its own affair.
    let _ = server
        .timer(TokioTimer::new())
        .pipeline_flush(true)
        .serve_connection(TokioIo::new(line), service)
        .await;
}

async fn answer(request: Request<Incoming>, answerer: &Answerer) -> Answer {
    let (head, body) = request.into_parts();
    let body = match http_body_util::Limited::new(body, MOST_BYTES).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return body::plain(413, "the body of the request is cut or too large").into(),
    };
    match answerer {
        Answerer::Folder(root) => folder::answer(root, &head).into(),
        Answerer::Script(script) => script.answer(&head, &body),
    }
}

/// Lets happen to the reply what was asked for.
async fn deliver(answer: Answer, reset: Reset) -> io::Result<Response<Body>> {
    let Answer { mut reply, delay, fault } = answer;
    if let Some(delay) = delay {
        tokio::time::sleep(delay).await;
    }
    match fault {
        None => {}
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::Reset { after: None }) => {
            reset.set(true);
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Some(Fault::Reset { after }) => reply.body_mut().cut(after, Some(reset)),
        Some(Fault::Cut { after }) => reply.body_mut().cut(after, None),
    }
    Ok(reply)
}

/// Functions, replies, and lists of replies, by their patterns.
fn pack_routes(lua: &Lua, table: &Table) -> Result<Vec<(Pattern, Packed)>, LibError> {
    let mut entries: Vec<(Value, Value)> = Vec::new();
    table.for_each(|key, value| {
        entries.push((key, value));
        Ok(())
    })?;
    let packed = entries.into_iter().map(|(key, value)| {
        let text = match &key {
            Value::String(text) => text.to_string_lossy(),
            other => {
                let got = other.type_name();
                return Err(LibError::invalid(format!("a route must be a string as \"/path\", got {got}")));
            }
        };
        let what = format!("the route `{text}`");
        let action = match &value {
            Value::Function(function) => Packed::Function(carry::pack(lua, function)?),
            Value::Table(list) if list.raw_len() > 0 => {
                let all = list.sequence_values::<Value>().map(|one| Cargo::pack(lua, &one?, &what));
                Packed::Replies(all.collect::<Result<_, _>>()?)
            }
            Value::String(_) | Value::Integer(_) | Value::Table(_) => {
                Packed::Replies(vec![Cargo::pack(lua, &value, &what)?])
            }
            other => {
                let got = other.type_name();
                return Err(LibError::invalid(format!(
                    "{what} must be a function, a string, a status or a table, got {got}"
                )));
            }
        };
        Ok((Pattern::parse(&text)?, action))
    });
    packed.collect()
}

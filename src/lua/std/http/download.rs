//! `http.download`: a reply to a file, which appears under its name when it is whole.
//!
//! What has come so far is kept beside it in `.NAME.part`, and in `.NAME.part.json` what the server said about it, so
//! that the next call can ask for the rest (RFC 9110, section 14). The file is locked while a call fills it.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use data_encoding::HEXLOWER;
use mlua::{Function, Lua, LuaString, Table, Value};
use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, HeaderValue, IF_RANGE, LAST_MODIFIED,
    RANGE,
};
use reqwest::{Method, Response, StatusCode};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::clock::Clock;
use super::hops;
use super::request::{Session, Target};
use super::response::{piece, too_large};
use crate::lua::error::LibError;
use crate::lua::module::call;
use crate::lua::options::Options;
use crate::lua::std::path;

/// Between two calls of the progress function.
const STEP: u64 = 1 << 20;

/// A download that was asked for.
pub(super) struct Order {
    pub target: Target,
    path: PathBuf,
    resume: bool,
    overwrite: bool,
    sha256: Option<String>,
    progress: Option<Function>,
}

impl Order {
    /// # Errors
    /// On wrong options.
    pub fn read(
        lua: &Lua,
        session: &Rc<Session>,
        url: &LuaString,
        file: &LuaString,
        options: Option<Table>,
    ) -> Result<Self, LibError> {
        let mut options = Options::new(options);
        let mut target = Target::read(lua, session, Method::GET, url, &mut options)?;
        let sha256 = options.string("sha256")?.map(|sum| sum.trim().to_ascii_lowercase());
        if sha256.as_ref().is_some_and(|sum| sum.len() != 64 || !sum.bytes().all(|b| b.is_ascii_hexdigit())) {
            return Err(LibError::invalid("option `sha256` must be 64 hexadecimal digits"));
        }
        let path = path::of(file);
        if path.file_name().is_none() {
            return Err(LibError::invalid("argument 2 (path) must have the name of a file"));
        }
        let progress = match options.value("progress")? {
            None | Some(Value::Boolean(false)) => None,
            Some(Value::Boolean(true)) => task_progress(lua)?,
            Some(Value::Function(progress)) => Some(progress),
            Some(_) => return Err(LibError::invalid("option `progress` must be a function or true")),
        };
        let order = Self {
            path,
            resume: options.bool("resume")?.unwrap_or(true),
            overwrite: options.bool("overwrite")?.unwrap_or(false),
            sha256,
            progress,
            target: {
                // Bytes as they are stored: parts of a packed body cannot be put together otherwise.
                let mut settings = (*target.settings).clone();
                settings.kind.decompress = false;
                target.settings = Rc::new(settings);
                target.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
                target
            },
        };
        options.finish()?;
        Ok(order)
    }
}

/// `task.progress` of a worker.
fn task_progress(lua: &Lua) -> Result<Option<Function>, LibError> {
    match lua.globals().raw_get::<Value>("task")? {
        Value::Table(task) => Ok(task.get("progress")?),
        _ => {
            Err(LibError::invalid("option `progress`: true is for workers, elsewhere it must be a function"))
        }
    }
}

/// What the server said about a part, so that the rest belongs to it.
#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Origin {
    url: String,
    /// A strong entity tag, or a date.
    validator: String,
}

/// The file that is being filled.
struct Part {
    file: File,
    path: PathBuf,
    facts: PathBuf,
    size: u64,
    hash: Sha256,
    /// Of the bytes that an earlier call has left.
    resumed: bool,
    etag: Option<String>,
}

/// # Errors
/// `exists`, `busy`, `checksum`, those of the file system, and all of a request.
pub(super) async fn run(lua: &Lua, order: &Order) -> Result<Table, LibError> {
    let target = match order.path.symlink_metadata() {
        Ok(facts) if facts.is_dir() => {
            return Err(LibError::new("is_directory", "the file needs a name").path(&order.path));
        }
        Ok(_) if !order.overwrite => {
            let text = "is there already; `overwrite = true` replaces it";
            return Err(LibError::new("exists", text).path(&order.path));
        }
        // A link stays a link.
        Ok(_) => order.path.canonicalize().unwrap_or_else(|_| order.path.clone()),
        Err(_) => order.path.clone(),
    };
    let mut part = Part::open(&target, order).await?;
    let mut tried = 0;
    loop {
        let error = match attempt(lua, order, &mut part, tried).await {
            Ok(()) => break,
            Err(error) => error,
        };
        let keep = order.resume && part.size > 0 && error.code() != "checksum" && part.origin().is_some();
        match order.target.settings.retries.pause(tried, &error) {
            Some(pause) if keep => crate::lua::std::clock::sleep(pause).await,
            Some(pause) => {
                part.restart()?;
                crate::lua::std::clock::sleep(pause).await;
            }
            None => {
                if !keep {
                    part.discard();
                }
                return Err(error);
            }
        }
        tried += 1;
    }
    let sum = HEXLOWER.encode(&part.hash.clone().finalize());
    let result = lua.create_table()?;
    result.raw_set("path", lua.create_string(order.path.as_os_str().as_encoded_bytes())?)?;
    result.raw_set("size", part.size)?;
    result.raw_set("sha256", sum)?;
    result.raw_set("etag", part.etag.clone())?;
    result.raw_set("resumed", part.resumed)?;
    part.finish(&target, order.overwrite).await.map_err(|error| error.path(&order.path))?;
    Ok(result)
}

/// One request, and its body to the part.
async fn attempt(lua: &Lua, order: &Order, part: &mut Part, tried: u32) -> Result<(), LibError> {
    let mut reply;
    let clock;
    loop {
        let (asked, validator) = part.request(order)?;
        let time = Clock::start(&asked.settings, None);
        let got = hops::send(&asked, &time).await?;
        if got.status() == StatusCode::RANGE_NOT_SATISFIABLE && validator {
            if total_of(got.headers()) == Some(part.size) {
                // Nothing was missing but the last step.
                hops::drain(got, &time).await;
                return part.check(order);
            }
            hops::drain(got, &time).await;
            part.restart()?;
            continue;
        }
        if let Some(error) = hops::judge(&asked, &got, tried) {
            hops::drain(got, &time).await;
            return Err(error);
        }
        (reply, clock) = (got, time);
        break;
    }
    let whole = part.begin(&reply, order)?;
    let most = order.target.settings.max_size;
    if let (Some(whole), Some(most)) = (whole, most)
        && whole > most
    {
        return Err(too_large(&reply, most));
    }
    let mut told = part.size;
    while let Some(bytes) = piece(&mut reply, &clock).await? {
        part.write(&bytes)?;
        if let Some(most) = most
            && part.size > most
        {
            return Err(too_large(&reply, most));
        }
        if part.size - told >= STEP {
            told = part.size;
            tell(lua, order, told, whole)?;
        }
    }
    if whole.is_some_and(|whole| whole != part.size) {
        let text = format!("{} of {} bytes came", part.size, whole.unwrap_or_default());
        return Err(LibError::new("connect", text).retryable(true).url(order.target.shown_url()));
    }
    tell(lua, order, part.size, whole)?;
    part.check(order)
}

fn tell(lua: &Lua, order: &Order, done: u64, whole: Option<u64>) -> Result<(), LibError> {
    match &order.progress {
        Some(progress) => call(lua, progress, (done, whole)),
        None => Ok(()),
    }
}

/// The length of the whole in `Content-Range: bytes 5-9/10` or `bytes */10`.
fn total_of(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_RANGE)?.to_str().ok()?.rsplit_once('/')?.1.trim().parse().ok()
}

/// Where the part begins.
fn start_of(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get(CONTENT_RANGE)?.to_str().ok()?.trim().strip_prefix("bytes")?;
    range.trim_start().split_once('-')?.0.trim().parse().ok()
}

/// What `If-Range` takes: a strong entity tag, else the date of the last change.
fn validator_of(headers: &HeaderMap) -> Option<String> {
    let text = |name| Some(headers.get(name)?.to_str().ok()?.to_owned());
    text(ETAG).filter(|tag: &String| tag.starts_with('"')).or_else(|| text(LAST_MODIFIED))
}

/// Work on a disk that may take long, beside the thread.
async fn aside<R: Send + 'static>(work: impl FnOnce() -> io::Result<R> + Send + 'static) -> io::Result<R> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

impl Part {
    async fn open(target: &Path, order: &Order) -> Result<Self, LibError> {
        let beside = |end: &str| {
            let mut name = OsString::from(".");
            name.push(target.file_name().unwrap_or_default());
            name.push(end);
            target.with_file_name(name)
        };
        let (path, facts) = (beside(".part"), beside(".part.json"));
        let file = locked(&path).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock => {
                let text = "is being downloaded by another call";
                LibError::new("busy", text).retryable(true).path(&order.path)
            }
            _ => LibError::file(&error, &path),
        })?;
        let mut part = Self { file, path, facts, size: 0, hash: Sha256::new(), resumed: false, etag: None };
        let left = part.file.metadata().map_err(|error| part.failed(&error))?.len();
        if left > 0
            && order.resume
            && part.origin().is_some_and(|origin| origin.url == order.target.url.as_str())
        {
            part.take_up().await?;
        } else if left > 0 {
            part.restart()?;
        }
        Ok(part)
    }

    fn failed(&self, error: &io::Error) -> LibError {
        LibError::file(error, &self.path)
    }

    /// What the server said about it; none when nothing is known, and then it is worth nothing.
    fn origin(&self) -> Option<Origin> {
        serde_json::from_slice(&std::fs::read(&self.facts).ok()?).ok()
    }

    /// Reads what is there, for the checksum.
    async fn take_up(&mut self) -> Result<(), LibError> {
        let mut file = self.file.try_clone().map_err(|error| self.failed(&error))?;
        let read = aside(move || {
            let mut hash = Sha256::new();
            let mut buffer = vec![0; 256 << 10];
            let mut size = 0;
            file.seek(SeekFrom::Start(0))?;
            loop {
                match file.read(&mut buffer)? {
                    0 => return Ok((hash, size)),
                    read => {
                        hash.update(&buffer[..read]);
                        size += read as u64;
                    }
                }
            }
        });
        (self.hash, self.size) = read.await.map_err(|error| self.failed(&error))?;
        Ok(())
    }

    /// Begins anew.
    fn restart(&mut self) -> Result<(), LibError> {
        (self.size, self.hash, self.resumed) = (0, Sha256::new(), false);
        let emptied = self.file.set_len(0).and_then(|()| self.file.seek(SeekFrom::Start(0)));
        emptied.map(drop).map_err(|error| self.failed(&error))
    }

    /// For the rest, where it is known whose rest: then the second value is true.
    fn request(&self, order: &Order) -> Result<(Target, bool), LibError> {
        let mut asked = order.target.clone();
        let origin = self.origin().filter(|_| self.size > 0 && order.resume);
        let Some(origin) = origin else { return Ok((asked, false)) };
        let value = |text: String| {
            HeaderValue::from_str(&text).map_err(|_| LibError::parse("is damaged").path(&self.facts))
        };
        asked.headers.insert(RANGE, value(format!("bytes={}-", self.size))?);
        asked.headers.insert(IF_RANGE, value(origin.validator)?);
        Ok((asked, true))
    }

    /// Gets ready for the body of this reply, and gives the size of the whole where it is known.
    fn begin(&mut self, reply: &Response, order: &Order) -> Result<Option<u64>, LibError> {
        let headers = reply.headers();
        self.etag = headers.get(ETAG).and_then(|tag| Some(tag.to_str().ok()?.to_owned()));
        if reply.status() == StatusCode::PARTIAL_CONTENT {
            if start_of(headers) != Some(self.size) {
                let text = "the server sent another part than the one that was asked for";
                return Err(LibError::new("protocol", text).url(order.target.shown_url()));
            }
            self.resumed = self.size > 0;
            return Ok(total_of(headers));
        }
        self.restart()?;
        match validator_of(headers) {
            Some(validator) if order.resume => {
                let origin = Origin { url: order.target.url.as_str().to_owned(), validator };
                let text = serde_json::to_vec(&origin).map_err(io::Error::other);
                text.and_then(|text| std::fs::write(&self.facts, text))
                    .map_err(|error| LibError::file(&error, &self.facts))?;
            }
            // What was known is about something else.
            _ => drop(std::fs::remove_file(&self.facts)),
        }
        Ok(headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok()))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), LibError> {
        let at = self.size;
        let written = self.file.seek(SeekFrom::Start(at)).and_then(|_| self.file.write_all(bytes));
        written.map_err(|error| self.failed(&error))?;
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        Ok(())
    }

    fn check(&mut self, order: &Order) -> Result<(), LibError> {
        let Some(wanted) = &order.sha256 else { return Ok(()) };
        let found = HEXLOWER.encode(&self.hash.clone().finalize());
        if found == *wanted {
            return Ok(());
        }
        let text = format!("sha256 is {found}, not {wanted}");
        Err(LibError::new("checksum", text).retryable(true).url(order.target.shown_url()))
    }

    /// To the disk, and then under its name.
    async fn finish(self, target: &Path, overwrite: bool) -> Result<(), LibError> {
        let (path, to) = (self.path.clone(), target.to_path_buf());
        let facts = self.facts.clone();
        let done = aside(move || {
            if let Ok(old) = to.metadata() {
                self.file.set_permissions(old.permissions())?;
            }
            // An earlier attempt may have left more than this one wrote.
            self.file.set_len(self.size)?;
            self.file.sync_all()?;
            if overwrite {
                std::fs::rename(&path, &to)?;
            } else {
                keep_new(&path, &to).inspect_err(|error| {
                    if error.kind() == ErrorKind::AlreadyExists {
                        // Someone else was faster, and ours is not needed.
                        let _ = std::fs::remove_file(&path);
                    }
                })?;
            }
            let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
        });
        done.await?;
        // Nobody misses it.
        let _ = std::fs::remove_file(facts);
        Ok(())
    }

    fn discard(&self) {
        // What stays is begun anew by the next call.
        let _ = std::fs::remove_file(&self.path);
        let _ = std::fs::remove_file(&self.facts);
    }
}

/// The part, for this call alone.
fn locked(path: &Path) -> io::Result<File> {
    loop {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => ErrorKind::WouldBlock.into(),
            TryLockError::Error(error) => error,
        })?;
        // Between opening and locking another call may have finished with it: then it has its final name, or none.
        let (ours, named) = (file.metadata()?, path.metadata());
        if named.is_ok_and(|named| (named.dev(), named.ino()) == (ours.dev(), ours.ino())) {
            return Ok(file);
        }
    }
}

/// Names it unless something has that name; file systems without hard links get the race of a look before.
fn keep_new(part: &Path, target: &Path) -> io::Result<()> {
    match std::fs::hard_link(part, target) {
        Ok(()) => std::fs::remove_file(part),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(error),
        Err(_) if target.symlink_metadata().is_ok() => Err(ErrorKind::AlreadyExists.into()),
        Err(_) => std::fs::rename(part, target),
    }
}

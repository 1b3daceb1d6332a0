//! Programs and states for the tests. What is missing is installed where that is possible, and named where not.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Once;
use std::thread;
use std::time::{Duration, Instant};

use mlua::{Lua, Value};
use mpms::lua::error::{Raised, describe};
use mpms::lua::require::{Roots, install_require};
use mpms::lua::std::{StdEnv, install};
use tempfile::TempDir;

/// A state with the library.
pub fn lua() -> Lua {
    let lua = Lua::new();
    install(&lua, &StdEnv::quiet("test")).expect("the library installs");
    let roots = Roots { script_dir: ".".into(), root: ".".into(), lua_path: None };
    install_require(&lua, &roots, None).expect("require installs");
    lua
}

/// Runs `code` with `T`, a table of these texts; it must not fail.
pub fn run(code: &str, texts: &[(&str, &str)]) {
    if let Err(error) = prepared(&lua(), texts).load(code).set_name("=test").exec() {
        panic!("{error}\nin {code}");
    }
}

/// The same, but it must raise, and this is what.
pub fn fails(code: &str, texts: &[(&str, &str)]) -> Raised {
    let lua = lua();
    let body = prepared(&lua, texts).load(code).set_name("=test").into_function().expect("the code is Lua");
    let pcall: mlua::Function = lua.globals().get("pcall").expect("it is there");
    let (ok, error): (bool, Value) = pcall.call(body).expect("pcall works");
    assert!(!ok, "did not fail: {code}");
    describe(&error)
}

fn prepared<'a>(lua: &'a Lua, texts: &[(&str, &str)]) -> &'a Lua {
    let table = lua.create_table_from(texts.iter().copied()).expect("memory");
    lua.globals().set("T", table).expect("memory");
    lua
}

/// Where the program is. Tests that need one that cannot be had fail, and say so.
pub fn tool(name: &str) -> PathBuf {
    static INSTALLED: Once = Once::new();
    find(name).unwrap_or_else(|| {
        INSTALLED.call_once(|| {
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/http/tools.sh");
            // Its words are for whoever reads the test's output; whether it helped is looked at below.
            let _ = Command::new(script).status();
        });
        find(name).unwrap_or_else(|| panic!("`{name}` is not installed, see tests/http/tools.sh"))
    })
}

fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .chain(["/usr/sbin", "/sbin"])
        .map(|folder| Path::new(folder).join(name))
        .find(|file| file.is_file())
}

/// A port that is free at the moment.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

/// A program that ends with the test.
pub struct Running {
    child: Child,
    pub folder: TempDir,
}

impl Running {
    /// Starts it and waits until it listens.
    pub fn start(command: &mut Command, folder: TempDir, port: u16) -> Self {
        let log = fs::File::create(folder.path().join("log")).expect("a log");
        let child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("it starts");
        let mut running = Self { child, folder };
        let end = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = running.child.try_wait().expect("it is ours");
            assert!(ended.is_none() && Instant::now() < end, "it does not listen: {}", running.text("log"));
            thread::sleep(Duration::from_millis(5));
        }
        running
    }

    /// A file in its folder.
    pub fn text(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.path().join(name)).unwrap_or_default()).into_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The master process of nginx ends its workers with it.
        let pid = nix::unistd::Pid::from_raw(self.child.id() as i32);
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

/// A folder that any user may enter: nginx gives its rights away.
pub fn open_folder() -> TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = TempDir::new().expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("ours");
    folder
}

const FRAME: &str = "
daemon off;
pid DIR/pid;
worker_processes 1;
error_log DIR/error.log;
events { worker_connections 512; }
http {
  default_type text/plain;
  log_format seen '$request_method $request_uri $status $server_protocol $connection $http_via $ssl_client_s_dn';
  access_log DIR/access.log seen;
  client_body_temp_path DIR/body;
  proxy_temp_path DIR/proxy;
  fastcgi_temp_path DIR/fastcgi;
  uwsgi_temp_path DIR/uwsgi;
  scgi_temp_path DIR/scgi;
  client_max_body_size 64m;
  SERVERS
}
";

/// nginx with these servers, in which `PORT0`, `PORT1` … stand for free ports and `DIR` for its folder.
pub fn nginx(folder: TempDir, servers: &str) -> (Running, Vec<u16>) {
    let program = tool("nginx");
    let dir = folder.path().to_string_lossy().into_owned();
    let mut ports = Vec::new();
    let mut text = FRAME.replace("SERVERS", servers);
    while text.contains(&format!("PORT{}", ports.len())) {
        let port = free_port();
        text = text.replace(&format!("PORT{}", ports.len()), &port.to_string());
        ports.push(port);
    }
    fs::write(folder.path().join("conf"), text.replace("DIR", &dir)).expect("written");
    let mut command = Command::new(program);
    command.args(["-e", &format!("{dir}/error.log"), "-c", &format!("{dir}/conf")]);
    let running = Running::start(&mut command, folder, ports[0]);
    (running, ports)
}

//! `mpms test`: specs that pass, fail, and do their worst.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::repository;

/// A call that takes longer hangs.
const HANG: Duration = Duration::from_secs(60);

/// In the environment of every call.
const TOKEN: &str = "spec-token-4711";

/// A folder with specs.
struct Specs(TempDir);

/// What a call said.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Specs {
    fn new() -> Self {
        Specs(tempfile::tempdir().expect("a folder"))
    }

    fn file(self, name: &str, text: &str) -> Self {
        let file = self.path(name);
        fs::create_dir_all(file.parent().expect("a parent")).expect("a folder");
        fs::write(file, text).expect("a file");
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn test(&self, arguments: &[&str]) -> Said {
        run(self.0.path(), arguments)
    }
}

fn run(folder: &Path, arguments: &[&str]) -> Said {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mpms"))
        .arg("test")
        .args(arguments)
        .current_dir(folder)
        .env_remove("CLICOLOR_FORCE")
        .env("SPEC_TOKEN", TOKEN)
        .stdin(Stdio::null())
        .stdout(fs::File::create(folder.join(".said.out")).expect("a file"))
        .stderr(fs::File::create(folder.join(".said.err")).expect("a file"))
        .spawn()
        .expect("mpms can be started");
    let until = Instant::now() + HANG;
    let code = loop {
        if let Some(status) = child.try_wait().expect("a child") {
            break status.code();
        }
        if Instant::now() > until {
            let _ = child.kill();
            let _ = child.wait();
            panic!("mpms test hangs: {}", fs::read_to_string(folder.join(".said.out")).unwrap_or_default());
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let read = |name: &str| {
        let text = fs::read(folder.join(name)).expect("what it said");
        let _ = fs::remove_file(folder.join(name));
        String::from_utf8_lossy(&text).into_owned()
    };
    Said { code, out: read(".said.out"), err: read(".said.err") }
}

impl Said {
    #[track_caller]
    fn exit(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "\n{}\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    fn says(&self, text: &str) -> &Self {
        assert!(
            self.out.contains(text) || self.err.contains(text),
            "no `{text}` in\n{}\n{}",
            self.out,
            self.err
        );
        self
    }

    #[track_caller]
    fn says_not(&self, text: &str) -> &Self {
        assert!(
            !self.out.contains(text) && !self.err.contains(text),
            "`{text}` in\n{}\n{}",
            self.out,
            self.err
        );
        self
    }
}

#[test]
fn the_specs_of_the_repository_pass_and_every_script_has_one() {
    let folder = tempfile::tempdir().expect("a folder");
    // read-only for everybody else: the output files of this test lie elsewhere
    let said = Command::new(env!("CARGO_BIN_EXE_mpms"))
        .args(["test", "--format", "json", "--junit"])
        .arg(folder.path().join("report.xml"))
        .current_dir(repository())
        .output()
        .expect("mpms can be started");
    let out = String::from_utf8_lossy(&said.stdout);
    assert_eq!(said.status.code(), Some(0), "{out}\n{}", String::from_utf8_lossy(&said.stderr));
    let scripts = fs::read_dir(repository().join("scripts")).expect("scripts");
    for script in scripts.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file()) {
        let stem = script.file_stem().expect("a name").to_string_lossy().into_owned();
        let spec = format!("scripts/spec/{stem}_spec.lua");
        let passed = out.lines().filter(|line| line.contains(&spec) && line.contains("\"passed\"")).count();
        assert!(passed >= 3, "{spec} has {passed} tests");
        let text = fs::read_to_string(repository().join(&spec)).expect("the spec");
        assert!(text.contains(&format!("\"scripts/{stem}.lua\"")), "{spec} does not play scripts/{stem}.lua");
    }
    let report = fs::read_to_string(folder.path().join("report.xml")).expect("the report");
    assert!(
        report
            .contains("<testcase name=\"primes: need a number\" classname=\"scripts/spec/primes_spec.lua\"")
    );
}

#[test]
fn results_places_and_differences_are_shown() {
    let specs = Specs::new().file(
        "spec/crawl_spec.lua",
        r#"describe("crawl", function()
  it("passes", function() print("seen by nobody") end)
  it("fails", function()
    print("seen", "here")
    assert.same({ status = 404, retried = true }, { status = 404, retried = false })
  end)
  pending("later")
end)"#,
    );
    let said = specs.test(&["-j", "1"]);
    said.exit(1)
        .says("        PASS [  0.0")
        .says("(1/3) crawl: passes\n")
        .says("(2/3) crawl: fails\n             spec/crawl_spec.lua:5   assert.same\n")
        .says("             - { retried = true, status = 404 }\n             + { retried = false, status = 404 }\n")
        .says("             | seen\there\n")
        .says("     PENDING [")
        .says("3 tests: 1 passed, 1 failed, 1 pending        (network denied)\n")
        .says("        Next mpms test -v spec/crawl_spec.lua --filter '^crawl: fails$'\n")
        .says_not("seen by nobody");
    specs.test(&["-q"]).exit(1).says_not("PASS").says("FAIL").says("Summary");
    specs.test(&["-v"]).exit(1).says("| seen by nobody").says("in function <spec/crawl_spec.lua:3>");
    specs.test(&["--filter", "^crawl: passes$"]).exit(0).says("1 test: 1 passed");
    specs.test(&["--color", "always"]).exit(1).says("\x1b[1m\x1b[32mPASS\x1b[0m");
    let listed = specs.test(&["--list"]);
    assert_eq!(
        listed.exit(0).out,
        "spec/crawl_spec.lua:2   crawl: passes\nspec/crawl_spec.lua:3   crawl: fails\nspec/crawl_spec.lua:7   crawl: later\n"
    );
    let json = specs.test(&["--format", "json"]);
    json.exit(1).says(r#""event":"tests_started""#).says(r#""status":"failed""#).says(r#""tests_finished""#);
    assert!(json.out.lines().all(|line| line.starts_with('{') && line.ends_with('}')), "{}", json.out);
}

#[test]
fn a_report_for_ci_names_what_failed() {
    let specs = Specs::new()
        .file(
            "a_spec.lua",
            "it('fails <&>', function() print('\\27[31mred') error('boom') end) it('is', function() end)",
        )
        .file("b_spec.lua", "syntax error");
    specs.test(&["--junit", "out/report.xml"]).exit(2);
    let report = fs::read_to_string(specs.path("out/report.xml")).expect("the report");
    for part in [
        "tests=\"3\" skipped=\"0\" failures=\"0\" errors=\"2\"",
        "<testcase name=\"fails &lt;&amp;&gt;\" classname=\"a_spec.lua\"",
        "message=\"boom\" type=\"lua_error\"",
        "a_spec.lua:1: boom",
        "<system-out>",
        "<testcase name=\"(load)\" classname=\"b_spec.lua\"",
    ] {
        assert!(report.contains(part), "no {part} in {report}");
    }
    // an oracle that reads XML
    let python =
        "import sys, xml.dom.minidom as m; print(len(m.parse(sys.argv[1]).getElementsByTagName('testcase')))";
    let read = Command::new("python3").args(["-c", python]).arg(specs.path("out/report.xml")).output();
    assert_eq!(String::from_utf8_lossy(&read.expect("python3").stdout).trim(), "3");
}

#[test]
fn a_report_for_ci_tells_failures_from_errors_and_from_what_is_pending() {
    let specs = Specs::new().file(
        "a_spec.lua",
        "it('fails', function() assert.equal(1, 2) end) it('takes time', function() sleep(0.25) end) pending('later')
         it('is not today', function() pending 'no time' end)",
    );
    specs.test(&["--junit", "report.xml"]).exit(1);
    let report = fs::read_to_string(specs.path("report.xml")).expect("the report");
    for part in [
        "tests=\"4\" skipped=\"2\" failures=\"1\" errors=\"0\"",
        "<failure message=\"assert.equal\" type=\"assertion\"",
        "<skipped message=\"no time\"",
    ] {
        assert!(report.contains(part), "no {part} in {report}");
    }
    let slow = report.lines().find(|line| line.contains("takes time")).expect("the test");
    assert!(slow.contains(" time=\"0.2") || slow.contains(" time=\"0.3"), "{slow}");
}

#[test]
fn a_secret_is_not_shown_by_the_tests() {
    let specs = Specs::new()
        .file(
            "a_spec.lua",
            r#"it("fails", function()
  local token = mpms.secret.get "SPEC_TOKEN":reveal()
  print("printed " .. token)
  mpms.log.info("logged", { field = token })
  local function inner() error("raised " .. token) end
  inner()
end)
it("differs", function() assert.equal("expected", mpms.env.get "SPEC_TOKEN") end)
it("waits", function() pending("until " .. mpms.env.get "SPEC_TOKEN") end)
teardown(function() error("at the end " .. mpms.env.get "SPEC_TOKEN") end)"#,
        )
        .file(
            "b_spec.lua",
            r#"local token = mpms.secret.get "SPEC_TOKEN":reveal() print("loaded " .. token) error("broken " .. token)"#,
        );
    for arguments in [&["-v"][..], &["--format", "json"], &["--junit", "report.xml"]] {
        let said = specs.test(arguments);
        said.exit(2).says_not(TOKEN);
        for text in ["printed ***", "field=***", "raised ***", "+ ", "at the end ***", "broken ***"] {
            said.says(text);
        }
    }
    let report = fs::read_to_string(specs.path("report.xml")).expect("the report");
    assert!(
        report.contains("raised ***") && report.contains("printed ***") && !report.contains(TOKEN),
        "{report}"
    );
}

#[test]
fn a_file_that_cannot_be_loaded_is_named_with_its_line_and_the_others_run() {
    let specs = Specs::new()
        .file("good_spec.lua", "it('is good', function() end)")
        .file("syntax_spec.lua", "describe('x', function()\n  it('y', function( end)\nend)")
        .file("raises_spec.lua", "describe('x', function()\n  print('before')\n  error('in the block')\nend)")
        .file("name_spec.lua", "\ndescribe('x')")
        .file("loop_spec.lua", "\n\nwhile true do pcall(error) end")
        .file("dies_spec.lua", "io.stderr:write('x') os.execute('echo last words >&2; kill -9 $PPID')")
        .file("binary_spec.lua", "\x1bLua\x54\0");
    specs
        .test(&["--timeout", "500ms"])
        .exit(2)
        .says("good")
        .says("1 test: 1 passed, 6 files cannot be loaded")
        .says("syntax_spec.lua cannot be loaded\n             syntax_spec.lua:2   ")
        .says("raises_spec.lua:3   in the block")
        .says("name_spec.lua:2   describe: argument 2 (body) must be a function")
        .says("loop_spec.lua:3   timeout after 500ms")
        .says("while it was loaded its process was killed by signal 9 (SIGKILL)")
        .says("| last words");
}

#[test]
fn specs_for_busted_run_unchanged() {
    let file = repository().join("tests/busted/words_spec.lua");
    let text = fs::read_to_string(&file).expect("the spec");
    let specs = Specs::new().file("words_spec.lua", &text);
    let said = specs.test(&["-j1"]);
    said.exit(0).says("2 pending");
    // the same by the original
    let busted = crate::tool("busted", "lua-busted").args(["-o", "TAP"]).arg(&file).output().expect("busted");
    let tap = String::from_utf8_lossy(&busted.stdout).into_owned();
    let passed = tap.lines().filter(|line| line.starts_with("ok") && !line.contains("# SKIP")).count();
    assert!(!tap.contains("not ok") && passed > 15, "{tap}");
    said.says(&format!("{} tests: {passed} passed, 2 pending", passed + 2));
}

#[test]
fn what_is_not_there_is_a_mistake_of_the_call() {
    let empty = Specs::new().file("other.lua", "return 1");
    empty.test(&[]).exit(2).says("error: no spec was found").says("help: write tests in a file");
    empty.test(&["none"]).exit(2).says("cannot read none");
    let specs = Specs::new().file("a_spec.lua", "it('is', function() end)");
    specs.test(&["--filter", "nothing"]).exit(2).says("no test of 1 file fits `nothing`");
    specs.test(&["--filter", "("]).exit(2).says("`--filter` is no regular expression");
    specs.test(&["--timeout", "5"]).exit(2).says("as 30s");
    specs.test(&["-j", "0"]).exit(2);
    Specs::new().file("a_spec.lua", "").test(&[]).exit(2).says("there is no test in 1 file");
}

#[test]
fn functions_around_tests_run_in_order_and_their_errors_are_told() {
    let specs = Specs::new().file(
        "a_spec.lua",
        r#"local said = {}
local function say(word) return function() said[#said + 1] = word end end
setup(say "S") teardown(function() say "T"() print(table.concat(said, " ")) error("at the end") end)
before_each(say "b") after_each(say "a")
it("1", function() say "1"() finally(say "f") finally(say "g") end)
describe("in", function()
  lazy_setup(say "S2") lazy_teardown(say "T2") before_each(say "b2") after_each(say "a2")
  it("2", say "2")
  it("3", function() say "3"() error("no") end)
end)
describe("broken", function()
  setup(function() error("cannot") end)
  it("4", say "4")
  it("5", say "5")
end)
describe("before", function()
  before_each(function() error("each") end)
  after_each(say "a3")
  it("6", say "6")
end)"#,
    );
    specs
        .test(&["-j1"])
        .exit(1)
        .says("| S b 1 g f a S2 b b2 2 a2 a b b2 3 a2 a T2 b a3 a T")
        .says("a_spec.lua:9   no")
        .says("(4/6) broken: 4\n             a_spec.lua:12   in the setup of `broken`: cannot")
        .says("(5/6) broken: 5\n             a_spec.lua:12   in the setup of `broken`: cannot")
        .says("a_spec.lua:17   each")
        .says("(7/7) the file: teardown\n             a_spec.lua:3   at the end")
        .says("7 tests: 2 passed, 5 failed");
}

#[test]
fn of_several_errors_the_first_is_told() {
    let specs = Specs::new().file(
        "a_spec.lua",
        r#"after_each(function() error("then") end)
it("1", function() finally(function() error("and then") end) error("first") end)
it("2", function() finally(function() error("of the end") end) end)
it("3", function() end)"#,
    );
    specs
        .test(&["-j1"])
        .exit(1)
        .says("(1/3) 1\n             a_spec.lua:2   first\n")
        .says("(2/3) 2\n             a_spec.lua:3   of the end\n")
        .says("(3/3) 3\n             a_spec.lua:1   then\n")
        .says_not("and then");
}

#[test]
fn every_kind_of_error_has_its_place() {
    let specs = Specs::new().file(
        "a_spec.lua",
        r#"it("1", function() error({ code = "x", message = "of a table" }) end)
it("2", function() error({ 1, 2 }) end)
it("3", function() error() end)
it("4", function() error(setmetatable({}, { __tostring = function() error("worse") end })) end)
it("5", function() local x = nil; return x.y end)
it("6", function() os.exit(0) end)
it("7", function() local function f() return f() + 1 end f() end)
it("8", function() error(("x"):rep(1e6)) end)
it("9", function() mpms.fs.read("/nonexistent") end)
it("10", function() it("late", function() end) end)
it("11", function() assert(false, "plain") end)
it("12", function() print(("flood"):rep(20)) for i = 1, 200000 do print("line", i) end error("after a flood") end)
it("13", function() coroutine.wrap(function() error("in a coroutine") end)() end)
it("14", function() mpms.co.all { function() sleep(0.001) error("in a child") end } end)
it("dup", function() end)
it("dup", function() end)
it("last", function() end)"#,
    );
    let said = specs.test(&["-j1"]);
    said.exit(1)
        .says("a_spec.lua:1   of a table")
        .says("a_spec.lua:2   a table without a `message` was raised")
        .says("a_spec.lua:3   nil was raised")
        .says("a_spec.lua:4   ")
        .says("a_spec.lua:5   attempt to index a nil value (local 'x')")
        .says("a_spec.lua:6   os.exit is refused")
        .says("a_spec.lua:7   stack overflow")
        .says("a_spec.lua:8   xxxx")
        .says("a_spec.lua:9   fs.read /nonexistent: ")
        .says("a_spec.lua:10   it: tests are named while the file is loaded")
        .says("a_spec.lua:11   plain")
        .says("a_spec.lua:12   after a flood")
        .says("more lines")
        .says("a_spec.lua:13   in a coroutine")
        .says("a_spec.lua:14   in a child")
        .says("warning a_spec.lua:16   another test of this file is named `dup` too")
        .says("17 tests: 3 passed, 14 failed");
    assert!(said.out.len() < 60_000, "{} bytes", said.out.len());
    // the beginning of it is kept for programs
    let json = specs.test(&["--format", "json", "--filter", "^12$"]);
    json.exit(1).says("… ");
    assert!((64 << 10..200 << 10).contains(&json.out.len()), "{} bytes", json.out.len());
}

#[test]
fn loops_waits_and_commands_that_hang_are_stopped_and_the_next_test_runs() {
    let specs = Specs::new().file(
        "a_spec.lua",
        r#"it("loops", function()
  while true do end
end)
it("catches all", function() while true do pcall(error, "x") end end)
it("waits", function() sleep(1000) end)
it("runs a command", function() os.execute("sleep 1000.375") end)
it("plays a loop", function()
  mpms.fs.write("loop.lua", "return { worker = function() while true do end end }")
  test.worker("loop.lua", {})
end)
it("plays with a limit", function()
  local _, effects = test.worker("loop.lua", {}, {}, { timeout = "100ms" })
  assert.equal("timeout", effects.error.code)
end)
it("leaves a daemon", function() os.execute("setsid sleep 1000.625 >/dev/null 2>&1 &") end)
it("last", function() end)"#,
    );
    specs
        .test(&["--timeout", "700ms", "-j1"])
        .exit(1)
        .says("a_spec.lua:2   timeout after 700ms")
        .says("a_spec.lua:4   timeout after 700ms")
        .says("a_spec.lua:5   timeout after 700ms")
        .says("a_spec.lua:6   timeout after 700ms")
        .says("a_spec.lua:9   timeout after 700ms")
        .says("8 tests: 3 passed, 5 failed");
    for leftover in ["sleep\x001000.375", "sleep\x001000.625"] {
        assert!(!is_running(leftover), "{leftover}");
    }
}

/// Whether a process with these words lives.
fn is_running(words: &str) -> bool {
    let all = fs::read_dir("/proc").expect("/proc").filter_map(Result::ok);
    all.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
        .any(|line| line.windows(words.len()).any(|window| window == words.as_bytes()))
}

#[test]
fn a_process_that_dies_or_stands_still_fails_its_test_and_no_other_file() {
    let specs = Specs::new()
        .file("good_spec.lua", "it('is good', function() end)")
        .file(
            "kill_spec.lua",
            "it('1', function() end)\nit('2', function() os.execute('kill -9 $PPID') sleep(100) end)\nit('3', function() end)",
        )
        .file("abort_spec.lua", "it('s', function() os.execute('kill -ABRT $PPID') sleep(100) end)")
        .file("stop_spec.lua", "it('t', function() os.execute('kill -STOP $PPID') sleep(100) end)")
        // a search in C that no hook can stop
        .file("deaf_spec.lua", "it('d', function() return (('a'):rep(4000)):find(('.-'):rep(12) .. 'b') end)");
    specs
        .test(&["--timeout", "500ms"])
        .exit(1)
        .says("is good")
        .says("kill_spec.lua:2   its process was killed by signal 9 (SIGKILL)")
        .says("NOT RUN [  0.000s] ")
        .says("abort_spec.lua:1   its process was killed by signal 6 (SIGABRT)")
        .says(
            "stop_spec.lua:1   it did not end within 500ms, and could not be stopped; its process was killed",
        )
        .says("deaf_spec.lua:1   it did not end within 500ms")
        .says("7 tests: 2 passed, 4 failed, 1 not run");
}

#[test]
fn specs_die_with_the_call() {
    // its own number, so that a leftover of another call is none of this one
    let seconds = format!("1000.{}", std::process::id());
    let spec = format!("it('waits', function() os.execute('sleep {seconds}') end)");
    let specs = Specs::new().file("a_spec.lua", &spec);
    let mut child = Command::new(env!("CARGO_BIN_EXE_mpms"))
        .arg("test")
        .current_dir(specs.0.path())
        .stdout(Stdio::null())
        .spawn()
        .expect("mpms can be started");
    let words = format!("sleep\x00{seconds}");
    wait_until(|| is_running(&words));
    child.kill().expect("it can be killed");
    child.wait().expect("it has ended");
    wait_until(|| !is_running(&words));
}

#[track_caller]
fn wait_until(condition: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < until, "it does not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn nothing_leaves_the_machine_but_what_is_mocked() {
    let specs = Specs::new().file(
        "a_spec.lua",
        r#"local http, net = require "mpms.http", require "mpms.net"
local function denied(f, ...)
  local e = select(2, pcall(f, ...))
  assert.equal("denied", e.code, tostring(e))
  assert.is_false(e.retryable)
end
it("asks nobody", function()
  denied(http.get, "https://example.com/")
  denied(http.get, "http://127.0.0.1:1/")
  denied(http.get, "https://example.com/", { retries = 3 })
  denied(http.download, "https://example.com/x", mpms.path.join(test.tmp(), "x"))
  denied(http.stream, "https://example.com/x")
  denied(mpms.robots.allowed, "https://example.com/x")
  denied(net.connect, "example.com", 80)
  denied(net.connect, "127.0.0.1", 1)
  denied(net.resolve, "example.com")
  denied(function() net.udp():send("x", "1.1.1.1", 53) end)
  denied(net.unix, "/run/docker.sock")
end)
it("reaches this machine when that is asked for, and only it", function()
  test.http "loopback"
  local server = http.serve(function() return { body = "served" } end)
  assert.equal("served", http.get(server.url).body)
  local socket = net.connect("127.0.0.1", server.port)
  socket:close()
  denied(http.get, "https://example.com/")
  denied(net.connect, "1.1.1.1", 80)
end)
it("not in the next test", function()
  local server = http.serve(function() return { body = "served" } end)
  denied(http.get, server.url)
end)
it("redirects, cookies, retries, streams and sums work on mocks", function()
  test.clock(0)
  test.http {
    ["GET https://a.example/"] = { status = 302, headers = { Location = "/b", ["Set-Cookie"] = { "k=v", "l=w" } } },
    ["GET https://a.example/b"] = function(request) return { json = { cookie = request.headers.cookie } } end,
    ["https://a.example/flaky"] = { 503, { error = "timeout" }, "third" },
    ["POST https://a.example/echo"] = function(request) return request.body end,
    ["GET https://a.example/lines"] = "1\n2\n3\n",
    ["GET https://a.example/robots.txt"] = "User-agent: *\nDisallow: /no",
    ["GET https://*.example/glob/*"] = { status = 201 },
    ["GET https://a.example/file"] = { file = "page.html" },
    ["GET https://a.example/slow"] = { body = "late", delay = "2h" },
  }
  mpms.fs.write("page.html", "<p>x</p>")
  local client = http.client { cookies = true, base_url = "https://a.example" }
  local reply = client:get "/"
  assert.equal("https://a.example/b", reply.url)
  assert.equal("k=v; l=w", reply:json().cookie)
  assert.equal("third", http.get("https://a.example/flaky", { retries = 2 }).body)
  assert.equal('{"a":1}', http.post("https://a.example/echo", { json = { a = 1 } }).body)
  local lines = {}
  for line in http.stream("https://a.example/lines"):lines() do lines[#lines + 1] = line end
  assert.same({ "1", "2", "3" }, lines)
  assert.has_error(function() http.client { robots = true }:get "https://a.example/no" end, { code = "robots" })
  assert.equal(201, http.get("https://b.example/glob/x/y").status)
  assert.equal("x", http.get("https://a.example/file"):html():css("p::text"):get())
  assert.has_error(function() http.get("https://a.example/slow", { timeout = "1s" }) end)
  local last = test.requests()[#test.requests()]
  assert.same({ "GET", "/slow", "https://a.example/slow" }, { last.method, last.path, last.url })
end)"#,
    );
    specs.test(&[]).exit(0).says("4 tests: 4 passed").says("mocked requests)");
}

#[test]
fn snapshots_are_written_when_that_is_asked_for_and_compared_else() {
    let spec = "it('s', function() test.snapshot('page', { b = 1, a = { 'x' } }) test.snapshot('text', 'as it is') end)";
    let specs = Specs::new().file("spec/a_spec.lua", spec);
    specs
        .test(&[])
        .exit(1)
        .says("spec/a_spec.lua:1   test.snapshot: `page` is not written yet")
        .says("mpms test spec/a_spec.lua --update");
    assert!(!specs.path("spec/__snapshots__").exists());
    specs.test(&["--update"]).exit(0).says("2 snapshots written");
    let read =
        |name: &str| fs::read_to_string(specs.path("spec/__snapshots__/a_spec").join(name)).expect("a file");
    assert_eq!(
        (read("page.snap").as_str(), read("text.snap").as_str()),
        ("{ a = { \"x\" }, b = 1 }\n", "as it is")
    );
    specs.test(&[]).exit(0);
    let specs = specs.file("spec/a_spec.lua", &spec.replace("b = 1", "b = 2"));
    specs
        .test(&[])
        .exit(1)
        .says("`page` has changed")
        .says("- { a = { \"x\" }, b = 1 }\n             + { a = { \"x\" }, b = 2 }");
    specs.test(&["-u"]).exit(0).says("1 snapshot written");
    // a name is a file beside the others, and never elsewhere
    let names = Specs::new()
        .file("a_spec.lua", "it('a', function() test.snapshot('../../x y/ü', 1) test.snapshot('z', 1) end)");
    names.test(&["-u"]).exit(0);
    let mut written: Vec<_> = fs::read_dir(names.path("__snapshots__/a_spec"))
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    written.sort();
    assert_eq!(written, [".._.._x_y_ü.snap", "z.snap"]);
    Specs::new()
        .file("a_spec.lua", "it('a', function() test.snapshot('..', 1) end) it('b', function() test.snapshot('x', 1) test.snapshot('x', 2) end)")
        .test(&["-u"])
        .exit(1)
        .says("must be a name")
        .says("has a snapshot `x` already");
}

#[test]
fn a_test_changes_nothing_for_the_next_one() {
    let specs = Specs::new().file(
        "a_spec.lua",
        r#"local kept, folder
test.http { ["GET https://of.file/"] = "file" }
it("changes the world", function()
  test.clock(0) test.seed(7)
  kept = math.random(1, 1e9)
  test.http { ["GET https://of.test/"] = "test" }
  stub(string, "upper").returns("stubbed")
  stub(string, "lower").returns("once")
  stub(string, "lower").returns("twice")
  folder = test.tmp()
  mpms.fs.write(folder .. "/x", "x")
  assert.equal("stubbed", ("x"):upper())
  error("and fails")
end)
it("finds it as it was", function()
  assert.is_true(mpms.time.now() > 1e9)
  assert.equal("X", ("x"):upper())
  assert.equal("x", ("X"):lower())
  assert.equal("file", mpms.http.get("https://of.file/").body)
  assert.has_error(function() mpms.http.get("https://of.test/") end, { code = "denied" })
  assert.is_false(mpms.fs.exists(folder))
  assert.equal(0, #test.requests() - 2)
  test.seed(7)
  assert.equal(kept, math.random(1, 1e9))
end)
describe("of a block", function()
  setup(function() test.http { ["GET https://of.block/"] = "block" } folder = test.tmp() end)
  it("stays in it", function() assert.equal("block", mpms.http.get("https://of.block/").body) end)
  it("for all of it", function()
    assert.equal("block", mpms.http.get("https://of.block/").body)
    assert.is_true(mpms.fs.exists(folder))
  end)
end)
it("and ends with it", function()
  assert.is_false(mpms.fs.exists(folder))
  assert.has_error(function() mpms.http.get("https://of.block/") end, { code = "denied" })
end)"#,
    );
    specs.test(&["-j1"]).exit(1).says("5 tests: 4 passed, 1 failed");
}

#[test]
fn a_test_draws_the_same_numbers_whatever_runs_before_it() {
    let specs = Specs::new().file(
        "a_spec.lua",
        "it('a', function() math.random() end) it('b', function() print('drawn', math.random(1 << 60)) end)",
    );
    let drawn = |arguments: &[&str]| {
        let said = specs.test(arguments);
        said.exit(0);
        said.out.lines().find(|line| line.contains("drawn")).expect("a number").to_owned()
    };
    let alone = drawn(&["-v", "--filter", "b"]);
    assert_eq!(alone, drawn(&["-v"]));
}

#[test]
fn the_seed_of_a_test_is_not_that_of_the_next_one() {
    let play = "local function play() return (test.worker('job.lua', {})) end";
    let specs = Specs::new().file("job.lua", "return function() return math.random(1 << 60) end").file(
        "a_spec.lua",
        &format!(
            "{play} local first
             it('a', function() first = play() test.seed(7) assert.not_equal(first, play()) end)
             it('b', function() assert.equal(first, play()) end)"
        ),
    );
    specs.test(&[]).exit(0).says("2 passed");
}

#[test]
fn commands_end_with_the_test_or_the_block_that_started_them() {
    let specs = Specs::new().file(
        "a_spec.lua",
        r#"local fs, of_test, of_block = mpms.fs
local function start() return mpms.proc.spawn { "sleep", "1000" }.pid end
local function lives(pid)
  local stat = try(fs.read, "/proc/" .. pid .. "/stat")
  return stat ~= nil and stat:match "%) (%a)" ~= "Z"
end
describe("block", function()
  setup(function() of_block = start() end)
  it("starts one", function() of_test = start() assert.is_true(lives(of_test)) assert.is_true(lives(of_block)) end)
  it("has its own", function() assert.is_false(lives(of_test)) assert.is_true(lives(of_block)) end)
end)
it("has none", function() assert.is_false(lives(of_block)) end)"#,
    );
    specs.test(&[]).exit(0).says("3 passed");
}

#[test]
fn a_hundred_files_run_beside_each_other() {
    let mut specs = Specs::new();
    for number in 0..100 {
        specs = specs.file(
            &format!("d{}/f{number}_spec.lua", number % 7),
            "it('a', function() x = 1 end) it('b', function() assert.equal(1, x) end)",
        );
    }
    specs.test(&["-q", "-j", "8"]).exit(0).says("200 tests: 200 passed");
}

/// A script, a module that it needs, and specs that run a part of them each.
fn half_tested() -> Specs {
    Specs::new()
        .file("mpms.toml", "")
        .file(
            "scripts/a.lua",
            r#"local lib = require "halves"
return {
  worker = function(n)
    if n > 1 then
      return lib.twice(n)
    end
    return 0
  end,
  failed = function()
    print "never"
    print "called"
  end,
}
"#,
        )
        .file(
            "lib/halves.lua",
            r#"local m = {}
function m.twice(n)
  local co = coroutine.wrap(function()
    sleep(0.001)
    return n * 2
  end)
  return co()
end
function m.loop()
  while true do end
end
function m.unused()
  return require "other"
end
return m
"#,
        )
        .file("lua_modules/share/lua/5.4/other.lua", "return 1\n")
        .file("scripts/never.lua", "local x = 1\nreturn { worker = function() return x end }\n")
        .file(
            "spec/a_spec.lua",
            r#"require "other"
it("twice", function() assert.equal(4, (test.worker("scripts/a.lua", { 2 }))) end)"#,
        )
        .file(
            "spec/b_spec.lua",
            r#"it("nothing", function() assert.equal(0, (test.worker("scripts/a.lua", { 1 }))) end)"#,
        )
}

#[test]
fn lines_that_ran_are_counted_over_all_specs_and_coroutines() {
    let specs = half_tested();
    let said = specs.test(&["--coverage"]);
    said.exit(0)
        .says("             lib/halves.lua     13/15   86.6%  not 10, 13\n")
        .says("             scripts/a.lua       8/10   80.0%  not 10-11\n")
        .says("             scripts/never.lua    0/2    0.0%  not 1-2\n")
        .says("    Coverage 77.7% of 27 lines in 3 files, written to coverage.lcov\n     Summary ")
        .says_not("spec/a_spec.lua  ")
        .says_not("other.lua");
    let lcov = fs::read_to_string(specs.path("coverage.lcov")).expect("the file");
    let of_script = "TN:\nSF:scripts/a.lua\nDA:1,2\nDA:2,2\nDA:4,2\nDA:5,1\nDA:7,1\nDA:8,2\nDA:10,0\nDA:11,0\nDA:12,2\n\
                     DA:13,2\nLF:10\nLH:8\nend_of_record\n";
    assert!(lcov.contains(of_script), "{lcov}");
    // of some tests only what they load, and where it is asked for
    specs
        .test(&["--coverage=out/some.lcov", "-f", "nothing", "--format", "json"])
        .exit(0)
        .says(
            r#"{"event":"file_covered","file":"scripts/a.lua","lines":10,"ran":7,"missed":[[5,5],[10,11]]}"#,
        )
        .says(r#"{"event":"lines_covered","lines":25,"ran":15,"written":"out/some.lcov"}"#)
        .says_not("never.lua");
    assert!(specs.path("out/some.lcov").exists());
    specs.test(&["--coverage", "--list"]).exit(2).says("cannot be used with");
    let specs = specs.file("scripts/bad.lua", "return )\n");
    specs
        .test(&["--coverage"])
        .exit(0)
        .says("scripts/bad.lua  not counted: line:1: unexpected")
        .says(" in 3 files");
}

#[test]
fn lines_are_counted_after_a_timeout_too() {
    let spec = r#"local lib = require "halves"
it("loops", function() lib.loop() end)
it("loops in a coroutine", function() coroutine.wrap(lib.loop)() end)
it("goes on", function() assert.equal(2, lib.twice(1)) end)
it("goes on in a new coroutine", function() coroutine.wrap(function() pcall(lib.unused) end)() end)"#;
    let specs = half_tested().file("spec/a_spec.lua", spec);
    specs
        .test(&["--coverage", "--timeout", "300ms", "-j1", "spec/a_spec.lua"])
        .exit(1)
        .says("4 tests: 2 passed, 2 failed")
        .says("             lib/halves.lua  15/15  100.0%\n");
    let lcov = fs::read_to_string(specs.path("coverage.lcov")).expect("the file");
    assert!(lcov.contains("DA:4,1\nDA:5,1\n") && lcov.contains("DA:13,1\n"), "{lcov}");
}

/// Tests that run again and again, as somebody sees them.
struct Watching {
    child: std::process::Child,
    shown: PathBuf,
}

impl Watching {
    fn start(specs: &Specs, arguments: &[&str]) -> Self {
        let shown = specs.0.path().join(".mpms/shown");
        fs::create_dir_all(specs.0.path().join(".mpms")).expect("a folder");
        let file = fs::File::create(&shown).expect("a file");
        let child = Command::new(env!("CARGO_BIN_EXE_mpms"))
            .args(["test", "--watch"])
            .args(arguments)
            .current_dir(specs.0.path())
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a file"))
            .stderr(file)
            .spawn()
            .expect("mpms can be started");
        Watching { child, shown }
    }

    /// What was said since the last change, when it waits for the next one; so many times it has run before.
    fn round(&self, before: usize) -> String {
        let text = || fs::read_to_string(&self.shown).expect("what is shown");
        wait_until(|| text().matches("Ctrl-C ends").count() > before);
        text().split("Ctrl-C ends").nth(before).expect("a round").to_owned()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn tests_run_again_when_a_file_changes() {
    let specs = half_tested();
    let mut watching = Watching::start(&specs, &[]);
    let first = watching.round(0);
    assert!(first.contains("2 tests: 2 passed"), "{first}");
    let lib = specs.path("lib/halves.lua");
    let text = fs::read_to_string(&lib).expect("the module");
    fs::write(&lib, text.replace("n * 2", "n * 3")).expect("a file");
    let second = watching.round(1);
    assert!(
        second.contains("Changed lib/halves.lua\n") && second.contains("2 tests: 1 passed, 1 failed"),
        "{second}"
    );
    // a spec that changes runs alone
    fs::write(specs.path("spec/b_spec.lua"), "it('is new', function() end)").expect("a file");
    let third = watching.round(2);
    assert!(third.contains("(1/1) is new") && third.contains(" 1 test: 1 passed"), "{third}");
    // a spec that is new, in a folder that is new, and a file that cannot be loaded
    let specs = specs.file("more/deep/c_spec.lua", "it('is c', function() require 'none' end) x =");
    let fourth = watching.round(3);
    assert!(fourth.contains("more/deep/c_spec.lua cannot be loaded"), "{fourth}");
    // what git does not know of is nothing to tests; what they read is
    let specs = specs.file(".mpms/other.lua", "").file("fixture.txt", "1");
    let fifth = watching.round(4);
    assert!(fifth.contains("Changed fixture.txt\n") && fifth.contains("1 file cannot be loaded"), "{fifth}");
    fs::remove_file(specs.path("more/deep/c_spec.lua")).expect("removed");
    let sixth = watching.round(5);
    assert!(
        sixth.contains("Changed more/deep/c_spec.lua\n") && sixth.contains("2 tests: 1 passed"),
        "{sixth}"
    );
    let id = watching.child.id().to_string();
    Command::new("kill").args(["-INT", &id]).status().expect("kill");
    let ended = watching.child.wait().expect("it ends");
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended), Some(2));
}

#[test]
fn tests_that_write_files_do_not_run_for_ever() {
    let spec = r#"it("writes", function()
  mpms.fs.write("out.txt", tostring(mpms.time.mono()))
  mpms.fs.write("made.lua", "return 1")
end)"#;
    let specs = Specs::new().file("a_spec.lua", spec);
    let watching = Watching::start(&specs, &["--coverage"]);
    // the first run makes a file of Lua, which is a change; the second makes it the same again
    let second = watching.round(1);
    assert!(second.contains("Changed made.lua\n"), "{second}");
    fs::write(specs.path("b_spec.lua"), "it('is b', function() end)").expect("a file");
    let third = watching.round(2);
    assert!(third.contains("Changed b_spec.lua\n") && third.contains("2 tests: 2 passed"), "{third}");
}

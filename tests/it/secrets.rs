//! What a job names or fetches as a secret is nowhere to be read, however it was said.

use std::fs;
use std::path::Path;

use crate::job::{Done, Job};

/// Of the environment of the shell, of a file, and fetched without being named.
const NAMED: &str = "tok-9f8e\"7d\\6c";
const OF_FILE: &str = "file+secret/55 aa";
const FETCHED: &str = "fetched-only-31337";

/// Says all three in every way that a script has.
const LEAK: &str = r#"
local log, secret = mpms.log, mpms.secret
local function both()
  local all = { }
  for _, name in ipairs { "NAMED", "OF_FILE", "FETCHED" } do all[#all + 1] = secret.get(name):reveal() end
  return table.concat(all, " and ")
end
local function codes()
  local text = mpms.json.encode({ x = both() }) .. mpms.url.encode(both())
  local b64 = io.popen("printf %s \"$NAMED\" | base64 -w0"):read("a")
  return text .. " basic " .. b64
end
local function say()
  local text = both()
  print("printed " .. text)
  io.write("written ", text, "\n")
  io.stderr:write("to stderr ", text, "\n")
  log.info("logged " .. text, { field = text, [text] = 1 })
  log.with({ fixed = text }):warn(codes())
  log.span("span of " .. text, function() end)
  mpms.metrics.counter("leaks", 1, { of = text:gsub("%W", "_") })
  log.info(tostring(secret.get "NAMED"), { opaque = secret.get "OF_FILE" })
end
return {
  tasks = function(put) say() for n = 1, 6 do put(n) end end,
  process_init = say, init = say, exit = say, process_exit = say, start = say,
  worker = function(n)
    say()
    os.execute("printf \"a child says %s %s %s\\n\" \"$NAMED\" \"$OF_FILE\" \"$FETCHED\"")
    task.progress(n, 10, "at " .. both())
    task.defer(function() error("deferred " .. both()) end)
    if n == 2 then error("raised " .. both()) end
    if n == 3 then task.fail("failed with " .. both()) end
    if n == 4 then task.skip("skipped " .. both()) end
    if n == 5 then error({ code = "own", message = both() .. codes() }) end
    if n == 6 then os.execute("printf 'dying with %s %s\\n' \"$NAMED\" \"$FETCHED\" >&2; kill -9 $PPID") end
    return { kept = both() }
  end,
  handler = function(meta, result) meta.last = #result.kept say() if meta.last then error("handler " .. both()) end end,
  failed = function(meta, err) log.error("failed got " .. err.message) error("failed " .. both()) end,
  finish = function() say() return "finished " .. both() end,
}
"#;

fn job(script: &str) -> Job {
    Job::new()
        .set("", "secrets = ['NAMED', 'OF_FILE']")
        .set("", "env_file = 'job.env'")
        .file("job.env", format!("# secrets\nOF_FILE='{OF_FILE}'\n"))
        .set("handler", "on_error = 'log'")
        .set("worker", "crash_limit = 1")
        .processes(1)
        .script(script)
        .arg("-v")
        .arg("--joblog job.log")
        .shell(&format!("export NAMED='{NAMED}' FETCHED={FETCHED}; MPMS"))
}

fn files(folder: &Path, all: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, all);
        } else if !path.ends_with("job.env") {
            all.push((path.display().to_string(), fs::read(&path).expect("a file")));
        }
    }
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Results are the user's own: where they may be is left out.
fn tells_nothing(done: &Done) {
    let mut all = Vec::new();
    files(done.dir.path(), &mut all);
    let json: Vec<String> =
        [NAMED, OF_FILE, FETCHED].map(|value| serde_json::json!(value).to_string()).into();
    for (path, bytes) in &all {
        for value in
            [NAMED, OF_FILE, FETCHED, "file%2Bsecret%2F55%20aa", "file%2Bsecret%2F55+aa", "dG9rLTlmOGUi"]
                .into_iter()
                .chain(json.iter().map(|quoted| quoted.trim_matches('"')))
        {
            assert!(!has(bytes, value), "{value} is in {path}:\n{}", String::from_utf8_lossy(bytes));
        }
    }
    assert!(all.iter().any(|(path, _)| path.contains(".mpms")), "nothing was kept");
}

#[test]
fn a_secret_that_is_said_in_every_way_is_nowhere() {
    let done = job(LEAK).run();
    done.exit(1);
    tells_nothing(&done);
    // everything was said, and is there without them
    for text in [
        "printed *** and *** and ***",
        "written *** and *** and ***",
        "logged *** and *** and ***",
        "a child says *** *** ***",
        "raised *** and *** and ***",
        "failed with *** and *** and ***",
        "dying with *** ***",
        "deferred *** and *** and ***",
        "handler *** and *** and ***",
        "finished *** and *** and ***",
        "opaque=***",
    ] {
        done.says(text);
    }
    let run = fs::read_dir(done.path(".mpms/runs")).expect("runs").flatten().next().expect("a run");
    let id = run.file_name().to_string_lossy().into_owned();
    for line in
        [format!("runs show {id}"), format!("runs logs {id}"), format!("runs show {id} --format json")]
    {
        let looked = done.look(&line);
        for value in [NAMED, OF_FILE, FETCHED] {
            assert!(
                !looked.stdout.contains(value) && !looked.stderr.contains(value),
                "{line}: {}",
                looked.stdout
            );
        }
    }
}

#[test]
fn events_for_programs_tell_nothing_either() {
    let done = job(LEAK).arg("--format=json").run();
    done.exit(1);
    tells_nothing(&done);
    assert!(done.stdout.contains("raised *** and *** and ***"));
}

#[test]
fn a_role_that_ends_the_run_tells_nothing() {
    let one = |role: &str| {
        let script = LEAK.replace(r#"return "finished " .. both()"#, r#"error("finished " .. both())"#);
        let script =
            match role {
                "finish" => script,
                role => format!("{script}\n").replace(
                    "return {\n  tasks",
                    "local boom = function() say() error('boom ' .. both()) end\nlocal roles = {\n  tasks",
                ) + &format!("roles.{role} = boom return roles"),
            };
        let done = job(&script).run();
        assert_ne!(done.status.code(), Some(0));
        tells_nothing(&done);
        done.says("*** and *** and ***");
    };
    ["finish", "start", "tasks", "init", "process_init"].into_iter().for_each(one);
}

#[test]
fn nothing_begins_without_its_secrets() {
    let done = Job::new()
        .range(1, 3)
        .set("", "secrets = ['NO_SUCH_A', 'PATH', 'NO_SUCH_B', 'TINY']")
        .set("", "env = { TINY = 'abc' }")
        .script("mpms.fs.write('ran', '') return { worker = function() end }")
        .run();
    done.exit(2).says("the secret `NO_SUCH_A` is not set").says("the secret `NO_SUCH_B` is not set");
    done.says("the secret `TINY` has 3 bytes: a secret of fewer than 4 cannot be hidden");
    done.says("job.toml:").never_says("`PATH`");
    assert!(!done.path("ran").exists() && !done.path(".mpms").exists());
}

#[test]
fn variables_of_the_manifest_go_before_its_files_and_those_before_the_shell() {
    let script = r#"return {
      worker = function()
        local env = mpms.env
        local child = io.popen("echo $A $B $C $D"):read("l")
        return { table.concat({ env.get "A", env.get "B", env.get "C", env.require "D" }, " "), child, os.getenv "C" }
      end,
      handler = function(meta, row)
        meta.said = row[1] .. "|" .. row[2] .. "|" .. row[3] .. "|" .. mpms.env.get "C" .. "|" .. mpms.env.all().B
      end,
      finish = function(meta) return meta.said end,
    }"#;
    let done = Job::new()
        .range(1, 1)
        .set("", "env_file = ['one.env', 'two.env']")
        .set("", "env = { C = 'manifest' }")
        .file("one.env", "A=one\nB=one\nC=one\n")
        .file("two.env", "B=two\nC=two\n")
        .script(script)
        .shell("A=shell B=shell C=shell D=shell MPMS")
        .run();
    done.exit(0).finished_with("one two manifest shell|one two manifest shell|manifest|manifest|two");
}

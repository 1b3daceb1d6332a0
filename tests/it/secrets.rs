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
  mpms.metrics.counter("leaks", 1, { of = text })
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
    let id = run_id(&done);
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

/// Of a secret no five letters may be seen.
fn tells_no_part(done: &Done, secret: &str) {
    let mut all = Vec::new();
    files(done.dir.path(), &mut all);
    all.push(("standard output".into(), done.stdout.clone().into_bytes()));
    all.push(("standard error".into(), done.stderr.clone().into_bytes()));
    for (path, bytes) in all {
        let part = (0..=secret.len() - 5).map(|at| &secret[at..at + 5]).find(|part| has(&bytes, part));
        assert_eq!(part, None, "in {path}:\n{}", String::from_utf8_lossy(&bytes));
    }
}

/// One line of 26 kB of secrets with as many more signs at its end as it is told.
const FLOOD: &str = r#"BEGIN {
  for (i = 0; i < 2000; i++) printf "%s_", ENVIRON["TOKEN"]
  for (n = ARGV[1]; n > 0; n--) printf "_"
  exit 3
}"#;

fn flood(script: &str) -> Job {
    let job = Job::new().range(1, 13).set("", "secrets = ['TOKEN']").file("flood.awk", FLOOD);
    let job = if script.is_empty() { job } else { job.script(script) };
    job.processes(1).threads(1).shell(&format!("export TOKEN={TOKEN}; MPMS"))
}

const TOKEN: &str = "Zq7wXp4vJm9k";

#[test]
fn a_line_that_is_too_long_is_not_cut_within_a_secret() {
    // longer than what is read at once; then the same as last words
    let script = r#"return { worker = function(n)
      os.execute("awk -f flood.awk " .. n)
      if n > 6 then os.execute("kill -9 $PPID") end
      os.execute("echo")
    end }"#;
    for arg in ["-v", "--format=json"] {
        let done = flood(script).set("worker", "crash_limit = 1").arg(arg).run();
        done.exit(1);
        assert!(format!("{}{}", done.stdout, done.stderr).contains("***_***_***"), "{}", done.stderr);
        tells_no_part(&done, TOKEN);
    }
}

#[test]
fn a_command_that_fails_with_a_long_line_tells_no_part_of_a_secret() {
    let done = flood("").set("worker", "command = ['sh', '-c', 'awk -f flood.awk $0 >&2', '{}']").run();
    done.exit(1).says("***_***_***");
    tells_no_part(&done, TOKEN);
    let looked = done.look(&format!("runs show {} --format json", run_id(&done)));
    assert!(looked.stdout.contains("***_***") && !looked.stdout.contains("Xp4"), "{}", looked.stdout);
}

fn run_id(done: &Done) -> String {
    let run = fs::read_dir(done.path(".mpms/runs")).expect("runs").flatten().next().expect("a run");
    run.file_name().to_string_lossy().into_owned()
}

#[test]
fn what_one_worker_fetched_is_hidden_from_the_journal_of_another() {
    // both run at the same time; only the first says that it is a secret
    let script = r#"local fs = mpms.fs
      local function wait_for(name) repeat sleep(0.005) until fs.exists(name) end
      return { worker = function(n)
        fs.write("running" .. n, "")
        wait_for("running" .. 3 - n)
        if n == 1 then mpms.secret.get "FETCHED" fs.write("known", "") return end
        wait_for "known"
        error("raised " .. mpms.env.get "FETCHED")
      end }"#;
    let job = Job::new().range(1, 2).processes(2).threads(1).script(script);
    let done = job.shell(&format!("export FETCHED={FETCHED}; MPMS")).run();
    done.exit(1).says("raised ***").never_says(FETCHED);
    let looked = done.look(&format!("runs show {} --format json", run_id(&done)));
    assert!(looked.stdout.contains("raised ***") && !looked.stdout.contains(FETCHED), "{}", looked.stdout);
}

#[test]
fn what_a_worker_fetches_is_hidden_from_what_its_commands_say_at_once() {
    // the command goes on, so that its words are heard before anything else of the task
    let script = r#"return { worker = function()
      mpms.secret.get "FETCHED"
      os.execute "echo said $FETCHED; sleep 0.3"
    end }"#;
    let job = Job::new().range(1, 1).script(script).arg("-v");
    let done = job.shell(&format!("export FETCHED={FETCHED}; MPMS")).run();
    done.exit(0).says("said ***").never_says(FETCHED);
}

#[test]
fn workers_know_what_is_named_and_cut_long_texts_behind_it() {
    // texts are cut to 64 KiB, here within the value
    let script = r#"return { worker = function(n)
      local text = ("x"):rep(65536 - 8) .. os.getenv "TOKEN" .. ("y"):rep(100)
      if n == 1 then mpms.log.info(text) mpms.log.info("field", { field = text }) end
      if n == 2 then task.progress(1, 2, text) end
      if n == 3 then error(text, 0) end
      if n == 4 then task.skip(text) end
    end }"#;
    let job = Job::new().range(1, 4).set("", "secrets = ['TOKEN']").script(script).arg("--format=json");
    let done = job.shell(&format!("export TOKEN={TOKEN}; MPMS")).run();
    done.exit(1);
    // the line, its field, the progress and the error
    assert_eq!(done.stdout.matches("x***yyyyy… (65631 bytes)").count(), 4, "{}", done.stderr);
    tells_no_part(&done, TOKEN);
}

#[test]
fn what_a_script_by_hand_logs_and_raises_is_hidden() {
    let code = r#"local text = mpms.secret.get "TOKEN":reveal()
      mpms.log.info("logged " .. text, { field = text })
      error("raised " .. text)"#;
    let said = std::process::Command::new(env!("CARGO_BIN_EXE_mpms"))
        .args(["lua", "-e", code])
        .env("TOKEN", TOKEN)
        .output()
        .expect("mpms can be started");
    let text = String::from_utf8_lossy(&said.stderr);
    assert!(!text.contains(TOKEN) && said.status.code() == Some(1), "{text}");
    for part in ["logged ***", "field=***", "raised ***"] {
        assert!(text.contains(part), "{text}");
    }
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
        local run = mpms.proc.run({ "sh", "-c", "echo $A $B $C $D" }).stdout
        assert(run == child .. "\n", run)
        return { table.concat({ env.get "A", env.get "B", env.get "C", env.require "D" }, " "), child, os.getenv "C" }
      end,
      handler = function(meta, row)
        meta.said = row[1] .. "|" .. row[2] .. "|" .. row[3] .. "|" .. mpms.env.get "C" .. "|" .. mpms.env.all().B
        meta.said = meta.said .. "|" .. mpms.proc.run({ "sh", "-c", "printf %s $A$B$C" }).stdout
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
    done.exit(0)
        .finished_with("one two manifest shell|one two manifest shell|manifest|manifest|two|onetwomanifest");
}

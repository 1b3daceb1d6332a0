//! Where rows and words go, and what happens when they cannot.

use crate::job::Job;

fn rows() -> Job {
    Job::new()
        .range(1, 20_000)
        .processes(1)
        .script("return { worker = function(n) return { n = n, text = 'some text' } end }")
}

#[test]
fn a_reader_that_leaves_does_not_end_the_run_but_is_told_by_the_exit_code() {
    let done = rows().shell("{ MPMS; echo $? >code; } | head -n 1").run();
    assert_eq!(done.stdout.lines().count(), 1);
    assert_eq!(done.lines("code"), ["4"]);
    done.says("20,000 ok");
}

#[test]
fn a_full_standard_output_stops_the_run() {
    let done = rows().shell("MPMS >/dev/full").run();
    done.exit(4).says("No space left on device");
}

#[test]
fn closed_and_full_standard_errors_harm_nobody() {
    for line in ["MPMS 2>&-", "MPMS 2>/dev/full", "MPMS 2>&- <&-", "MPMS -v 2>/dev/full"] {
        let done = rows().shell(line).run();
        done.exit(0);
        assert_eq!(done.stdout.lines().count(), 20_000, "{line}");
    }
}

#[test]
fn a_closed_standard_output_is_not_the_next_file_that_is_opened() {
    let done = rows().arg("-o rows.jsonl").shell("MPMS >&-").run();
    done.exit(0);
    assert_eq!(done.lines("rows.jsonl").len(), 20_000);
}

#[test]
fn an_output_that_cannot_be_written_is_told_before_anything_runs() {
    let script = r#"return { worker = function() io.open("ran", "w"):close() end }"#;
    let job = || Job::new().range(1, 3).processes(1).script(script);
    job().file("out.jsonl", "precious\n").arg("-o").arg("out.jsonl").run().exit(2).says("out.jsonl");
    let done = job().arg("-o").arg("no/such/folder/out.jsonl").run();
    done.exit(2).says("no/such/folder");
    let done = job().arg("-o").arg("/proc/rows.jsonl").run();
    done.exit(4).says("cannot open the output /proc/rows.jsonl").says("(os error");
    assert!(!done.dir.path().join("ran").exists());
    let done = job().file("out.jsonl", "old\n").arg("-o").arg("out.jsonl").arg("-O").run();
    done.exit(0);
}

#[test]
fn a_flood_of_prints_loses_no_task_and_takes_no_memory() {
    let script = r#"return {
      worker = function(n) for i = 1, 5000 do print(("line %d of task %d"):format(i, n)) end return n end,
      handler = function(meta, n) meta.sum = meta.sum + n end,
      finish = function(meta) return tostring(meta.sum) end }"#;
    for verbose in ["", "-v"] {
        let job = Job::new().range(1, 40).processes(2).threads(2).meta("sum = 0").script(script);
        let done = job.shell(&format!("MPMS {verbose}")).run();
        done.exit(0).finished_with("820");
        assert!(done.peak_memory() < 100 << 20, "{} bytes", done.peak_memory());
    }
}

#[test]
fn a_flood_of_prints_to_a_reader_that_sleeps_takes_no_memory() {
    let script = r#"return {
      worker = function(n) for i = 1, 5000 do print(("line %d of task %d %s"):format(i, n, ("x"):rep(200))) end return n end,
      handler = function(meta, n) meta.sum = meta.sum + n end,
      finish = function(meta) io.open("peak", "w"):write(io.open("/proc/self/status"):read("a"):match("VmHWM:%s*(%d+)"), "\n"):close() end }"#;
    let job = Job::new().range(1, 100).processes(2).threads(2).meta("sum = 0").script(script);
    let done = job.shell("{ MPMS -v; echo $? >code; } 2>&1 | { sleep 4; cat >said; }").run();
    assert_eq!(done.lines("code"), ["0"]);
    let peak: u64 = done.lines("peak")[0].parse().expect("KiB");
    assert!(peak < 120 << 10, "{peak} KiB");
}

#[test]
fn what_commands_of_a_worker_print_is_shown_to_its_last_byte() {
    let script = r#"return { worker = function(n) os.execute("echo from task " .. n .. "; printf 'no newline'") end }"#;
    let done = Job::new().range(1, 1).processes(1).script(script).arg("-v").run();
    done.exit(0).says("from task 1").says("no newline");
}

#[test]
fn results_come_in_the_order_of_the_tasks_when_asked() {
    let script = "return { worker = function(n) sleep((n * 7919 % 11) / 1000) return n end }";
    let done = Job::new().range(1, 300).processes(2).threads(4).script(script).arg("-k").run();
    done.exit(0);
    let numbers: Vec<usize> = done.stdout.lines().map(|line| line.parse().expect("a number")).collect();
    assert_eq!(numbers, (1..=300).collect::<Vec<_>>());
}

#[test]
fn rows_go_into_a_table_of_a_database() {
    let script = "return { worker = function(n) return { n = n, name = 'n' .. n } end }";
    let job = || Job::new().range(1, 1000).processes(2).script(script);
    let done = job().arg("-o rows.sqlite").shell("MPMS").run();
    done.exit(0);
    let rows = |done: &crate::job::Done| -> [i64; 3] {
        let database = rusqlite::Connection::open(done.dir.path().join("rows.sqlite")).expect("a database");
        let sums = "SELECT count(*), sum(n), count(DISTINCT name) FROM results";
        database.query_row(sums, (), |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?])).expect("sums")
    };
    assert_eq!(rows(&done), [1000, 500_500, 1000]);
    job().arg("-o rows.db").shell("MPMS && MPMS").run().exit(2).says("rows.db` exists");
    let done = job().set("output", "path = \"-\"").set("output", "format = \"sqlite\"").run();
    done.exit(2).says("a SQLite database cannot go to standard output");
    let done =
        job().file("rows.sqlite", "no database at all, ".repeat(500)).set("output", "mode = \"append\"");
    done.arg("-o rows.sqlite")
        .shell("MPMS")
        .run()
        .exit(4)
        .says("is not a SQLite database")
        .says("-O overwrites");
}

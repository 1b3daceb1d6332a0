//! How a task says that its attempt shall end, and what it leaves to be done then.

use mpms::model::{Failure, Value, Verdict};
use mpms::wire::to_worker::Bounds;

use crate::bench::{Bench, MS, timeout};

pub const ALL: &[crate::Case] = &[
    ("each_verb_ends_the_attempt_in_its_way", each_verb),
    ("a_verb_that_was_caught_counts_only_when_it_is_raised_again", a_caught_verb),
    ("deferred_functions_run_last_first_after_any_end", deferred_functions),
    ("a_loop_in_a_deferred_function_ends_too", a_deferred_loop),
    ("a_task_knows_its_deadline_and_when_it_is_over", a_task_knows),
    ("a_task_can_give_its_process_up", a_task_gives_up),
    ("verbs_outside_of_a_task_and_unknown_ones_are_refused", verbs_outside),
];

const VERBS: &str = r#"
local kinds = {
  retry = function() task.retry{ after = "1.5s", reason = "later" } end,
  retry_bare = function() task.retry() end,
  fail = function() task.fail("no use") end,
  fail_retry = function() task.fail("once more", { retry = true }) end,
  skip = function() task.skip("nothing new") end,
  skip_in_coroutine = function() coroutine.wrap(function() task.skip("inside") end)() end,
  abort = function() task.abort("all is lost") end,
  unknown_option = function() task.retry{ afer = 1 } end,
  unknown = function() return task.retri end,
  far = function() return task.something_else end,
  max = function() return task.max_attempts end,
  caught = function() local ok, e = pcall(task.skip, "x") return ok, e.code end,
  again = function() local ok, e = pcall(task.retry, { after = 2 }) error(e) end,
  other = function() pcall(task.skip, "x") error("plain", 0) end,
  forged = function() error({ code = "skipped", message = "not really" }) end,
}
return { worker = function(kind) return kinds[kind]() end }
"#;

fn each_verb() {
    let bounds = Bounds { max_attempts: 4, ..Bounds::default() };
    let mut bench = Bench::start(VERBS, 1, bounds);
    let plain = |failure: Failure| Failure { traceback: None, ..failure };
    let of = |code: &str, message: &str, retryable| Failure {
        retryable: Some(retryable),
        ..Failure::new(code, message)
    };
    let retry = Failure { asked: true, after_ns: Some(1500 * MS), ..of("retry", "later", true) };
    assert_eq!(plain(bench.failure("retry")), retry);
    assert_eq!(
        plain(bench.failure("retry_bare")),
        Failure { asked: true, ..of("retry", "task.retry", true) }
    );
    assert_eq!(plain(bench.failure("fail")), of("failed", "no use", false));
    assert_eq!(plain(bench.failure("fail_retry")), of("failed", "once more", true));
    let abort = Failure { abort: true, ..of("aborted", "all is lost", false) };
    assert_eq!(plain(bench.failure("abort")), abort);
    for (kind, reason) in [("skip", "nothing new"), ("skip_in_coroutine", "inside")] {
        assert_eq!(bench.run(&[Value::text(kind)]), Verdict::Skipped(reason.into()));
    }
    assert_eq!(bench.values("max"), [Value::Int(4)]);
}

fn a_caught_verb() {
    let mut bench = Bench::start(VERBS, 1, Bounds::default());
    assert_eq!(bench.values("caught"), [Value::Bool(false), Value::text("skipped")]);
    let again = bench.failure("again");
    assert!(again.asked && again.after_ns == Some(2000 * MS), "{again:?}");
    let other = bench.failure("other");
    assert_eq!((other.code.as_str(), other.message.as_str(), other.asked), ("lua_error", "plain", false));
    assert_eq!(bench.failure("forged").code, "skipped", "a failure, as any code of the script's own");
}

fn deferred_functions() {
    let code = r#"
      local log = {}
      return { worker = function(kind)
        if kind == "log" then
          local text = table.concat(log, " ")
          log = {}
          return text
        end
        task.defer(function() log[#log + 1] = "first" end)
        task.defer(function() log[#log + 1] = "raises" error("oh", 0) end)
        task.defer(function() log[#log + 1] = task.id and "last" task.defer(function() log[#log + 1] = "later" end) end)
        if kind == "error" then error("x") end
        if kind == "timeout" then while true do pcall(error) end end
        if kind == "skip" then task.skip("x") end
      end }"#;
    let mut bench = Bench::start(code, 1, timeout(50 * MS));
    for kind in ["return", "error", "timeout", "skip"] {
        let verdict = bench.run(&[Value::text(kind)]);
        match kind {
            "return" => assert!(matches!(verdict, Verdict::Done(_)), "{verdict:?}"),
            "skip" => assert_eq!(verdict, Verdict::Skipped("x".into())),
            _ => assert!(matches!(verdict, Verdict::Failed(_)), "{verdict:?}"),
        }
        assert_eq!(bench.values("log"), [Value::text("last raises first later")], "{kind}");
        bench.hear_until(|bench| !bench.lines.is_empty());
        let line = bench.lines.remove(0);
        assert_eq!(line.text, "a deferred function raised: oh");
        assert!(line.task.is_some());
    }
}

fn a_deferred_loop() {
    let code = r#"
      return { worker = function(kind)
        if kind == "fine" then return 1 end
        task.defer(function() while true do pcall(error) end end)
      end }"#;
    let mut bench = Bench::start(code, 1, Bounds { grace_ns: 100 * MS, ..Bounds::default() });
    assert!(matches!(bench.run(&[Value::text("defer")]), Verdict::Done(_)));
    bench.hear_until(|bench| !bench.lines.is_empty());
    assert_eq!(bench.lines[0].text, "what the task deferred was not finished: timeout after 50ms");
    assert_eq!(bench.values("fine"), [Value::Int(1)]);
}

fn a_task_knows() {
    let code = r#"
      return { worker = function()
        local left = task.deadline - mpms.time.now()
        local before = task.cancelled()
        pcall(function() while true do end end)
      end, init = function()
        assert(task.cancelled() == false)
      end }"#;
    let mut bench = Bench::start(code, 1, timeout(20 * MS));
    assert_eq!(bench.failure("any").code, "timeout");
    let code = "return { worker = function() return task.deadline - mpms.time.now(), task.cancelled() end }";
    let mut bench = Bench::start(code, 1, timeout(60_000 * MS));
    let values = bench.values("any");
    assert!(matches!(values[0], Value::Float(left) if (59.0..60.1).contains(&left)), "{values:?}");
    assert_eq!(values[1], Value::Bool(false));
    let mut bench =
        Bench::start("return { worker = function() return task.deadline end }", 1, Bounds::default());
    assert_eq!(bench.values("any"), [Value::Nil]);
    let code =
        "return { worker = function() while not task.cancelled() do sleep(0.001) end return 'seen' end }";
    let mut bench = Bench::start(code, 1, Bounds::default());
    bench.send(&[vec![]]);
    bench.hear_until_running();
    bench.stop();
    assert!(matches!(bench.outcome().expect("an outcome").verdict, Verdict::Done(_)));
}

fn a_task_gives_up() {
    let code = "return { worker = function() task.die('the device is gone') return 'finished' end }";
    let mut bench = Bench::start(code, 1, Bounds::default());
    assert_eq!(bench.values("any"), [Value::text("finished")]);
    bench.hear_until(|bench| !bench.retired.is_empty());
    assert_eq!(bench.retired, ["the device is gone"]);
}

fn verbs_outside() {
    let mut bench = Bench::start(VERBS, 1, Bounds::default());
    assert_eq!(bench.failure("unknown_option").code, "invalid");
    let unknown = bench.failure("unknown");
    assert!(
        unknown.message.ends_with("`task` has no field `retri`; did you mean `retry`?"),
        "{}",
        unknown.message
    );
    let far = bench.failure("far");
    assert!(far.message.contains("it has id, key, args"), "{}", far.message);
    let code = "return { worker = print, init = function() task.skip('x') end }";
    let mut bench = Bench::start(code, 1, Bounds::default());
    bench.end();
    let broken = bench.broken.expect("it said why");
    assert!(broken.message.contains("task.skip: no task is running here"), "{}", broken.message);
}

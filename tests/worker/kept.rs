//! What a task leaves with the coordinator: its state, its folder, keys that it cancels.

use mpms::model::task::{MOST_STATE, TaskOptions, key_hash};
use mpms::model::{TaskId, Value, Verdict};
use mpms::wire::to_worker::Bounds;
use mpms::wire::value;

use crate::bench::{Bench, MS, dirs};

pub const ALL: &[crate::Case] = &[
    ("a_state_is_sent_and_read_back_as_a_copy", a_state),
    ("a_state_of_an_earlier_attempt_comes_with_the_task", an_earlier_state),
    ("states_that_cannot_be_kept_are_refused_by_name", refused_states),
    ("of_many_states_the_newest_arrives_before_the_outcome", many_states),
    ("each_task_has_a_folder_of_its_own", folders),
    ("keys_are_cancelled_when_the_attempt_succeeds", cancels),
    ("the_module_is_the_global_and_is_for_workers", the_module),
];

fn one(bytes: &[u8]) -> Value {
    let at = &mut 0;
    let value = value::decode(bytes, at).expect("one value");
    assert_eq!(*at, bytes.len());
    value
}

fn a_state() {
    let code = r#"
      return { worker = function(kind)
        assert(task.state == nil, "another task's")
        if kind == "nothing" then return end
        if kind == "value" then task.save("x\0y") return end
        local t = { page = 3, seen = { "a", "b" }, big = 1 << 62, nan = 0/0 }
        task.save(t)
        t.page = 4
        local a, b = task.state, task.state
        assert(a ~= b and a.page == 3 and a.seen[2] == "b" and a.big == 1 << 62 and a.nan ~= a.nan)
        a.page = 5
        assert(task.state.page == 3)
        if kind == "nil" then task.save(nil) assert(task.state == nil) end
        if kind == "none" then task.save() assert(task.state == nil) end
        if kind == "false" then task.save(false) assert(task.state == false) end
        if kind == "deferred" then task.defer(function() task.save("last") end) end
        if kind == "raises" then error("x") end
        return true
      end }"#;
    let mut bench = Bench::start(code, 1, Bounds::default());
    let mut handle = 0;
    for (kind, last) in [
        ("value", Some(Value::Bytes(b"x\0y".to_vec()))),
        ("nil", None),
        ("none", None),
        ("false", Some(Value::Bool(false))),
        ("deferred", Some(Value::text("last"))),
    ] {
        bench.states.clear();
        assert!(matches!(bench.run(&[Value::text(kind)]), Verdict::Done(_)), "{kind}");
        let (task, state) = bench.states.last().expect("it saved");
        assert!(task.bits() > handle, "{kind}");
        handle = task.bits();
        assert_eq!(state.as_deref().map(one), last, "{kind}");
    }
    bench.states.clear();
    bench.run(&[Value::text("nothing")]);
    assert_eq!(bench.states.len(), 0);
    bench.failure("raises");
    let (_, state) = bench.states.last().expect("what it saved before it raised");
    let Some(Value::Map(fields)) = state.as_deref().map(one) else { panic!("{state:?}") };
    assert!(fields.contains(&(Value::text("page"), Value::Int(3))), "{fields:?}");
}

fn an_earlier_state() {
    let code = r#"return { worker = function()
        local before = task.state and task.state.n
        if before then task.save({ n = before + 1 }) end
        return before, task.state and task.state.n
      end }"#;
    let mut bench = Bench::start(code, 1, Bounds::default());
    let mut bytes = Vec::new();
    value::encode(&mut bytes, &Value::Map(vec![(Value::text("n"), Value::Int(7))]));
    for (state, found) in
        [(Some(&bytes[..]), [Value::Int(7), Value::Int(8)]), (None, [Value::Nil, Value::Nil])]
    {
        bench.send_with(&[], TaskId::at(5), state);
        let Verdict::Done(done) = bench.outcome().expect("an outcome").verdict else { panic!("not done") };
        assert_eq!(value::decode_list(&done.values).expect("a list"), found);
    }
}

fn refused_states() {
    let code = r#"
      return { init = function()
        local ok, e = pcall(task.save, 1)
        assert(not ok and tostring(e):find("task.save: no task is running here", 1, true), e)
        local ok, e = pcall(function() return task.state end)
        assert(not ok and tostring(e):find("task.state: no task is running here", 1, true), e)
        local ok, e = pcall(function() return task.dir end)
        assert(not ok and tostring(e):find("task.dir: no task is running here", 1, true), e)
        local ok, e = pcall(task.cancel, "k")
        assert(not ok and tostring(e):find("task.cancel: no task is running here", 1, true), e)
      end,
      worker = function(kind)
        task.save("kept")
        local state = { f = { print } }
        if kind == "large" then state = ("x"):rep((1 << 20)) end
        local ok, e = pcall(task.save, state)
        assert(not ok and task.state == "kept")
        return e.code, tostring(e)
      end }"#;
    let mut bench = Bench::start(code, 1, Bounds::default());
    let said = |values: Vec<Value>| match &values[..] {
        [code, Value::Bytes(text)] if *code == Value::text("value") => {
            String::from_utf8_lossy(text).into_owned()
        }
        other => panic!("{other:?}"),
    };
    let text = said(bench.values("function"));
    assert!(text.starts_with("task.save: state.f[1]"), "{text}");
    let text = said(bench.values("large"));
    let most = format!("task.save: the state takes {} bytes and may take 1 MiB", MOST_STATE + 4);
    assert!(text.starts_with(&most) && text.contains("task.dir"), "{text}");
    let code = format!("return {{ worker = function() task.save(('x'):rep({})) end }}", MOST_STATE - 4);
    let mut bench = Bench::start(&code, 1, Bounds::default());
    assert!(matches!(bench.run(&[]), Verdict::Done(_)), "all of a MiB is allowed");
    assert_eq!(bench.states[0].1.as_ref().map(Vec::len), Some(MOST_STATE));
}

fn many_states() {
    let code = r#"return { worker = function(count, tail)
        for n = 1, count do task.save(n) end
        if tail then sleep(tail) end
        return count
      end }"#;
    let mut bench = Bench::start(code, 1, Bounds::default());
    bench.run(&[Value::Int(100_000)]);
    let last = bench.states.last().and_then(|(_, state)| state.as_deref().map(one));
    assert_eq!(last, Some(Value::Int(100_000)), "before the outcome");
    assert!(bench.states.len() < 10_000, "{} were sent", bench.states.len());
    assert_eq!(bench.states[0].1.as_deref().map(one), Some(Value::Int(1)), "the first leaves at once");
    // also while the task goes on
    bench.states.clear();
    bench.send(&[vec![Value::Int(1_000), Value::Int(30)]]);
    let newest = |bench: &Bench| bench.states.last().and_then(|(_, state)| state.as_deref().map(one));
    bench.hear_until(|bench| newest(bench) == Some(Value::Int(1_000)));
    assert_eq!(bench.running().len(), 1);
}

fn folders() {
    let code = r#"return { worker = function(kind)
        local dir = task.dir
        assert(dir == task.dir and mpms.fs.is_dir(dir))
        local before = mpms.fs.exists(dir .. "/file") and mpms.fs.read(dir .. "/file")
        mpms.fs.write(dir .. "/file", kind)
        return dir, before or nil
      end }"#;
    let mut bench = Bench::start(code, 1, Bounds::default());
    let put = TaskId::child(TaskId::at(1), mpms::model::task::PutBy::Worker, 0);
    let mut run = |id: TaskId| {
        let handle = bench.send_with(&[Value::text("k")], id, None);
        let Verdict::Done(done) = bench.outcome().expect("an outcome").verdict else { panic!("not done") };
        bench.hear_until(|bench| bench.housed.last().is_some_and(|task| task.bits() == handle));
        assert_eq!(bench.housed.len() as u64, handle, "told once an attempt");
        value::decode_list(&done.values).expect("a list")
    };
    let path = |id: TaskId| Value::text(dirs().join(id.folder()).to_str().expect("text"));
    let _ = std::fs::remove_dir_all(dirs());
    let ids = [TaskId::at(1), TaskId::at(2), put];
    for id in ids {
        assert_eq!(run(id), [path(id), Value::Nil]);
    }
    for id in ids {
        assert_eq!(run(id), [path(id), Value::text("k")], "it stays between attempts");
    }
    std::fs::remove_dir_all(dirs()).expect("there");
    std::fs::write(dirs(), "in the way").expect("written");
    let raised = bench.failure("k");
    std::fs::remove_file(dirs()).expect("there");
    let says = raised.message.starts_with("task.dir ") && raised.message.contains(&*dirs().to_string_lossy());
    assert!(says && raised.code != "lua_error", "{raised:?}");
}

fn cancels() {
    let code = r#"return { worker = function(kind)
        task.put_with({ key = 5 }, 1)
        task.cancel("a") task.cancel(5) task.cancel(0.5) task.cancel(true)
        local ok, e = pcall(task.cancel, {})
        assert(not ok and e.code == "invalid" and tostring(e):find("task.cancel: key must be a string", 1, true), e)
        local ok, e = pcall(task.cancel)
        assert(not ok and e.code == "invalid", e)
        if kind == "raises" then error("x") end
      end }"#;
    let mut bench = Bench::start(code, 1, Bounds::default());
    bench.failure("raises");
    let Verdict::Done(done) = bench.run(&[Value::text("ends")]) else { panic!("not done") };
    let effects = done.effects.expect("effects");
    let Some(TaskOptions { key: Some(of_put), .. }) = effects.puts[0].options.as_deref() else {
        panic!("no key")
    };
    let generated = |value: &Value| {
        let mut key = vec![0xff];
        value::encode(&mut key, value);
        key_hash(&key)
    };
    let has = |hash: u128| effects.cancels.contains(&hash);
    assert_eq!(
        (effects.puts.len(), effects.cancels.len()),
        (1, 7),
        "a number is a key of puts and one of sources"
    );
    assert!(has(key_hash(b"a")) && has(key_hash(of_put)));
    assert!([Value::Int(5), Value::Float(0.5), Value::Bool(true)].iter().all(|value| has(generated(value))));
}

fn the_module() {
    let code = r#"
      local same = require "mpms.task"
      return { init = function() assert(same == task and mpms.task == task) end,
      worker = function(kind)
        if kind == "stage" then return task.stage end
        if kind == "set" then task.state = 1 end
        if kind == "name" then return same.sav end
        return same.id, same.attempt
      end }"#;
    let mut bench = Bench::start(code, 1, crate::bench::timeout(10_000 * MS));
    assert_eq!(bench.values("id"), [Value::text("1"), Value::Int(1)]);
    assert_eq!(bench.values("stage"), [Value::text("worker")]);
    assert!(bench.failure("set").message.contains("task.state cannot be set"));
    assert!(bench.failure("name").message.contains("no field `sav`; did you mean `save`?"));
}

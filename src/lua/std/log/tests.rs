use std::cell::RefCell;
use std::rc::Rc;

use mlua::Lua;

use super::{Level, Sink, Sinks};
use crate::lua::std::testing::{fails, run};
use crate::lua::std::{StdEnv, install};

type Lines = Rc<RefCell<Vec<(Level, String, String)>>>;

fn state() -> (Lua, Lines) {
    let lines = Lines::default();
    let sink = Rc::clone(&lines);
    let lua = Lua::new();
    let log: Sink = Rc::new(move |level, message, fields| {
        let fields: Vec<String> = fields.iter().map(|(name, text)| format!("{name}={text}")).collect();
        sink.borrow_mut().push((level, message.to_owned(), fields.join(" ")));
    });
    let log = Sinks { here: log, ..Sinks::none() };
    install(&lua, &StdEnv { log, ..StdEnv::quiet("worker") }).expect("installs");
    (lua, lines)
}

fn line(level: Level, text: &str, fields: &str) -> (Level, String, String) {
    (level, text.to_owned(), fields.to_owned())
}

#[test]
fn lines_reach_the_sink_with_their_fields() {
    let (lua, lines) = state();
    run::<()>(
        &lua,
        "mpms.log.warn('slow', { url = 'u', n = 3, f = 0.5, ok = true, null = mpms.null }) mpms.log.error(5)",
    );
    assert_eq!(
        *lines.borrow(),
        [line(Level::Warn, "slow", "f=0.5 n=3 null=null ok=true url=u"), line(Level::Error, "5", "")]
    );
    assert_eq!(fails(&lua, "mpms.log.info('x', { 1 })").code, "invalid");
    assert_eq!(fails(&lua, "mpms.log.info('x', 'y')").code, "invalid");
}

#[test]
fn a_logger_gives_its_fields_to_every_line() {
    let (lua, lines) = state();
    run::<()>(
        &lua,
        "local l = mpms.log.with { host = 'a', n = 1 } l:info 'one' l:debug('two', { n = 2, z = 3 }) \
         l:with({ n = 5, deep = true }):error 'three' l:warn('four')",
    );
    assert_eq!(
        *lines.borrow(),
        [
            line(Level::Info, "one", "host=a n=1"),
            line(Level::Debug, "two", "host=a n=2 z=3"),
            line(Level::Error, "three", "deep=true host=a n=5"),
            line(Level::Warn, "four", "host=a n=1"),
        ]
    );
    let e = fails(&lua, "mpms.log.with { 5 }");
    assert_eq!(e.message, "log.with: argument 1 (fields) must have names as keys, got a integer");
    assert!(fails(&lua, "mpms.log.with({}).info('x')").message.contains("with a colon"));
    assert!(
        fails(&lua, "mpms.log.with()").message.starts_with("log.with: argument 1 (fields) must be a table")
    );
    assert!(fails(&lua, "mpms.log.with({}):inform 'x'").message.contains("did you mean `info`?"));
}

#[test]
fn a_span_logs_its_end_and_gives_results_and_errors_on() {
    let (lua, lines) = state();
    let seen: (i64, i64, bool) = run(
        &lua,
        "local a, b = mpms.log.span('load', function(x) sleep(0.03) return x, 2 end, 1) \
         local raised = setmetatable({}, { __tostring = function() return 'no luck' end }) \
         local l = mpms.log.with { host = 'a' } \
         local ok, e = pcall(l.span, l, 'save', function() sleep('2ms') error(raised) end) \
         return a, b, not ok and e == raised",
    );
    assert_eq!(seen, (1, 2, true));
    let said = lines.borrow().clone();
    assert_eq!(
        (&said[0], &said[2]),
        (&line(Level::Debug, "load begins", ""), &line(Level::Debug, "save begins", "host=a"))
    );
    assert_eq!((said[1].0, said[1].1.as_str()), (Level::Info, "load ended"));
    let elapsed = said[1].2.strip_prefix("elapsed=").and_then(|text| text.strip_suffix("ms"));
    assert!(elapsed.is_some_and(|ms| ms.parse::<u32>().is_ok_and(|ms| ms >= 30)), "{}", said[1].2);
    assert_eq!((said[3].0, said[3].1.as_str()), (Level::Warn, "save failed"));
    assert!(said[3].2.ends_with("ms error=no luck host=a"), "{}", said[3].2);
    lines.borrow_mut().clear();
    let e = fails(&lua, "mpms.log.span('x', 5)");
    assert_eq!(e.message, "log.span: argument 2 (f) must be a function, got integer");
    assert_eq!(
        fails(&lua, "mpms.log.span(nil, print)").message,
        "log.span: argument 1 (name) must be a string, got nil"
    );
    assert!(lines.borrow().is_empty());
}

#[test]
fn a_span_waits_with_its_coroutine_and_ends_when_that_is_cancelled() {
    let (lua, lines) = state();
    run::<()>(
        &lua,
        "mpms.co.all { function() mpms.log.span('slow', sleep, 0.02) end, function() mpms.log.span('fast', sleep, 0.001) end } \
         local h = mpms.co.spawn(function() mpms.log.span('never', sleep, 3600) end) sleep(0.001) h:cancel() \
         pcall(h.await, h)",
    );
    let order: Vec<String> = lines.borrow().iter().map(|(_, text, _)| text.clone()).collect();
    assert_eq!(
        order,
        ["slow begins", "fast begins", "fast ended", "slow ended", "never begins", "never failed"]
    );
}

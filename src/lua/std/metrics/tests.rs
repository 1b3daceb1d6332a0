use std::sync::Arc;

use mlua::Lua;

use crate::lua::std::testing::{fails, run};
use crate::lua::std::{StdEnv, install, log};
use crate::model::metrics::{Figure, MOST_SERIES, Metric, Metrics};

fn state() -> (Lua, Arc<Metrics>) {
    let lua = Lua::new();
    let sinks = log::Sinks::none();
    let metrics = Arc::clone(&sinks.metrics);
    install(&lua, &StdEnv { log: sinks, ..StdEnv::quiet("test") }).expect("installs");
    (lua, metrics)
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn the_four_kinds_are_gathered_by_name_and_labels() {
    let (lua, metrics) = state();
    run::<()>(
        &lua,
        "local m = mpms.metrics m.counter 'pages' m.counter('pages', 2.5) \
         m.counter('pages', 1, { host = 'a', ok = true, n = 7 }) m.counter('pages', 1, { n = 7, ok = true, host = 'a' }) \
         m.gauge('depth', 5) m.gauge('depth', -1) m.gauge('depth', 3) \
         for i = 1, 4 do m.rate('cached', i == 1) end \
         for i = 1, 100 do m.trend('bytes', i) end",
    );
    let sums = metrics.sums();
    let names: Vec<&str> = sums.iter().map(|metric| metric.name.as_str()).collect();
    assert_eq!(names, ["bytes", "cached", "depth", "pages", "pages"]);
    let Metric { figure: Figure::Trend(trend), .. } = &sums[0] else { panic!("a trend") };
    assert_eq!((trend.count, trend.sum, trend.min, trend.max), (100, 5050.0, 1.0, 100.0));
    assert_eq!(sums[1].figure, Figure::Rate { yes: 1, all: 4 });
    let Figure::Gauge { last, min, max, .. } = sums[2].figure else { panic!("a gauge") };
    assert_eq!((last, min, max), (3.0, -1.0, 5.0));
    assert_eq!(sums[3].figure, Figure::Counter(3.5));
    assert_eq!(sums[4].figure, Figure::Counter(2.0));
    assert_eq!(sums[4].labels, [pair("host", "a"), pair("n", "7"), pair("ok", "true")]);
}

#[test]
fn time_counts_seconds_and_gives_results_and_errors_on() {
    let (lua, metrics) = state();
    let seen: (i64, i64, bool) = run(
        &lua,
        "local a, b = mpms.metrics.time('load', function() sleep(0.01) return 1, 2 end) \
         local raised = {} local ok, e = pcall(mpms.metrics.time, 'load', function() sleep(0.03) error(raised) end) \
         mpms.metrics.time('save', function() end, { disk = 1 }) return a, b, not ok and e == raised",
    );
    assert_eq!(seen, (1, 2, true));
    let sums = metrics.sums();
    let Figure::Trend(trend) = &sums[0].figure else { panic!("a trend") };
    assert!(trend.count == 2 && trend.min >= 0.01 && trend.max >= 0.03, "{trend:?}");
    assert_eq!((sums[1].name.as_str(), &sums[1].labels[..]), ("save", &[pair("disk", "1")][..]));
    assert_eq!(
        fails(&lua, "mpms.metrics.time('x', 5)").message,
        "metrics.time: argument 2 (f) must be a function, got integer"
    );
}

#[test]
fn what_cannot_be_counted_is_refused() {
    let (lua, metrics) = state();
    for (code, part) in [
        ("counter(5)", "argument 1 (name) must be a letter"),
        ("counter ''", "argument 1 (name) must be a letter"),
        ("counter 'a b'", "argument 1 (name) must be a letter"),
        ("counter(('x'):rep(101))", "argument 1 (name) must be a letter"),
        ("counter('a', -1)", "argument 2 (value) must be 0 or more, got -1"),
        ("counter('a', 0/0)", "argument 2 (value) must be 0 or more"),
        ("gauge('a')", "argument 2 (value) must be a number, got nil"),
        ("gauge('a', 1/0)", "must be a finite number, got inf"),
        ("rate('a', 1)", "argument 2 (value) must be true or false, got integer"),
        ("trend('a', 0/0)", "must be a finite number"),
        ("counter('a', 1, { 'x' })", "argument 3 (labels) must have names as keys, got a integer"),
        ("counter('a', 1, { ['a.b'] = 1 })", "has the name `a.b`"),
        ("counter('a', 1, { a = {} })", "`a` must be a string, a number or a boolean, got table"),
        ("counter('a', 1, { a = ('x'):rep(201) })", "`a` has 201 bytes"),
        ("counter('a', 1, { a = 'x\\0' })", "a zero byte"),
        (
            "counter('a', 1, { a=1, b=1, c=1, d=1, e=1, f=1, g=1, h=1, i=1, j=1, k=1 })",
            "has 11 labels, 10 at most",
        ),
    ] {
        let e = fails(&lua, &format!("mpms.metrics.{code}"));
        assert!(e.code == "invalid" && e.message.contains(part), "{code}: {}", e.message);
    }
    assert!(metrics.sums().is_empty());
    let e = fails(&lua, "mpms.metrics.gauge('g', 1) mpms.metrics.counter('g', 1)");
    assert_eq!(
        (e.code.as_str(), e.message.as_str()),
        ("invalid", "metrics.counter: `g`: it is a gauge elsewhere: a name has one kind")
    );
    let e = fails(&lua, "for i = 1, 2000 do mpms.metrics.counter('c', 1, { i = i }) end");
    assert_eq!(e.code, "too_large");
    assert!(e.message.contains("`c`: metrics have 1000 series"), "{}", e.message);
    assert_eq!(metrics.sums().len(), MOST_SERIES);
}

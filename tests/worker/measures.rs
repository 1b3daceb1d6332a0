//! Measurements, run by hand: `cargo test --release --test worker -- --measure`.

use std::time::Instant;

use mpms::model::{Value, Verdict};
use mpms::wire::to_worker::Bounds;

use crate::bench::{Bench, MS, timeout};

pub const ALL: &[crate::Case] = &[
    ("a_tight_loop_with_and_without_a_timeout", a_tight_loop),
    ("resuming_a_coroutine", resuming),
    ("tasks_that_do_nothing", tasks_that_do_nothing),
];

const LOOP: &str = r#"
return { worker = function(kind)
  if kind == "loop" then local n = 0 for i = 1, 300000000 do n = n + i end return n end
  if kind == "calls" then local n = 0 local function f(x) return x + 1 end for i = 1, 50000000 do n = f(n) end return n end
  if kind == "resume" then
    local co = coroutine.wrap(function() while true do coroutine.yield() end end)
    for i = 1, 10000000 do co() end
  end
end }"#;

fn elapsed(bench: &mut Bench, word: &str) -> u64 {
    bench.send(&[vec![Value::text(word)]]);
    let outcome = bench.outcome().expect("an outcome");
    assert!(matches!(outcome.verdict, Verdict::Done(_)), "{:?}", outcome.verdict);
    outcome.elapsed_ns
}

fn a_tight_loop() {
    let mut without = Bench::start(LOOP, 1, Bounds::default());
    let mut with = Bench::start(LOOP, 1, timeout(600_000 * MS));
    for word in ["loop", "calls"] {
        let mut best = [u64::MAX; 2];
        for _ in 0..7 {
            best[0] = best[0].min(elapsed(&mut without, word));
            best[1] = best[1].min(elapsed(&mut with, word));
        }
        let ratio = best[1] as f64 / best[0] as f64;
        println!("{word}: {} ms without, {} ms with a timeout: {ratio:.3}", best[0] / MS, best[1] / MS);
    }
}

fn resuming() {
    let mut bench = Bench::start(LOOP, 1, Bounds::default());
    let best = (0..5).map(|_| elapsed(&mut bench, "resume")).min().expect("five");
    println!("a resume and a yield: {:.1} ns", best as f64 / 1e7);
}

fn tasks_that_do_nothing() {
    for (name, bounds) in [("no timeout", Bounds::default()), ("timeout 10 s", timeout(10_000 * MS))] {
        let mut best = f64::MAX;
        for _ in 0..5 {
            let mut bench = Bench::start("return { worker = function(n) return n end }", 1, bounds);
            let tasks: Vec<Vec<Value>> = (0..200_000).map(|n| vec![Value::Int(n)]).collect();
            let start = Instant::now();
            for batch in tasks.chunks(1000) {
                bench.send(batch);
                for _ in batch {
                    bench.outcome().expect("an outcome");
                }
            }
            best = best.min(start.elapsed().as_secs_f64());
        }
        println!("{name}: {:.0} tasks/s", 200_000.0 / best);
    }
}

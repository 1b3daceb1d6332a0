//! Minutes of random kills; not part of the quick suite:
//!
//! `CHAOS_ROUNDS=20 CHAOS_SEED=7 cargo test --release --test it -- --ignored --nocapture chaos`
#![expect(clippy::print_stdout, reason = "a line a round, for the person who started it")]

use std::time::{Duration, Instant};

use crate::job::Job;
use crate::processes::kill_9;

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).expect("below a usize")
    }
}

fn number_from_environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[test]
#[ignore = "minutes; see the top of the file"]
fn chaos_changes_no_sum() {
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let seed = number_from_environment("CHAOS_SEED", u64::from(clock.subsec_nanos()) | 1);
    println!("CHAOS_SEED={seed}");
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    for round in 1..=number_from_environment("CHAOS_ROUNDS", 10) {
        one_round(round, &mut random);
    }
}

/// Tasks of microseconds to milliseconds, each of which puts another; the handler puts too, by key.
const SCRIPT: &str = r#"return {
  worker = function(n)
    if n % 50 == 0 then sleep(0.02) elseif n % 7 == 0 then sleep(0.001) end
    if n <= job.params.count then task.put(n + job.params.count) emit { n = n } end
    return n
  end,
  handler = function(meta, n)
    meta.sum = meta.sum + n
    meta.seen = meta.seen + 1
    if n <= 1000 then meta.self:put_with({ key = n % 500 }, 10000000 + n % 500) end
  end,
  finish = function(meta) return meta.seen .. " " .. meta.sum end }"#;

fn one_round(round: u64, random: &mut Random) {
    let (processes, threads) = (1 + random.below(4), 1 + random.below(6));
    let count = [2_000, 20_000, 60_000][random.below(3)] as u64;
    let with_keeper = random.below(2) == 0;
    let job = Job::new().processes(processes).threads(threads).meta("sum = 0\nseen = 0").script(SCRIPT);
    let job = job.set("params", format!("count = {count}")).set("worker", "crash_limit = 1000");
    let job = job.range(1, i64::try_from(count).expect("small")).arg("-o").arg("rows.jsonl");
    let mut run = job.within(Duration::from_secs(120)).start();
    let (mut workers_killed, mut keepers_killed) = (0, 0);
    let began = Instant::now();
    while !run.is_over() {
        std::thread::sleep(Duration::from_millis(40 + random.below(120) as u64));
        if began.elapsed() > Duration::from_secs(20) {
            continue;
        }
        if with_keeper && keepers_killed < 8 && random.below(8) == 0 {
            if let Some(keeper) = run.keeper() {
                kill_9(keeper);
                keepers_killed += 1;
            }
        } else {
            let workers = run.workers();
            if !workers.is_empty() {
                kill_9(workers[random.below(workers.len())]);
                workers_killed += 1;
            }
        }
    }
    let done = run.wait();
    let keys = 500;
    let sum: u64 = (1..=2 * count).sum::<u64>() + (0..keys).map(|key| 10_000_000 + key).sum::<u64>();
    done.exit(0).finished_with(&format!("{} {sum}", 2 * count + keys));
    let mut rows = done.lines("rows.jsonl");
    rows.sort_unstable();
    rows.dedup();
    assert_eq!(rows.len() as u64, count, "rows, without doubles");
    assert_eq!(done.lines("rows.jsonl").len() as u64, count, "rows");
    println!(
        "round {round}: {processes} × {threads}, {count} tasks, {workers_killed} workers and {keepers_killed} \
         keepers killed, {:.1}s: right",
        done.elapsed.as_secs_f64()
    );
}

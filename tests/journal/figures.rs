//! How fast it is: `cargo test --release --test journal -- --ignored --nocapture figures`.

use std::time::{Duration, Instant};

use mpms::journal::record::{EndedTask, Group};
use mpms::journal::{create, reopen, scratch};
use mpms::model::Task;

use crate::build::{begin, disk, ended, given, hash, keyed, place, positions, put, put_ended, put_with};

#[test]
#[ignore = "figures for people"]
#[expect(clippy::print_stderr, reason = "figures for people")]
fn figures() {
    let line = |what: &str, figure: String| eprintln!("{what:<44} {figure}");
    let each = |times: u32, mut work: Box<dyn FnMut(u32) + '_>| -> Vec<Duration> {
        let mut took: Vec<_> = (0..times)
            .map(|n| {
                let start = Instant::now();
                work(n);
                start.elapsed()
            })
            .collect();
        took.sort_unstable();
        took
    };
    let middle =
        |took: &[Duration]| format!("{:?} (p95 {:?})", took[took.len() / 2], took[took.len() * 95 / 100]);

    let home = place();
    drop(home.create());
    let took = each(50, Box::new(|_| drop(create(&home.home, &begin(), &disk()).unwrap())));
    line("create, .mpms is there", middle(&took));
    let took = each(20, Box::new(|_| drop(place().create())));
    line("create, with .mpms", middle(&took));
    let took = each(
        20,
        Box::new(|_| {
            let (mut writer, _reader) = create(&home.home, &begin(), &disk()).unwrap().split();
            writer.commit(&positions(1..=1)).unwrap();
            writer.close().unwrap();
        }),
    );
    line("create, commit one, close", middle(&took));

    let many = place();
    let (mut writer, mut reader) = many.create().split();
    let took = each(
        500,
        Box::new(|n| {
            let first = u64::from(n) * 20_000 + 1;
            writer.commit(&positions(first..=first + 19_999)).unwrap();
        }),
    );
    line("commit of 20,000 positions", middle(&took));
    let puts: Vec<_> = (1..=1_000_000).map(put).collect();
    let start = Instant::now();
    for some in puts.chunks(10_000) {
        writer.part(some).unwrap();
    }
    writer.commit(&Group::default()).unwrap();
    line("1,000,000 puts kept, one transaction", per_second(1_000_000, start));
    let start = Instant::now();
    let mut after = 0;
    let mut out = Vec::new();
    while after < 1_000_000 {
        out.clear();
        reader.fetch(0, after, 1_000_000, 4096, &mut out).unwrap();
        after = out.last().unwrap().0.number();
    }
    line("1,000,000 puts fetched, 4,096 at a time", per_second(1_000_000, start));
    let ends: Vec<EndedTask> = (1..=1_000_000).map(put_ended).collect();
    let start = Instant::now();
    for some in ends.chunks(10_000) {
        writer.commit(&Group { ended: some.to_vec(), ..Group::default() }).unwrap();
    }
    line("1,000,000 puts ended, 10,000 a commit", per_second(1_000_000, start));
    drop((writer, reader));

    let before = resident();
    let start = Instant::now();
    let (journal, mut past) = reopen(&many.run(), &disk()).unwrap();
    line("reopen with 10,000,000 positions", format!("{:?}", start.elapsed()));
    line("memory for them", format!("{} MB", (resident() - before) / 1000));
    let start = Instant::now();
    (1..=10_000_000).for_each(|position| {
        assert_eq!(past.known.check(&given(position)).unwrap(), mpms::journal::Seen::Ended)
    });
    line("10,000,000 of them checked", per_second(10_000_000, start));
    line("the file", format!("{} MB", many.database().metadata().unwrap().len() / 1_000_000));
    drop((journal, past));

    let with_keys = place();
    let (mut writer, mut reader) = with_keys.create().split();
    let keys: Vec<u128> = (0..1_000_000).map(|n| hash(&n.to_string())).collect();
    let start = Instant::now();
    for (n, some) in keys.chunks(10_000).enumerate() {
        let ended = some
            .iter()
            .enumerate()
            .map(|(m, key)| {
                let position = (n * 10_000 + m) as u64 + 1;
                EndedTask { id: given(position).id, seq: None, key: Some(*key), kind: ended(1).kind }
            })
            .collect();
        writer.commit(&Group { ended, ..Group::default() }).unwrap();
    }
    line("1,000,000 keys kept, 10,000 a commit", per_second(1_000_000, start));
    let mut known = Vec::new();
    let start = Instant::now();
    keys.chunks(1000).for_each(|some| reader.known(some, &mut known).unwrap());
    line("1,000,000 keys looked up", per_second(1_000_000, start));
    let puts: Vec<_> = (1..=100_000).map(|n| put_with(n, keyed(&format!("put {n}")))).collect();
    let start = Instant::now();
    writer.part(&puts).unwrap();
    writer.commit(&Group::default()).unwrap();
    line("100,000 puts with keys", per_second(100_000, start));

    let (mut writer, mut reader) = scratch().split();
    let puts: Vec<(_, Task)> = (1..=1_000_000).map(put).collect();
    let start = Instant::now();
    puts.chunks(10_000).for_each(|some| drop(writer.part(some).unwrap()));
    writer.commit(&Group::default()).unwrap();
    line("scratch: 1,000,000 puts kept", per_second(1_000_000, start));
    let start = Instant::now();
    let mut out = Vec::new();
    reader.fetch(0, 0, u64::MAX, 1_000_000, &mut out).unwrap();
    line("scratch: fetched", per_second(out.len() as u64, start));
}

fn per_second(count: u64, start: Instant) -> String {
    format!("{:.0}/s", count as f64 / start.elapsed().as_secs_f64())
}

/// kB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

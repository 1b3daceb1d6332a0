//! Making, keeping, taking up again.

use mpms::journal::Seen;
use mpms::journal::record::Group;

use crate::build::{begin, given, hash, keyed, place, positions, put, put_ended, put_with, seq};

#[test]
fn a_run_begins_with_what_was_said() {
    let place = place();
    let journal = place.create();
    let id = journal.id().unwrap().to_owned();
    drop(journal);
    assert_eq!(place.run().id, id);
    let (_journal, past) = place.reopen();
    assert_eq!(past.begin, begin());
    assert_eq!((past.sessions, past.done, past.started, past.complete), (1, 0, false, false));
    assert_eq!(past.meta, None);
    assert!(past.pending.is_empty() && past.tried.is_empty());
}

#[test]
fn what_is_committed_is_there_after_the_process_is_gone() {
    let place = place();
    let (mut writer, mut reader) = place.create().split();
    writer.commit(&positions(1..=100)).unwrap();
    let puts = vec![put(1), put_with(2, keyed("a")), put(3)];
    writer.commit(&Group { puts, meta: Some(vec![5]), ..positions(102..=200) }).unwrap();
    writer.commit(&Group { ended: vec![put_ended(1)], ..Group::default() }).unwrap();

    let mut known = Vec::new();
    reader.known(&[hash("a"), hash("b")], &mut known).unwrap();
    assert_eq!(known, [true, false]);
    let mut found = Vec::new();
    reader.fetch(0, 0, 3, 10, &mut found).unwrap();
    assert_eq!(found, [put_with(2, keyed("a")), put(3)]);
    drop((writer, reader));

    let (_journal, mut past) = place.reopen();
    assert_eq!((past.done, past.last_seq), (200, 3));
    assert_eq!(past.meta, Some(vec![5]));
    assert_eq!(past.pending.len(), 1);
    assert_eq!((past.pending[0].first, past.pending[0].last, past.pending[0].count), (seq(2), seq(3), 2));
    assert_eq!(past.known.check(&given(100)).unwrap(), Seen::Ended);
    assert_eq!(past.known.check(&given(101)).unwrap(), Seen::New);
    assert_eq!(past.known.ended(), 199);
}

#[test]
fn what_this_session_adds_is_new_to_the_source() {
    let place = place();
    drop(place.create());
    let (journal, mut past) = place.reopen();
    let (mut writer, mut reader) = journal.split();
    let put = put_with(1, keyed("a"));
    writer.commit(&Group { puts: vec![put.clone()], ..Group::default() }).unwrap();
    // the engine asks the reader, drops it, and counts it
    assert_eq!(past.known.check(&put.1).unwrap(), Seen::New);
    let mut known = Vec::new();
    reader.known(&[hash("a")], &mut known).unwrap();
    assert_eq!(known, [true]);
    drop((writer, reader));
    assert_eq!(place.reopen().1.known.check(&put.1).unwrap(), Seen::Ended);
}

#[test]
fn scratch_keeps_what_waits_and_leaves_nothing_behind() {
    let (mut writer, mut reader) = mpms::journal::scratch().split();
    assert!(!writer.is_durable());
    writer.commit(&positions(1..=100)).unwrap();
    let mut out = Vec::new();
    reader.fetch(0, 0, 9, 9, &mut out).unwrap();
    assert!(out.is_empty());
    let puts = vec![put(1), put_with(2, keyed("a")), put(3)];
    writer.commit(&Group { puts, ended: vec![put_ended(3)], ..Group::default() }).unwrap();
    reader.fetch(0, 0, 9, 9, &mut out).unwrap();
    assert_eq!(out, [put(1), put_with(2, keyed("a"))]);
    let mut known = Vec::new();
    reader.known(&[hash("a"), hash("b")], &mut known).unwrap();
    assert_eq!(known, [true, false]);
    writer.close().unwrap();
}

//! The tables of a journal. Whoever changes them changes [`VERSION`], and adds a sample.

/// Every SQLite file says whose it is: `mpms`.
pub const APPLICATION_ID: i32 = 0x6d70_6d73;

/// Of the format, in `user_version`. A newer one is refused.
pub const VERSION: i32 = 2;

/// * `about`: what does not change, by name
/// * `state`: one row of counters and marks, changed by each group
/// * `meta`: 1 the first state, 2 that of the last group
/// * `ended`: generated tasks without keys, see `packed`; only ever appended, numbers from 1 without a gap
/// * `keys`: of all tasks that ended or were put; `seq`: of the task that was put with it
/// * `queue`: tasks that were put and have not ended, see `rows`
/// * `failed`: in the order of their failing, see `rows`
/// * `tried`: what happened to tasks that have not ended
/// * `saved`: what these have saved, see `rows`; new in version 2
pub(super) const TABLES: &str = "
CREATE TABLE about (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE texts (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, text BLOB NOT NULL);
CREATE TABLE state (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    session INTEGER NOT NULL, started INTEGER NOT NULL, complete INTEGER NOT NULL, stopped TEXT, finish TEXT,
    done INTEGER NOT NULL, skipped INTEGER NOT NULL, failed INTEGER NOT NULL,
    known INTEGER NOT NULL, more INTEGER NOT NULL, given INTEGER,
    packed INTEGER NOT NULL, keyed INTEGER NOT NULL, pending INTEGER NOT NULL, last_seq INTEGER NOT NULL,
    output_position INTEGER, output_rows INTEGER,
    elapsed_before INTEGER NOT NULL, elapsed INTEGER NOT NULL, updated_ms INTEGER NOT NULL
);
CREATE TABLE meta (number INTEGER PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE ended (number INTEGER PRIMARY KEY, positions BLOB NOT NULL);
CREATE TABLE keys (hash BLOB PRIMARY KEY, session INTEGER NOT NULL, seq INTEGER) WITHOUT ROWID;
CREATE TABLE queue (seq INTEGER PRIMARY KEY, priority INTEGER NOT NULL, task BLOB NOT NULL);
CREATE INDEX queue_priority ON queue (priority, seq) WHERE priority <> 0;
CREATE TABLE failed (number INTEGER PRIMARY KEY, task BLOB NOT NULL);
CREATE TABLE tried (
    id BLOB PRIMARY KEY, starts INTEGER NOT NULL, failures INTEGER NOT NULL,
    crashes INTEGER NOT NULL, doubtful_crashes INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE saved (id BLOB PRIMARY KEY, state BLOB NOT NULL);
";

/// Makes one of the first version one of this; in a transaction. An older program could not read what comes then.
pub(super) const FROM_VERSION_1: &str =
    "CREATE TABLE saved (id BLOB PRIMARY KEY, state BLOB NOT NULL); PRAGMA user_version = 2;";

/// Fails when a table or a column is missing.
pub(super) const TOUCH: &[&str] = &[
    "SELECT name, value FROM about LIMIT 1",
    "SELECT number, name, text FROM texts LIMIT 0",
    "SELECT number, value FROM meta LIMIT 0",
    "SELECT number, positions FROM ended LIMIT 0",
    "SELECT hash, session, seq FROM keys LIMIT 1",
    "SELECT seq, priority, task FROM queue LIMIT 0",
    "SELECT seq FROM queue INDEXED BY queue_priority WHERE priority <> 0 LIMIT 1",
    "SELECT number, task FROM failed LIMIT 0",
    "SELECT id, starts, failures, crashes, doubtful_crashes FROM tried LIMIT 1",
];

/// The same for what is new in version 2.
pub(super) const TOUCH_2: &str = "SELECT id, state FROM saved LIMIT 0";

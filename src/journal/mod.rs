//! What outlives a crash: the journal of a run, a SQLite database of its own under `.mpms/runs/<id>/`.

pub mod record;

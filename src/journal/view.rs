//! Looking at a run from outside, also while it goes on.

use std::collections::HashMap;
use std::path::PathBuf;

use super::begin::Begin;
use super::database::{self, Access, Database, has_log, signed, unsigned};
use super::error::JournalError;
use super::home::RunDir;
use super::lock;
use super::past::{State, created_ms, read_begin, read_meta};
use super::record::{FailedTask, OutputMark};
use super::rows::read_failed;

/// Rows that one transaction reads: a long one would keep the runner from shortening its log.
const AT_ONCE: usize = 500;

/// Reads a run and changes nothing: no lock that the runner would feel, no checkpoint.
pub struct View {
    database: Database,
    folder: PathBuf,
}

/// How it stands with a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunState {
    /// A process works on it.
    Running {
        /// Its pid, as its system counts; none when it cannot be told.
        pid: Option<u32>,
    },
    /// It came to its end, `finish` included. Tasks may have failed.
    Complete,
    /// It was stopped, and can be resumed.
    Stopped {
        /// A sentence.
        why: String,
    },
    /// Its process is gone without a word; it can be resumed.
    Interrupted,
}

/// What can be told of a run in a line or two.
#[derive(Clone, Debug)]
pub struct RunInfo {
    /// With what it began, without the texts.
    pub begin: Begin,
    /// How it stands.
    pub state: RunState,
    /// Tasks that ended well, skipped ones included.
    pub done: u64,
    /// Of them, those that said that there was nothing to do.
    pub skipped: u64,
    /// Tasks that failed for good.
    pub failed: u64,
    /// Tasks known so far.
    pub known: u64,
    /// Whether the source may give more.
    pub more: bool,
    /// Tasks that were put and wait.
    pub pending: u64,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// The last commit, in milliseconds since 1970.
    pub updated_ms: i64,
    /// Nanoseconds of all sessions.
    pub elapsed_ns: u64,
    /// How often it was begun or taken up.
    pub sessions: u64,
    /// Where rows go, and how far that is.
    pub output: Option<(String, OutputMark)>,
    /// What `finish` returned, as text.
    pub finish: Option<String>,
}

/// Failures that are the same to a reader.
#[derive(Clone, Debug, PartialEq)]
pub struct FailureGroup {
    /// The public code.
    pub code: String,
    /// The message.
    pub message: String,
    /// How many tasks.
    pub count: u64,
    /// The first of them.
    pub first: FailedTask,
}

impl View {
    /// Opens the journal of a run for reading.
    ///
    /// # Errors
    /// When it is no journal, newer or damaged.
    pub fn open(run: &RunDir) -> Result<View, JournalError> {
        let path = run.path.join(database::NAME);
        if !path.exists() {
            return Err(JournalError::damaged(&path, "there is no such file"));
        }
        let open = |access| {
            let database = Database::open(&path, access)?;
            database.check()?;
            Ok(database)
        };
        let database = match open(Access::Read) {
            // In a folder of somebody else the index of the log cannot be made. Without a log nobody writes, and none
            // is needed.
            Err(JournalError::ReadOnly { .. } | JournalError::Database { .. }) if !has_log(&path) => {
                open(Access::Frozen)?
            }
            other => other?,
        };
        // A runner syncs before it lets others see; one that was killed may not have come to it, and whoever opens the
        // log after that sees what it wrote. Asked now: one that dies later shows nothing new to this connection.
        if lock::holder(&run.path).is_none() {
            database::sync_log(&path)?;
        }
        Ok(View { database, folder: run.path.clone() })
    }

    /// How it stands with the run.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn state(&self) -> Result<RunState, JournalError> {
        // the lock first: a run that ends between the two looks is complete, not interrupted
        let holder = lock::holder(&self.folder);
        let state = State::read(&self.database)?;
        Ok(run_state(holder, &state))
    }

    /// All that a line in a list says.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn info(&self) -> Result<RunInfo, JournalError> {
        let holder = lock::holder(&self.folder);
        let begin = read_begin(&self.database, false)?;
        let state = State::read(&self.database)?;
        Ok(RunInfo {
            state: run_state(holder, &state),
            done: state.done,
            skipped: state.skipped,
            failed: state.failed,
            known: state.known,
            more: state.more,
            pending: state.pending,
            created_ms: created_ms(&self.database)?,
            updated_ms: state.updated_ms,
            elapsed_ns: state.elapsed_ns,
            sessions: state.session,
            output: begin.output.clone().map(|output| (output, state.output.unwrap_or_default())),
            finish: state.finish,
            begin,
        })
    }

    /// Gives the tasks that failed for good to `each`, in the order of their failing. Not one moment of the run: what
    /// fails meanwhile may come too.
    ///
    /// # Errors
    /// When the journal cannot be read or is damaged.
    pub fn failed(&self, each: &mut dyn FnMut(FailedTask)) -> Result<(), JournalError> {
        let mut last = 0;
        loop {
            let mut some = Vec::new();
            self.database.run(|connection| {
                let mut select = connection
                    .prepare_cached("SELECT number, task FROM failed WHERE number > ?1 ORDER BY number")?;
                let mut rows = select.query([signed(last)])?;
                while some.len() < AT_ONCE {
                    let Some(row) = rows.next()? else { break };
                    last = unsigned(row, 0)?;
                    some.push(read_failed(row.get_ref(1)?.as_blob()?, last).map_err(|what| (last, what)));
                }
                Ok(())
            })?;
            if some.is_empty() {
                return Ok(());
            }
            for task in some {
                each(task.map_err(|(number, what)| {
                    self.database.damaged(format!("failed task {number}: {what}"))
                })?);
            }
        }
    }

    /// Failures with the same code and message together, the most frequent first; at most `at_most` groups, further
    /// kinds are left out.
    ///
    /// # Errors
    /// As [`failed`](Self::failed).
    pub fn failures_grouped(&self, at_most: usize) -> Result<Vec<FailureGroup>, JournalError> {
        let mut groups: Vec<FailureGroup> = Vec::new();
        let mut places: HashMap<(String, String), usize> = HashMap::new();
        self.failed(&mut |task| {
            let name = (task.failure.code.clone(), task.failure.message.clone());
            if let Some(place) = places.get(&name) {
                groups[*place].count += 1;
            } else if groups.len() < at_most {
                let (code, message) = name.clone();
                places.insert(name, groups.len());
                groups.push(FailureGroup { code, message, count: 1, first: task });
            }
        })?;
        // a stable order: those of the same size as they came
        groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        Ok(groups)
    }

    /// The encoded `meta`, as the last group left it.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn meta(&self) -> Result<Option<Vec<u8>>, JournalError> {
        match read_meta(&self.database, 2)? {
            Some(meta) => Ok(Some(meta)),
            None => read_meta(&self.database, 1),
        }
    }

    /// The files that the run depends on, as kept last, with what else it began.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn begin(&self) -> Result<Begin, JournalError> {
        read_begin(&self.database, true)
    }
}

fn run_state(holder: Option<Option<u32>>, state: &State) -> RunState {
    match (holder, state.complete, &state.stopped) {
        (Some(pid), _, _) => RunState::Running { pid },
        (None, true, _) => RunState::Complete,
        (None, false, Some(why)) => RunState::Stopped { why: why.clone() },
        (None, false, None) => RunState::Interrupted,
    }
}

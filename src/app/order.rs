//! What a command asks for: which job, with which flags, and whether an earlier run goes on.

use std::path::{Path, PathBuf};

use super::complain_of_journal;
use super::exit::Code;
use super::settings::Settings;
use crate::cli::{Display, ResumeArgs, RunArgs};
use crate::journal::{Disk, Home, JournalError, RunDir, RunInfo, RunState, View};
use crate::manifest::{Overrides, OwnOutput};
use crate::plan;
use crate::report::units;

/// One run that is asked for.
pub struct Order {
    /// The manifest as it was typed, or as it is found from the shell's folder.
    pub manifest: PathBuf,
    /// Flags of the run, those of its first session included.
    pub settings: Settings,
    /// The same as they were typed, for a run that begins with this command: errors show them.
    typed: Option<Overrides>,
    /// New, or an earlier one.
    pub begins: Begins,
    /// `--retry-failed`
    pub retry_failed: bool,
    /// `--strict`
    pub strict: bool,
    /// `-n`
    pub dry_run: bool,
    /// `--no-journal`
    pub no_journal: bool,
    /// `--joblog`, absolute.
    pub joblog: Option<PathBuf>,
    /// `--allow-network-disk`
    pub disk: Disk,
    /// What is shown.
    pub display: Display,
}

/// Where a run begins.
pub enum Begins {
    /// At its beginning; there may be an unfinished run of the same job, about which a word is said.
    New {
        /// That run.
        beside: Option<Earlier>,
    },
    /// At its beginning, and this run is thrown away.
    Anew(Earlier),
    /// Where this run ended.
    On(Earlier),
}

/// A run that exists.
pub struct Earlier {
    /// Its folder.
    pub dir: RunDir,
    /// What it is.
    pub info: RunInfo,
}

impl Order {
    /// What `mpms run` asks for one of its jobs.
    ///
    /// # Errors
    /// When the runs of the job cannot be read; that has been told.
    pub fn run(path: &Path, arguments: &RunArgs, cwd: &Path) -> Result<Self, Code> {
        let color = arguments.display.color;
        let manifest = plan::absolute(cwd, path);
        let flags = arguments.overrides();
        let mut order = Order {
            manifest: path.to_path_buf(),
            settings: Settings::of(&flags, cwd),
            typed: Some(flags.clone()),
            begins: Begins::New { beside: None },
            retry_failed: arguments.retry_failed,
            strict: arguments.strict,
            dry_run: arguments.dry_run,
            no_journal: arguments.no_journal,
            joblog: arguments.joblog.as_deref().map(|path| plan::absolute(cwd, path)),
            disk: Disk { network_allowed: arguments.allow_network_disk },
            display: arguments.display.clone(),
        };
        if arguments.no_journal {
            return Ok(order);
        }
        let home = Home::of(manifest.parent().unwrap_or(cwd));
        let of_job = |earlier: &Earlier| earlier.info.begin.manifest == manifest;
        let of_journal = |error: JournalError| complain_of_journal(color, &error);
        let is_left =
            |earlier: &Earlier| !earlier.is_complete() || arguments.retry_failed && earlier.info.failed > 0;
        let in_passing = !arguments.restart && !arguments.resumes();
        let left =
            latest(&home, in_passing, !arguments.retry_failed, |earlier| of_job(earlier) && is_left(earlier));
        let mut found = left.map_err(of_journal)?;
        if found.is_none() && arguments.retry_failed {
            // it says that it is complete
            found = latest(&home, in_passing, false, of_job).map_err(of_journal)?;
        }
        order.begins = match found {
            Some(earlier) if arguments.restart => Begins::Anew(earlier),
            Some(earlier) if arguments.resumes() => {
                order.settings = Settings::read(&earlier.info.begin.settings).with(&flags, cwd);
                order.typed = None;
                Begins::On(earlier)
            }
            beside => Begins::New { beside },
        };
        Ok(order)
    }

    /// What `mpms resume` asks for.
    ///
    /// # Errors
    /// When there is no such run, or it cannot be read; that has been told.
    pub fn resume(arguments: &ResumeArgs, cwd: &Path) -> Result<Self, Code> {
        let color = arguments.display.color;
        let home = Home::of(cwd);
        let of_journal = |error: JournalError| complain_of_journal(color, &error);
        let earlier = match &arguments.run {
            Some(name) => {
                let dir = home.find(name).map_err(of_journal)?;
                Earlier::of(dir).map_err(of_journal)?
            }
            None => {
                let unfinished =
                    latest(&home, false, true, |earlier| !earlier.is_complete()).map_err(of_journal)?;
                match unfinished {
                    Some(earlier) => earlier,
                    None => home.find("latest").and_then(Earlier::of).map_err(of_journal)?,
                }
            }
        };
        let flags = Overrides {
            processes: arguments.workers.processes,
            threads: arguments.workers.threads.map(usize::from),
            coroutines: arguments.workers.coroutines.map(usize::from),
            serial: arguments.workers.serial.is_some(),
            lua_path: arguments.lua_path.clone(),
            ..Overrides::default()
        };
        Ok(Order {
            manifest: plan::shown(&earlier.info.begin.manifest, cwd).into(),
            settings: Settings::read(&earlier.info.begin.settings).with(&flags, cwd),
            typed: None,
            retry_failed: arguments.retry_failed,
            strict: arguments.strict,
            dry_run: arguments.dry_run,
            no_journal: false,
            joblog: arguments.joblog.as_deref().map(|path| plan::absolute(cwd, path)),
            disk: Disk { network_allowed: arguments.allow_network_disk },
            display: arguments.display.clone(),
            begins: if arguments.restart { Begins::Anew(earlier) } else { Begins::On(earlier) },
        })
    }

    /// The flags for the plan.
    pub fn overrides(&self) -> Overrides {
        let own = match &self.begins {
            Begins::New { .. } => None,
            Begins::Anew(earlier) => earlier.output(true),
            Begins::On(earlier) => earlier.output(false),
        };
        match &self.typed {
            Some(typed) => Overrides { own_output: own, ..typed.clone() },
            None => self.settings.overrides(own),
        }
    }

    /// The run that goes on.
    pub fn earlier(&self) -> Option<&Earlier> {
        match &self.begins {
            Begins::On(earlier) => Some(earlier),
            Begins::New { .. } | Begins::Anew(_) => None,
        }
    }
}

impl Earlier {
    /// Reads what a run is.
    ///
    /// # Errors
    /// When its journal cannot be read.
    pub fn of(dir: RunDir) -> Result<Self, JournalError> {
        let info = View::open(&dir)?.info()?;
        Ok(Earlier { dir, info })
    }

    /// Whether nothing of it is left but failed tasks.
    pub fn is_complete(&self) -> bool {
        matches!(self.info.state, RunState::Complete)
    }

    fn output(&self, anew: bool) -> Option<OwnOutput> {
        let path = Settings::read(&self.info.begin.settings).output_file?;
        Some(OwnOutput { path, anew })
    }

    /// `run 7f3a of this job is not complete (812 done)`.
    pub fn words(&self) -> String {
        let done = units::count(self.info.done + self.info.failed);
        match self.info.state {
            RunState::Running { .. } => format!("run {} of this job is still running", self.dir.id),
            _ => format!("run {} of this job is not complete ({done} tasks ended)", self.dir.id),
        }
    }
}

/// The newest run of which `wanted` holds. One before it that cannot be read may be the one that is meant: an error, or
/// none where runs are only looked at in passing. `unfinished`: no complete one is wanted, and none is opened.
fn latest(
    home: &Home,
    in_passing: bool,
    unfinished: bool,
    wanted: impl Fn(&Earlier) -> bool,
) -> Result<Option<Earlier>, JournalError> {
    for dir in home.runs()? {
        if unfinished && dir.is_marked_complete() {
            continue;
        }
        match Earlier::of(dir) {
            Ok(earlier) if wanted(&earlier) => return Ok(Some(earlier)),
            Err(error) if !in_passing => return Err(error),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(None)
}

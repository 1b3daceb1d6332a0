//! `mpms runs rm`

use super::{Trouble, say};
use crate::cli::RmArgs;
use crate::journal::{Home, JournalError, RunState, View};
use crate::report::units;

/// Removes those that are named, or all of a kind. Of a kind, those that are running are left out; one that is named and
/// running is an error, before anything is removed.
pub fn remove(home: &Home, arguments: &RmArgs) -> Result<(), Trouble> {
    let mut removed = 0;
    let mut running = 0;
    if arguments.all || arguments.complete {
        for run in home.runs()? {
            // with --all also one that cannot be read
            let state = View::open(&run).and_then(|view| view.state());
            if !arguments.all && !state.is_ok_and(|state| state == RunState::Complete) {
                continue;
            }
            match home.remove(&run) {
                Err(JournalError::Locked { .. }) => running += 1,
                done => {
                    done?;
                    removed += 1;
                }
            }
        }
    } else {
        let runs = arguments.runs.iter().map(|name| home.find(name)).collect::<Result<Vec<_>, _>>()?;
        for run in &runs {
            if let Ok(RunState::Running { pid }) = View::open(run).and_then(|view| view.state()) {
                return Err(JournalError::Locked { run: run.id.clone(), pid }.into());
            }
        }
        for run in &runs {
            home.remove(run)?;
            removed += 1;
        }
    }
    let mut text = format!("{:>12} {}", "Removed", units::counted(removed, "run"));
    if running > 0 {
        text.push_str(&format!(
            "; {} still running",
            if running == 1 { "1 is".to_owned() } else { format!("{running} are") }
        ));
    }
    Ok(say(&format!("{text}\n"))?)
}

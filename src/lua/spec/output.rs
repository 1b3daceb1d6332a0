//! What a test prints and logs: kept, and shown when it fails.

use std::sync::{Arc, Mutex, PoisonError};

use crate::lua::std::log::{Level, Sinks};
use crate::os::secrets;

/// Bytes that are kept; of a flood the beginning tells most.
const MOST: usize = 64 << 10;

#[derive(Default)]
struct Kept {
    lines: Vec<String>,
    bytes: usize,
    lost: usize,
}

/// Lines of one test after another.
#[derive(Clone, Default)]
pub(super) struct Output(Arc<Mutex<Kept>>);

impl Output {
    /// Where they go.
    pub fn sinks(&self) -> Sinks {
        let kept = Arc::clone(&self.0);
        Sinks::of(move |level, text, fields| {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.bytes >= MOST {
                kept.lost += 1;
                return;
            }
            let mut line = match level {
                Level::Print => String::new(),
                Level::Debug => "debug: ".to_owned(),
                Level::Info => "info: ".to_owned(),
                Level::Warn => "warn: ".to_owned(),
                Level::Error => "error: ".to_owned(),
            };
            line.push_str(text);
            for (name, value) in fields {
                line.push_str(&format!(" {name}={value}"));
            }
            kept.bytes += line.len() + 1;
            kept.lines.push(line);
        })
    }

    /// The lines so far.
    pub fn take(&self) -> Vec<String> {
        let kept = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let mut lines = kept.lines;
        lines.iter_mut().for_each(secrets::scrub);
        if kept.lost > 0 {
            lines.push(format!("… {} more lines", kept.lost));
        }
        lines
    }
}

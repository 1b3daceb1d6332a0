//! Fan-out: every listener hears every event, and none can break another.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::model::event::Event;
use crate::report::Listener;

/// The listeners of a run.
#[derive(Default)]
pub struct Reports {
    listening: Vec<(&'static str, Box<dyn Listener + Send>)>,
    dropped: Vec<Dropped>,
}

/// A listener that failed, and was told nothing more.
#[derive(Debug)]
pub struct Dropped {
    /// What the listener wrote to: `standard output`.
    pub listener: &'static str,
    /// What went wrong.
    pub error: io::Error,
}

impl Dropped {
    /// Whether its reader had enough (`| head`), which is nobody's fault.
    pub fn reader_left(&self) -> bool {
        self.error.kind() == io::ErrorKind::BrokenPipe
    }
}

impl Reports {
    /// Adds one; `name` is what it writes to.
    pub fn add(&mut self, name: &'static str, listener: Box<dyn Listener + Send>) {
        self.listening.push((name, listener));
    }

    /// Drops one that could not even be made.
    pub fn drop_at_once(&mut self, listener: &'static str, error: io::Error) {
        self.dropped.push(Dropped { listener, error });
    }

    /// Tells all of one event.
    pub fn event(&mut self, event: &Event) {
        self.each(|listener| listener.event(event));
    }

    /// Lets all move with the clock.
    pub fn tick(&mut self) {
        self.each(|listener| listener.tick());
    }

    /// Ends all; who failed, in the order of failing.
    pub fn end(mut self) -> Vec<Dropped> {
        self.each(|listener| listener.end());
        self.dropped
    }

    fn each(&mut self, mut call: impl FnMut(&mut (dyn Listener + Send)) -> io::Result<()>) {
        let dropped = &mut self.dropped;
        self.listening.retain_mut(|(name, listener)| {
            // A bug in a report costs the report, not the run.
            let told = catch_unwind(AssertUnwindSafe(|| call(listener.as_mut())))
                .unwrap_or_else(|_| Err(io::Error::other("the report has a bug and panicked")));
            match told {
                Ok(()) => true,
                Err(error) => {
                    dropped.push(Dropped { listener: name, error });
                    false
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::Counts;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    struct Counting(Arc<AtomicUsize>);

    impl Listener for Counting {
        fn event(&mut self, _: &Event) -> io::Result<()> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
        fn tick(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Broken(bool);

    impl Listener for Broken {
        fn event(&mut self, _: &Event) -> io::Result<()> {
            assert!(!self.0, "panics on purpose");
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn tick(&mut self) -> io::Result<()> {
            panic!("told again after it failed");
        }
    }

    #[test]
    fn a_listener_that_fails_or_panics_is_dropped_and_the_others_hear_on() {
        let heard = Arc::new(AtomicUsize::new(0));
        let mut reports = Reports::default();
        reports.add("a pipe", Box::new(Broken(false)));
        reports.add("a bug", Box::new(Broken(true)));
        reports.add("good", Box::new(Counting(Arc::clone(&heard))));
        for _ in 0..3 {
            reports.event(&Event::Progress(Counts::default()));
            reports.tick();
        }
        let dropped = reports.end();
        assert_eq!(heard.load(Ordering::Relaxed), 3);
        assert_eq!(dropped.iter().map(|one| one.listener).collect::<Vec<_>>(), ["a pipe", "a bug"]);
        assert!(dropped[0].reader_left());
        assert!(!dropped[1].reader_left());
    }
}

//! Where lines, figures and names of secrets go that a state tells.

use std::rc::Rc;
use std::sync::Arc;

use super::Level;
use crate::model::metrics::Metrics;

/// Fields of a line, in the order of their names; numbers and tables as `tostring` gives them.
pub type Fields = Vec<(String, String)>;

/// Takes the lines of a state. Bytes that are no UTF-8 arrive as replacement characters.
pub type Sink = Rc<dyn Fn(Level, &str, Fields)>;

/// The same from any thread.
pub type BackgroundSink = Arc<dyn Fn(Level, &str, Fields) + Send + Sync>;

/// Takes the name of a variable that was fetched as a secret.
pub type SecretSink = Arc<dyn Fn(&[u8]) + Send + Sync>;

/// Where it goes what a state tells: lines of its own thread, those of threads that the library starts, figures.
#[derive(Clone)]
pub struct Sinks {
    /// Lines of the scripts.
    pub here: Sink,
    /// Of threads of the library (those of `http.serve`).
    pub background: BackgroundSink,
    /// What `mpms.metrics` counts.
    pub metrics: Arc<Metrics>,
    /// Whoever else must hide a secret that was fetched here.
    pub secret: SecretSink,
}

impl Sinks {
    /// For checks, tools and tests: lines are dropped.
    pub fn none() -> Self {
        Self {
            here: Rc::new(|_, _, _| {}),
            background: Arc::new(|_, _, _| {}),
            metrics: Arc::default(),
            secret: Arc::new(|_| {}),
        }
    }

    /// The same for both.
    pub fn of(sink: impl Fn(Level, &str, Fields) + Send + Sync + 'static) -> Self {
        Self::shared_by(Arc::new(sink))
    }

    fn shared_by(background: BackgroundSink) -> Self {
        let here = Arc::clone(&background);
        let here = Rc::new(move |level, text: &str, fields| here(level, text, fields));
        Self { here, background, ..Self::none() }
    }

    /// For a state on another thread.
    pub fn shared(&self) -> SharedSinks {
        SharedSinks {
            lines: Arc::clone(&self.background),
            metrics: Arc::clone(&self.metrics),
            secret: Arc::clone(&self.secret),
        }
    }
}

/// The part of [`Sinks`] that goes to other threads.
#[derive(Clone)]
pub struct SharedSinks {
    /// Where lines go.
    pub lines: BackgroundSink,
    metrics: Arc<Metrics>,
    secret: SecretSink,
}

impl From<SharedSinks> for Sinks {
    fn from(shared: SharedSinks) -> Self {
        let SharedSinks { lines, metrics, secret } = shared;
        Sinks { metrics, secret, ..Sinks::shared_by(lines) }
    }
}

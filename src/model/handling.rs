//! What the engine's loop and the handler's thread say to each other.

use crate::model::event::Summary;
use crate::model::{Delivery, StopCause, Task};

/// To the handler.
#[derive(Debug)]
pub enum ToHandler {
    /// Finished tasks, to be handled in this order.
    Deliver(Vec<Delivery>),
    /// The run is complete: call `finish`.
    Finish(Box<Summary>),
    /// The run was stopped: write what is there, and end.
    Close,
}

/// From the handler.
#[derive(Debug)]
pub enum FromHandler {
    /// `start` has returned.
    Started {
        /// What it put, with ids.
        puts: Vec<Task>,
    },
    /// So many deliveries, in their order, are handled.
    Handled {
        /// How many.
        count: usize,
        /// What they put, with ids.
        puts: Vec<Task>,
    },
    /// It takes nothing any more.
    Failed(StopCause),
    /// All is written.
    Closed {
        /// What `finish` returned, as text.
        finish: Option<String>,
        /// Where rows went and how many.
        output: Option<(String, u64)>,
        /// Rows that were not written because whoever read standard output had left.
        lost: u64,
    },
}

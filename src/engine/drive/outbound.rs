//! Frames to workers.

use crate::engine::WorkerId;
use crate::engine::drive::Drive;
use crate::model::Handle;
use crate::wire::frame;
use crate::wire::to_worker::{self, TaskRecord};

impl Drive<'_> {
    /// Tasks, in frames of a bounded size.
    pub(super) fn send(&mut self, worker: WorkerId, tasks: &[Handle]) {
        let Some(seat) = self.seats.get_mut(worker as usize).and_then(Option::as_mut) else { return };
        let out = seat.outbound();
        let mut at = frame::begin(out, to_worker::TASKS);
        for handle in tasks {
            let Some(task) = self.engine.task(*handle) else { continue };
            if out.len() - at >= frame::FULL {
                frame::end(out, at);
                at = frame::begin(out, to_worker::TASKS);
            }
            let (id, key, attempt, state) = (task.id, task.key, task.attempt, task.state);
            let record = TaskRecord { handle: *handle, attempt, id, key, args: task.args, state };
            to_worker::put_task(out, &record);
            self.reporting.started(task, worker);
        }
        frame::end(out, at);
    }

    /// A frame without a body.
    pub(super) fn say(&mut self, worker: WorkerId, kind: u8) {
        if let Some(seat) = self.seat(worker) {
            let out = seat.outbound();
            let at = frame::begin(out, kind);
            frame::end(out, at);
        }
    }
}

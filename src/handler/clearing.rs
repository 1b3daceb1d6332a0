//! Folders of tasks that have ended, removed on a thread of its own: however much lies in them, no commit waits.

use std::fs;
use std::path::PathBuf;
use std::thread::{Builder, JoinHandle};

use crossbeam_channel::{Sender, unbounded};

use crate::model::TaskId;

/// Where the folders lie, and who removes them. Dropped, it waits until they are gone.
pub struct Clearing {
    dirs: PathBuf,
    remover: Option<Remover>,
}

struct Remover {
    tasks: Sender<TaskId>,
    thread: JoinHandle<()>,
}

impl Clearing {
    /// Of the folders in `dirs`. A thread begins when there is something to remove.
    pub fn new(dirs: PathBuf) -> Self {
        Clearing { dirs, remover: None }
    }

    /// The ends of these tasks are kept.
    pub fn clear(&mut self, tasks: Vec<TaskId>) {
        if tasks.is_empty() {
            return;
        }
        if self.remover.is_none() {
            let (sender, inbox) = unbounded();
            let dirs = self.dirs.clone();
            let remove = move || {
                for task in inbox {
                    remove(&dirs, task);
                }
            };
            // without a thread they stay until the end of the run
            let thread = Builder::new().name("clearing".into()).spawn(remove).ok();
            self.remover = thread.map(|thread| Remover { tasks: sender, thread });
        }
        if let Some(remover) = &self.remover {
            // one that panicked removes nothing any more
            tasks.into_iter().for_each(|task| {
                let _ = remover.tasks.send(task);
            });
        }
    }
}

fn remove(dirs: &std::path::Path, task: TaskId) {
    // one that cannot be removed is tried again at the end of the run; it may never have been made
    let _ = fs::remove_dir_all(dirs.join(task.folder()));
}

impl Drop for Clearing {
    fn drop(&mut self) {
        if let Some(Remover { tasks, thread }) = self.remover.take() {
            drop(tasks);
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::Clearing;
    use crate::model::TaskId;
    use crate::model::task::PutBy;

    #[test]
    fn folders_of_these_tasks_go_and_no_others() {
        let place = tempfile::tempdir().expect("a folder");
        let put = TaskId::child(TaskId::at(3), PutBy::Worker, 0);
        let ids = [TaskId::at(1), TaskId::at(2), TaskId::at(12), put];
        for id in ids {
            let deep = place.path().join(id.folder()).join("deep/er");
            fs::create_dir_all(&deep).expect("made");
            fs::write(deep.join("file"), "x").expect("written");
            assert_eq!(TaskId::of_folder(&id.folder()), Some(id));
        }
        let mut clearing = Clearing::new(place.path().to_owned());
        clearing.clear(Vec::new());
        clearing.clear(vec![TaskId::at(1), put, TaskId::at(77)]);
        drop(clearing);
        let left = ids.map(|id| place.path().join(id.folder()).exists());
        assert_eq!(left, [false, true, true, false]);
        for name in ["", "01", "-1", "1x", "ABCDEF", &"F".repeat(32)] {
            assert_eq!(TaskId::of_folder(name), None, "{name}");
        }
    }
}

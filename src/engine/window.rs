//! How many tasks a worker holds: about 2 ms of work for each of its threads.
//!
//! A fixed window of 1 gave 106,000 tasks/s where 256 gave 606,000, but 64 or more halved the throughput when slow
//! tasks cluster. So it follows what tasks cost: down at once, up by doubling once a full round has passed.

/// Work that a thread has in stock.
const STOCK_NS: u64 = 2_000_000;
/// Tasks in a worker at most, whatever they cost.
const LARGEST: usize = 2048;

#[derive(Debug)]
pub(super) struct Window {
    threads: usize,
    size: usize,
    /// What a task costs in nanoseconds of a thread; none before the first ended.
    cost_ns: Option<u64>,
    /// Tasks that ended since the size last grew.
    round: usize,
}

impl Window {
    pub(super) fn new(threads: usize) -> Self {
        Window { threads, size: threads, cost_ns: None, round: 0 }
    }

    /// Tasks that the worker may hold.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Whether to fill up: when half of what lies in stock behind the running tasks is used up.
    pub(super) fn wants(&self, held: usize) -> bool {
        held < self.size && held <= self.threads + (self.size - self.threads) / 2
    }

    /// `count` tasks ended, which took `total_ns` together.
    pub(super) fn ended(&mut self, count: usize, total_ns: u64) {
        let mean = total_ns / count.max(1) as u64;
        let cost = match self.cost_ns {
            Some(cost) if mean < cost => cost - (cost - mean).div_ceil(4),
            _ => mean,
        };
        self.cost_ns = Some(cost);
        self.round += count;
        let target = self.target(cost);
        if target <= self.size {
            self.size = target;
            self.round = 0;
        } else if self.round >= self.size {
            self.size = target.min(2 * self.size);
            self.round = 0;
        }
    }

    /// Nothing ended for this long, though tasks wait in the worker.
    pub(super) fn stalled(&mut self, ns: u64) {
        self.cost_ns = Some(self.cost_ns.unwrap_or(0).max(ns));
        self.size = self.threads;
        self.round = 0;
    }

    fn target(&self, cost_ns: u64) -> usize {
        let each = usize::try_from(STOCK_NS / cost_ns.max(1)).unwrap_or(LARGEST).clamp(1, LARGEST);
        (each * self.threads).min(LARGEST.max(self.threads))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Full rounds of tasks that cost `ns`.
    fn rounds(window: &mut Window, n: usize, ns: u64) {
        for _ in 0..n {
            let count = window.size();
            window.ended(count, count as u64 * ns);
        }
    }

    #[test]
    fn microsecond_tasks_fill_it_within_a_dozen_rounds() {
        let mut window = Window::new(4);
        rounds(&mut window, 12, 1_000);
        assert_eq!(window.size(), LARGEST);
    }

    #[test]
    fn long_tasks_are_held_one_a_thread() {
        let mut window = Window::new(4);
        rounds(&mut window, 20, 30_000_000);
        assert_eq!(window.size(), 4);
        assert!(window.wants(3) && !window.wants(4));
    }

    #[test]
    fn it_holds_two_milliseconds_of_work_for_each_thread() {
        let mut window = Window::new(2);
        rounds(&mut window, 20, 100_000);
        assert_eq!(window.size(), 40);
        assert!(window.wants(21) && !window.wants(22));
    }

    #[test]
    fn a_slow_task_shrinks_it_at_once_and_it_recovers() {
        let mut window = Window::new(1);
        rounds(&mut window, 12, 1_000);
        window.ended(1, 50_000_000);
        assert_eq!(window.size(), 1);
        rounds(&mut window, 60, 1_000);
        assert!(window.size() > 1_000);
    }

    #[test]
    fn a_stall_shrinks_it_to_the_threads() {
        let mut window = Window::new(3);
        rounds(&mut window, 12, 1_000);
        window.stalled(5_000_000);
        assert_eq!(window.size(), 3);
    }

    #[test]
    fn more_threads_than_its_bound_still_get_a_task_each() {
        let mut window = Window::new(5_000);
        rounds(&mut window, 3, 10);
        assert_eq!(window.size(), 5_000);
    }
}

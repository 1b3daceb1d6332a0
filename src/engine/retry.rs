//! Whether and when a task that failed is tried again. While it waits it is nowhere but here: it holds no slot.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::engine::entry::{At, End, Entry};
use crate::engine::{Action, Engine, Retry, WorkerId};
use crate::model::policy::{Backoff, Retries};
use crate::model::{Failure, Handle, StopCause, TaskId, Verdict};

/// Further attempts of a task that asks for them itself, when `retries` says nothing.
const ASKED: u32 = 3;
/// Deaths of workers are counted by `crash_limit`.
const CRASHED: &str = "crashed";

impl Engine {
    /// An attempt has failed; it is out of its worker's hands.
    pub(super) fn failed(
        &mut self,
        handle: Handle,
        worker: WorkerId,
        elapsed_ns: u64,
        failure: Box<Failure>,
    ) {
        let Some(entry) = self.tasks.get(handle) else { return };
        if !self.limits.is_empty()
            && let Some(after_ns) = failure.after_ns.filter(|_| !failure.asked)
        {
            self.limits.pause(entry.lane, self.now_ns.saturating_add(after_ns));
        }
        let most = most_retries(&self.config.retries, &failure);
        if entry.failures < most {
            return self.retry(handle, worker, elapsed_ns, *failure, most);
        }
        let cause = failure
            .abort
            .then(|| StopCause::Aborted { task: entry.task.id.to_string(), reason: failure.message.clone() });
        self.end(handle, End { worker, elapsed_ns, verdict: Verdict::Failed(failure) });
        if let Some(cause) = cause {
            self.stop(cause);
        }
    }

    fn retry(&mut self, handle: Handle, worker: WorkerId, elapsed_ns: u64, failure: Failure, most: u32) {
        let Some(entry) = self.tasks.get_mut(handle) else { return };
        let next_ns = delay_ns(&self.config.retries, &failure, entry);
        entry.failures += 1;
        entry.at = At::Delayed;
        self.retrying += 1;
        let tried = entry.tried();
        self.delayed.push(self.now_ns.saturating_add(next_ns), entry.order, handle);
        let (attempt, attempts) = (entry.starts, entry.starts + 1 + most - entry.failures);
        let retry = Retry { task: handle, worker, attempt, elapsed_ns, failure, attempts, next_ns };
        self.actions.push(Action::TellRetry(Box::new(retry)));
        if !self.handler_gone {
            self.remember.push(tried);
        }
    }
}

/// How many attempts after the first a task may have that fails in this way.
fn most_retries(retries: &Retries, failure: &Failure) -> u32 {
    let listed = |codes: &Vec<String>| codes.contains(&failure.code);
    if failure.abort || failure.retryable == Some(false) || failure.code == CRASHED {
        0
    } else if failure.asked && retries.count == 0 {
        ASKED
    } else if failure.asked || retries.on.as_ref().is_none_or(listed) {
        retries.count
    } else {
        0
    }
}

/// From the end of an attempt to the next. What the other side asked for is kept to the letter.
fn delay_ns(retries: &Retries, failure: &Failure, entry: &Entry) -> u64 {
    failure.after_ns.unwrap_or_else(|| backoff_ns(retries, entry.failures, entry.task.id, entry.starts))
}

/// `before`: how often the task had failed before.
fn backoff_ns(retries: &Retries, before: u32, task: TaskId, attempt: u32) -> u64 {
    let factor = match retries.backoff {
        Backoff::Fixed => 1,
        Backoff::Exponential => 1_u64.checked_shl(before).unwrap_or(u64::MAX),
    };
    let full = retries.delay_ns.saturating_mul(factor).min(retries.max_delay_ns);
    if !retries.jitter {
        return full;
    }
    let hash = xxh3_64_with_seed(&task.bits().to_le_bytes(), u64::from(attempt));
    let varied = full / 2;
    // the upper half of the product: evenly between 0 and `varied`
    let part = (u128::from(varied) * u128::from(hash)) >> 64;
    let part = part as u64;
    full - varied + part
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, proptest};

    const S: u64 = 1_000_000_000;

    fn plain(backoff: Backoff) -> Retries {
        Retries { count: 9, backoff, jitter: false, ..Retries::default() }
    }

    #[test]
    fn delays_double_up_to_the_longest_or_stay() {
        let delays = |retries: &Retries| {
            [0, 1, 2, 5, 6, 63, 64, 1_000].map(|before| backoff_ns(retries, before, TaskId::at(1), 1) / S)
        };
        assert_eq!(delays(&plain(Backoff::Exponential)), [1, 2, 4, 32, 60, 60, 60, 60]);
        assert_eq!(delays(&plain(Backoff::Fixed)), [1; 8]);
    }

    #[test]
    fn delays_of_tasks_and_attempts_differ_and_are_the_same_each_time() {
        let retries = Retries { jitter: true, ..plain(Backoff::Fixed) };
        let delay = |task, attempt| backoff_ns(&retries, 0, TaskId::at(task), attempt);
        assert_ne!(delay(1, 1), delay(2, 1));
        assert_ne!(delay(1, 1), delay(1, 2));
        assert_eq!(delay(1, 1), delay(1, 1));
        let all: Vec<u64> = (0..1_000).map(|task| delay(task, 1)).collect();
        assert!(all.iter().any(|ns| *ns < S * 11 / 20) && all.iter().any(|ns| *ns > S * 19 / 20));
    }

    #[test]
    fn what_is_tried_again_and_how_often() {
        let failure = |code: &str| Failure::new(code, "no");
        let asked = |code: &str| Failure { asked: true, ..failure(code) };
        let some = Retries { count: 2, ..Retries::default() };
        let on = Retries { on: Some(vec!["http_status".into(), "crashed".into()]), ..some.clone() };
        let never = Failure { retryable: Some(false), ..asked("http_status") };
        let abort = Failure { abort: true, ..failure("http_status") };
        for (retries, failure, most) in [
            (&some, failure("lua_error"), 2),
            (&some, failure("timeout"), 2),
            (&on, failure("lua_error"), 0),
            (&on, failure("http_status"), 2),
            (&on, asked("lua_error"), 2),
            (&Retries::default(), asked("lua_error"), 3),
            (&Retries::default(), Failure { retryable: Some(true), ..failure("http_status") }, 0),
            (&on, never, 0),
            (&some, abort, 0),
            (&on, failure("crashed"), 0),
        ] {
            assert_eq!(most_retries(retries, &failure), most, "{failure:?}");
        }
    }

    proptest! {
        #[test]
        fn a_varied_delay_is_between_half_and_all_of_it(
            delay in any::<u64>(), most in any::<u64>(), before in 0..80_u32, task in any::<u64>(),
        ) {
            let retries = Retries { delay_ns: delay, max_delay_ns: most, ..plain(Backoff::Exponential) };
            let full = backoff_ns(&retries, before, TaskId::at(task), 1);
            let varied = backoff_ns(&Retries { jitter: true, ..retries }, before, TaskId::at(task), 1);
            assert!(varied >= full / 2 && varied <= full && full <= most);
        }
    }
}

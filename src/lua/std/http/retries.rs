//! `retries` of a request: which failures are tried again, and when.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::time::Duration;

use mlua::{Table, Value};

use crate::lua::error::{LibError, Raised, describe_error};
use crate::lua::options::Options;

/// The defaults of the times are those of `retries` in a manifest.
#[derive(Clone, Debug)]
pub(super) struct Retries {
    /// Tries after the first.
    count: u32,
    delay: Duration,
    /// Also the longest `Retry-After` that is waited for.
    max_delay: Duration,
    /// Doubles the delay each time.
    grows: bool,
    jitter: bool,
    /// None: what the error says of itself.
    on: Option<On>,
}

#[derive(Clone, Debug, Default)]
struct On {
    statuses: Vec<u16>,
    codes: Vec<String>,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            count: 0,
            delay: Duration::from_secs(1),
            max_delay: Duration::from_secs(60),
            grows: true,
            jitter: true,
            on: None,
        }
    }
}

/// Most tries after the first.
const MOST: usize = 1000;

impl Retries {
    /// A number, or a table.
    ///
    /// # Errors
    /// On anything else.
    pub fn read(value: &Value) -> Result<Self, LibError> {
        let wrong = || LibError::invalid(format!("option `retries` must be 0 to {MOST}, or a table"));
        match value {
            Value::Integer(count) => {
                let count = usize::try_from(*count).ok().filter(|count| *count <= MOST).ok_or_else(wrong)?;
                Ok(Self { count: count as u32, ..Self::default() })
            }
            Value::Table(table) => Self::from_table(table.clone())
                .map_err(|error| LibError::invalid(format!("option `retries`: {}", error.message()))),
            _ => Err(wrong()),
        }
    }

    fn from_table(table: Table) -> Result<Self, LibError> {
        let mut options = Options::new(Some(table));
        let usual = Self::default();
        let count = options.count("count")?.ok_or_else(|| LibError::invalid("option `count` is needed"))?;
        if count > MOST {
            return Err(LibError::invalid(format!("option `count` must be 0 to {MOST}")));
        }
        let read = Self {
            count: count as u32,
            delay: options.duration("delay")?.unwrap_or(usual.delay),
            max_delay: options.duration("max_delay")?.unwrap_or(usual.max_delay),
            grows: options.word("backoff", &["exponential", "fixed"])? != Some("fixed"),
            jitter: options.bool("jitter")?.unwrap_or(true),
            on: options.table("on")?.map(On::read).transpose()?,
        };
        options.finish()?;
        Ok(read)
    }

    /// Whether a reply with this status is tried again, so long as tries are left.
    pub fn wants_status(&self, status: u16, passing: bool) -> bool {
        self.on.as_ref().map_or(passing, |on| on.statuses.contains(&status) || status >= 400 && on.http())
    }

    /// Whether there is a try after this one, counted from 0.
    pub fn are_left(&self, tried: u32) -> bool {
        tried < self.count
    }

    /// How long to wait before the next try; none when this failure is final.
    pub fn pause(&self, tried: u32, error: &LibError) -> Option<Duration> {
        if !self.are_left(tried) {
            return None;
        }
        let raised = describe_error(error);
        let wanted = match &self.on {
            None => raised.retryable && raised.code != "cancelled",
            Some(on) => on.has(&raised),
        };
        if !wanted {
            return None;
        }
        match raised.retry_after {
            // Kept to the letter; one that asks for more is better waited for without holding a thread.
            Some(asked) => Duration::try_from_secs_f64(asked).ok().filter(|asked| *asked <= self.max_delay),
            None => Some(self.backoff(tried)),
        }
    }

    fn backoff(&self, tried: u32) -> Duration {
        let factor = if self.grows { 1_u32.checked_shl(tried).unwrap_or(u32::MAX) } else { 1 };
        let full = self.delay.saturating_mul(factor).min(self.max_delay);
        if !self.jitter {
            return full;
        }
        // Evenly between the half and the whole; the keys of a new hasher are random.
        let part = (RandomState::new().hash_one(tried) >> 11) as f64 / (1_u64 << 53) as f64;
        full.mul_f64(0.5 + part / 2.0)
    }
}

impl On {
    fn read(list: Table) -> Result<Self, LibError> {
        let mut on = Self::default();
        for value in list.sequence_values::<Value>() {
            match value? {
                Value::Integer(status @ 100..=999) => on.statuses.push(status as u16),
                Value::String(code) => on.codes.push(code.to_string_lossy()),
                _ => {
                    return Err(LibError::invalid(
                        "option `on` must be a list of statuses and codes, as {429, \"timeout\"}",
                    ));
                }
            }
        }
        Ok(on)
    }

    fn http(&self) -> bool {
        self.codes.iter().any(|code| code == "http_status")
    }

    fn has(&self, raised: &Raised) -> bool {
        raised.status.is_some_and(|status| self.statuses.contains(&status))
            || self.codes.contains(&raised.code)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mlua::{Lua, Value};

    use super::Retries;
    use crate::lua::error::LibError;

    fn read(text: &str) -> Result<Retries, LibError> {
        Retries::read(&Lua::new().load(text).eval::<Value>().expect("Lua"))
    }

    #[test]
    fn delays_grow_up_to_the_longest() {
        let retries = read("{count = 50, delay = 1, max_delay = 20, jitter = false}").expect("fits");
        let error = LibError::timeout("late");
        let seconds = |tried| retries.pause(tried, &error).map(|pause| pause.as_secs());
        assert_eq!([0, 1, 4, 5, 40, 49].map(seconds), [1, 2, 16, 20, 20, 20].map(Some));
        assert_eq!(seconds(50), None);
        let retries = read("{count = 9, delay = 4, backoff = 'fixed'}").expect("fits");
        for tried in 0..9 {
            let pause = retries.pause(tried, &error).expect("tried again");
            assert!((Duration::from_secs(2)..=Duration::from_secs(4)).contains(&pause), "{pause:?}");
        }
    }

    #[test]
    fn only_what_may_pass_is_tried_again_unless_it_is_listed() {
        let retries = read("3").expect("fits");
        let passing = |wait| LibError::new("http_status", "").status(503).retryable(true).retry_after(wait);
        assert!(retries.pause(0, &LibError::new("redirect", "")).is_none());
        assert!(retries.pause(0, &LibError::new("cancelled", "").retryable(true)).is_none());
        assert_eq!(retries.pause(0, &passing(Some(7.0))), Some(Duration::from_secs(7)));
        assert_eq!(retries.pause(0, &passing(Some(61.0))), None, "longer than max_delay");
        assert!(retries.pause(3, &passing(None)).is_none());
        let retries = read("{count = 1, on = {404, 'tls'}}").expect("fits");
        assert!(retries.pause(0, &LibError::new("http_status", "").status(404)).is_some());
        assert!(retries.pause(0, &LibError::new("tls", "")).is_some());
        assert!(retries.pause(0, &passing(None)).is_none());
        assert!(retries.wants_status(404, false) && !retries.wants_status(503, true));
    }

    #[test]
    fn wrong_values_are_refused() {
        for text in ["-1", "true", "{}", "{count = 1, on = 5}", "{count = 1, on = {true}}", "{count = 2000}"]
        {
            assert_eq!(read(text).expect_err(text).code(), "invalid");
        }
        let error = read("{count = 1, delai = 1}").expect_err("unknown");
        assert_eq!(error.message(), "option `retries`: unknown option `delai`; did you mean `delay`?");
    }
}

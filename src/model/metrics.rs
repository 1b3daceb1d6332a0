//! Figures that scripts count, of four kinds: gathered where they are counted, and added up in the coordinator.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Series (a name with its labels) of a run at most.
pub const MOST_SERIES: usize = 1_000;

/// What is done with the values of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Added up.
    Counter,
    /// The last one is what counts.
    Gauge,
    /// How many of all are true.
    Rate,
    /// Their distribution.
    Trend,
}

impl Kind {
    /// Its name in scripts and reports.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Rate => "rate",
            Kind::Trend => "trend",
        }
    }
}

/// What a series has gathered.
#[derive(Clone, Debug, PartialEq)]
pub enum Figure {
    /// The sum.
    Counter(f64),
    /// The last value and when it was set, the least and the greatest.
    Gauge {
        /// The last one.
        last: f64,
        /// On the machine's monotonic clock.
        at_ns: u64,
        /// The least.
        min: f64,
        /// The greatest.
        max: f64,
    },
    /// How many are true, of how many.
    Rate {
        /// True ones.
        yes: u64,
        /// All.
        all: u64,
    },
    /// All values.
    Trend(Box<Trend>),
}

impl Figure {
    /// Of one value; for a rate, whether it is 0.
    pub fn of(kind: Kind, value: f64, now_ns: u64) -> Self {
        match kind {
            Kind::Counter => Figure::Counter(value),
            Kind::Gauge => Figure::Gauge { last: value, at_ns: now_ns, min: value, max: value },
            Kind::Rate => Figure::Rate { yes: u64::from(value != 0.0), all: 1 },
            Kind::Trend => {
                let mut trend = Trend::default();
                trend.add(value);
                Figure::Trend(Box::new(trend))
            }
        }
    }

    /// Which of the four.
    pub fn kind(&self) -> Kind {
        match self {
            Figure::Counter(_) => Kind::Counter,
            Figure::Gauge { .. } => Kind::Gauge,
            Figure::Rate { .. } => Kind::Rate,
            Figure::Trend(_) => Kind::Trend,
        }
    }

    /// Takes in another one of the same kind.
    fn merge(&mut self, other: Figure) {
        match (self, other) {
            (Figure::Counter(sum), Figure::Counter(more)) => *sum += more,
            (
                Figure::Gauge { last, at_ns, min, max },
                Figure::Gauge { last: l, at_ns: at, min: least, max: most },
            ) => {
                if at >= *at_ns {
                    (*last, *at_ns) = (l, at);
                }
                (*min, *max) = (min.min(least), max.max(most));
            }
            (Figure::Rate { yes, all }, Figure::Rate { yes: more, all: of }) => {
                (*yes, *all) = (yes.saturating_add(more), all.saturating_add(of));
            }
            (Figure::Trend(trend), Figure::Trend(other)) => trend.merge(&other),
            _ => {}
        }
    }
}

/// Each bucket of a trend reaches so many times further than the one before: values are known to a percent.
const GROWTH: f64 = 1.02;
/// Nearer to 0 all values are one bucket, and beyond the other end too; least, greatest and mean are exact.
const NEAREST: f64 = 1e-9;
const FARTHEST: f64 = 1e15;
/// Of the bucket that begins at 1, so that those of positive values are positive.
const MIDDLE: i32 = 1_100;
/// A bucket's number at most.
pub const LAST_BUCKET: i32 = 2_900;

/// A distribution of any numbers, in a bounded number of buckets (as DDSketch of Masson, Rim and Lee, 2019).
/// `hdrhistogram` takes integers of a range that has to be known before.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trend {
    /// Values.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// How many in which bucket; numbers grow with the values.
    pub buckets: BTreeMap<i32, u64>,
}

impl Trend {
    /// One more value.
    pub fn add(&mut self, value: f64) {
        let (least, most) = if self.count == 0 { (value, value) } else { (self.min, self.max) };
        (self.min, self.max) = (least.min(value), most.max(value));
        self.count += 1;
        self.sum += value;
        *self.buckets.entry(bucket(value)).or_default() += 1;
    }

    fn merge(&mut self, other: &Trend) {
        let (least, most) = if self.count == 0 { (other.min, other.max) } else { (self.min, self.max) };
        (self.min, self.max) = (least.min(other.min), most.max(other.max));
        self.count = self.count.saturating_add(other.count);
        self.sum += other.sum;
        for (bucket, count) in &other.buckets {
            let all = self.buckets.entry((*bucket).clamp(-LAST_BUCKET, LAST_BUCKET)).or_default();
            *all = all.saturating_add(*count);
        }
    }

    /// The value below which this part of all lies, to a percent.
    pub fn quantile(&self, part: f64) -> f64 {
        let rank = ((self.count as f64 * part).ceil() as u64).max(1);
        if rank >= self.count {
            return self.max;
        }
        let mut seen = 0_u64;
        for (bucket, count) in &self.buckets {
            seen = seen.saturating_add(*count);
            if seen >= rank {
                return middle(*bucket).max(self.min).min(self.max);
            }
        }
        self.max
    }
}

fn bucket(value: f64) -> i32 {
    let size = value.abs();
    if size < NEAREST {
        return 0;
    }
    let number = MIDDLE + (size.min(FARTHEST).ln() / GROWTH.ln()).ceil() as i32;
    if value < 0.0 { -number } else { number }
}

fn middle(bucket: i32) -> f64 {
    if bucket == 0 {
        return 0.0;
    }
    let end = GROWTH.powi(bucket.abs() - MIDDLE);
    let size = end * 2.0 / (1.0 + GROWTH);
    if bucket < 0 { -size } else { size }
}

/// Why a value was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There are [`MOST_SERIES`] others.
    #[error("metrics have {MOST_SERIES} series (a name with its labels) at most, and this is one more")]
    Full,
    /// The name stands for another kind.
    #[error("it is a {} elsewhere: a name has one kind", .0.word())]
    Kind(Kind),
}

/// The series of a process; what was taken out of it begins anew.
#[derive(Default)]
pub struct Metrics {
    gathered: Mutex<Gathered>,
    has_news: AtomicBool,
    told: Option<Box<dyn Fn() + Send + Sync>>,
}

#[derive(Default)]
struct Gathered {
    /// By [`key`]; none: nothing since it was taken out.
    series: HashMap<Box<str>, Option<Figure>>,
    kinds: HashMap<Box<str>, Kind>,
}

impl Metrics {
    /// One that calls `told` when it has news after it had none.
    pub fn telling(told: impl Fn() + Send + Sync + 'static) -> Self {
        Metrics { told: Some(Box::new(told)), ..Metrics::default() }
    }

    /// One value of the series with this key.
    ///
    /// # Errors
    /// When it is not counted.
    pub fn add(&self, key: &str, kind: Kind, value: f64, now_ns: u64) -> Result<(), Refused> {
        let mut gathered = self.lock();
        match gathered.series.get_mut(key) {
            // the usual way, without memory of its own
            Some(Some(Figure::Counter(sum))) if kind == Kind::Counter => *sum += value,
            Some(Some(Figure::Trend(trend))) if kind == Kind::Trend => trend.add(value),
            _ => gathered.merge(key, Figure::of(kind, value, now_ns))?,
        }
        drop(gathered);
        if !self.has_news.swap(true, Ordering::AcqRel)
            && let Some(told) = &self.told
        {
            told();
        }
        Ok(())
    }

    /// What another process has gathered.
    ///
    /// # Errors
    /// When it is not counted.
    pub fn merge(&self, key: &str, figure: Figure) -> Result<(), Refused> {
        self.lock().merge(key, figure)
    }

    /// Whether something came since [`take`](Self::take).
    pub fn has_news(&self) -> bool {
        self.has_news.load(Ordering::Acquire)
    }

    /// Takes out what came.
    pub fn take(&self) -> Vec<(Box<str>, Figure)> {
        let mut gathered = self.lock();
        self.has_news.store(false, Ordering::Release);
        let taken = gathered.series.iter_mut();
        taken.filter_map(|(key, figure)| Some((key.clone(), figure.take()?))).collect()
    }

    /// All that there is, in the order of the names.
    pub fn sums(&self) -> Vec<Metric> {
        let gathered = self.lock();
        let mut all: Vec<Metric> = gathered
            .series
            .iter()
            .filter_map(|(key, figure)| {
                let (name, labels) = parts(key);
                Some(Metric { name, labels, figure: figure.clone()? })
            })
            .collect();
        all.sort_by(|a, b| (&a.name, &a.labels).cmp(&(&b.name, &b.labels)));
        all
    }

    fn lock(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Gathered {
    fn merge(&mut self, key: &str, figure: Figure) -> Result<(), Refused> {
        let name = key.split('\0').next().unwrap_or_default();
        match self.kinds.get(name) {
            Some(kind) if *kind != figure.kind() => return Err(Refused::Kind(*kind)),
            _ => {}
        }
        if let Some(known) = self.series.get_mut(key) {
            match known {
                Some(known) => known.merge(figure),
                None => *known = Some(figure),
            }
            return Ok(());
        }
        if self.series.len() >= MOST_SERIES {
            return Err(Refused::Full);
        }
        self.kinds.insert(name.into(), figure.kind());
        self.series.insert(key.into(), Some(figure));
        Ok(())
    }
}

/// A series at the end of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// Its labels, in the order of their names.
    pub labels: Vec<(String, String)>,
    /// What was counted.
    pub figure: Figure,
}

/// A name and its labels in one text; none of them holds a zero byte.
pub fn key(name: &str, labels: &[(String, String)]) -> String {
    let mut key = name.to_owned();
    for (label, value) in labels {
        key.push('\0');
        key.push_str(label);
        key.push('\0');
        key.push_str(value);
    }
    key
}

fn parts(key: &str) -> (String, Vec<(String, String)>) {
    let mut parts = key.split('\0').map(str::to_owned);
    let name = parts.next().unwrap_or_default();
    let mut labels = Vec::new();
    while let Some(label) = parts.next() {
        labels.push((label, parts.next().unwrap_or_default()));
    }
    (name, labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trend_knows_its_quantiles_to_a_percent() {
        let mut trend = Trend::default();
        for n in 1..=10_000 {
            trend.add(f64::from(n) / 1e4);
        }
        for part in [0.01, 0.5, 0.95, 0.99] {
            let found = trend.quantile(part);
            assert!((found - part).abs() <= part * 0.0101, "{part}: {found}");
        }
        assert_eq!((trend.min, trend.max, trend.count), (1e-4, 1.0, 10_000));
        assert_eq!(trend.quantile(1.0), 1.0);
        let mut mixed = Trend::default();
        for value in [-5.0, -1e300, 0.0, 1e-30, 3.0, 1e300, f64::MIN_POSITIVE] {
            mixed.add(value);
        }
        assert!((mixed.quantile(0.0) / -1e15 - 1.0).abs() < 0.02);
        assert_eq!(mixed.quantile(0.5), 0.0);
        assert!((mixed.quantile(0.28) + 5.0).abs() < 0.06 && (mixed.quantile(0.85) - 3.0).abs() < 0.04);
        assert!(mixed.buckets.keys().all(|bucket| bucket.abs() <= LAST_BUCKET));
    }

    #[test]
    fn parts_of_processes_add_up_to_the_whole() {
        let all = Metrics::default();
        let parts = [Metrics::default(), Metrics::default()];
        for n in 0..100_u32 {
            let (part, value) = (&parts[n as usize % 2], f64::from(n) + 0.5);
            for (name, kind) in
                [("c", Kind::Counter), ("g", Kind::Gauge), ("r", Kind::Rate), ("t", Kind::Trend)]
            {
                let value = if kind == Kind::Rate { f64::from(n % 4 / 3) } else { value };
                for metrics in [part, &all] {
                    metrics.add(name, kind, value, u64::from(n)).expect("there is room");
                }
            }
            if n % 7 == 0 {
                for (key, figure) in part.take() {
                    parts[0].merge(&key, figure).expect("there is room");
                }
            }
        }
        for (key, figure) in parts[1].take() {
            parts[0].merge(&key, figure).expect("there is room");
        }
        assert_eq!(parts[0].sums(), all.sums());
        let Figure::Rate { yes, all } = all.sums()[2].figure else { panic!("a rate") };
        assert_eq!((yes, all), (25, 100));
    }

    #[test]
    fn series_are_limited_and_a_name_has_one_kind() {
        let metrics = Metrics::default();
        for n in 0..MOST_SERIES {
            metrics.add(&format!("m\0n\0{n}"), Kind::Counter, 1.0, 0).expect("there is room");
        }
        assert_eq!(metrics.add("other", Kind::Counter, 1.0, 0), Err(Refused::Full));
        assert_eq!(metrics.add("m\0n\x005", Kind::Counter, 1.0, 0), Ok(()));
        assert_eq!(metrics.add("m\0n\x005", Kind::Gauge, 1.0, 0), Err(Refused::Kind(Kind::Counter)));
        assert_eq!(metrics.add("m", Kind::Trend, 1.0, 0), Err(Refused::Kind(Kind::Counter)));
        // what was taken out still counts for the limit, and keeps its kind
        assert_eq!(metrics.take().len(), MOST_SERIES);
        assert!(metrics.take().is_empty() && !metrics.has_news());
        assert_eq!(metrics.add("other", Kind::Counter, 1.0, 0), Err(Refused::Full));
        let labels = [("a".to_owned(), "1".to_owned()), ("b".to_owned(), String::new())];
        assert_eq!(parts(&key("n", &labels)), ("n".to_owned(), labels.to_vec()));
    }

    #[test]
    fn news_are_told_once_until_they_are_taken() {
        let told = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let count = std::sync::Arc::clone(&told);
        let metrics = Metrics::telling(move || {
            count.fetch_add(1, Ordering::Relaxed);
        });
        for _ in 0..3 {
            metrics.add("a", Kind::Counter, 1.0, 0).expect("there is room");
        }
        assert_eq!(told.load(Ordering::Relaxed), 1);
        metrics.take();
        metrics.add("a", Kind::Counter, 1.0, 0).expect("there is room");
        assert_eq!(told.load(Ordering::Relaxed), 2);
    }
}

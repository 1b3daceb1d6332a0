//! What scripts counted, at the end of a run.

use serde_json::{Map, Value, json};

use crate::model::metrics::{Figure, Metric, Trend};
use crate::report::units;

/// An object with its figures; `seconds` is how long the session took.
pub(super) fn json(metric: &Metric, seconds: f64) -> Value {
    let labels: Map<_, _> =
        metric.labels.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
    let figures = match &metric.figure {
        Figure::Counter(sum) => json!({ "value": sum, "per_second": per_second(*sum, seconds) }),
        Figure::Gauge { last, min, max, .. } => json!({ "value": last, "min": min, "max": max }),
        Figure::Rate { yes, all } => json!({ "value": share(*yes, *all), "true": yes, "count": all }),
        Figure::Trend(trend) => {
            let [p50, p95, p99] = quantiles(trend);
            json!({
                "count": trend.count, "mean": mean(trend), "min": trend.min, "p50": p50, "p95": p95, "p99": p99,
                "max": trend.max,
            })
        }
    };
    let mut object = json!({ "name": metric.name, "labels": labels, "kind": metric.figure.kind().word() });
    super::json::merge(&mut object, figures);
    object
}

/// `pages{host=a}  1,200 (12/s)`
pub(super) fn line(metric: &Metric, seconds: f64) -> String {
    let labels: Vec<String> = metric.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
    let figures = match &metric.figure {
        Figure::Counter(sum) => match per_second(*sum, seconds) {
            Some(rate) => format!("{} ({}/s)", number(*sum), number(rate)),
            None => number(*sum),
        },
        Figure::Gauge { last, min, max, .. } => {
            format!("{} (min {} max {})", number(*last), number(*min), number(*max))
        }
        Figure::Rate { yes, all } => {
            let percent = share(*yes, *all) * 100.0;
            format!("{percent:.1}% ({} of {})", units::count(*yes), units::count(*all))
        }
        Figure::Trend(trend) => {
            let [p50, p95, p99] = quantiles(trend).map(number);
            let (mean, min, max) = (number(mean(trend)), number(trend.min), number(trend.max));
            let count = units::count(trend.count);
            format!("mean {mean} min {min} p50 {p50} p95 {p95} p99 {p99} max {max} ({count} values)")
        }
    };
    format!("{}{labels}  {figures}", metric.name)
}

fn per_second(sum: f64, seconds: f64) -> Option<f64> {
    (seconds > 0.0).then(|| sum / seconds)
}

fn share(yes: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { yes as f64 / all as f64 }
}

fn mean(trend: &Trend) -> f64 {
    trend.sum / trend.count.max(1) as f64
}

fn quantiles(trend: &Trend) -> [f64; 3] {
    [0.5, 0.95, 0.99].map(|part| trend.quantile(part))
}

/// Whole numbers whole, others with three digits that count.
fn number(value: f64) -> String {
    let size = value.abs();
    let sign = if value < 0.0 { "-" } else { "" };
    if (value.fract() == 0.0 || size >= 1e3) && size < 1e15 {
        return format!("{sign}{}", units::count(size.round() as u64));
    }
    if !(1e-4..1e15).contains(&size) {
        return format!("{value:.2e}");
    }
    let decimals = (2 - size.log10().floor() as i32).max(0) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(name: &str, figure: Figure) -> Metric {
        Metric { name: name.into(), labels: vec![("host".into(), "a".into())], figure }
    }

    fn all() -> Vec<Metric> {
        let mut trend = Trend::default();
        [0.25, 0.5, 0.75, 1.0].into_iter().for_each(|value| trend.add(value));
        vec![
            metric("pages", Figure::Counter(1234.0)),
            metric("depth", Figure::Gauge { last: -0.5, at_ns: 1, min: -2.0, max: 3e20 }),
            metric("cached", Figure::Rate { yes: 1, all: 3 }),
            metric("took", Figure::Trend(Box::new(trend))),
        ]
    }

    #[test]
    fn lines_are_for_people() {
        let lines: Vec<String> = all().iter().map(|metric| line(metric, 10.0)).collect();
        assert_eq!(
            lines,
            [
                "pages{host=a}  1,234 (123/s)",
                "depth{host=a}  -0.5 (min -2 max 3.00e20)",
                "cached{host=a}  33.3% (1 of 3)",
                "took{host=a}  mean 0.625 min 0.25 p50 0.495 p95 1 p99 1 max 1 (4 values)",
            ]
        );
        assert_eq!(line(&metric("n", Figure::Counter(0.00001)), 0.0), "n{host=a}  1.00e-5");
    }

    #[test]
    fn objects_are_for_programs() {
        let objects: Vec<Value> = all().iter().map(|metric| json(metric, 10.0)).collect();
        assert_eq!(
            objects[0],
            json!({ "name": "pages", "labels": { "host": "a" }, "kind": "counter", "value": 1234.0, "per_second": 123.4 })
        );
        assert_eq!((&objects[2]["true"], &objects[2]["count"]), (&json!(1), &json!(3)));
        assert_eq!(
            (&objects[3]["kind"], &objects[3]["max"], &objects[3]["mean"]),
            (&json!("trend"), &json!(1.0), &json!(0.625))
        );
    }
}

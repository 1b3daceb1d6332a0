//! `-p key=value`: parameters of this run.

use super::scripts::flag_spot;
use crate::manifest::{Diagnostic, Spot, closest, literal, shorten};
use crate::model::Value;

/// `[params]` with the flags applied; a flag may only change what the manifest declares.
pub(super) fn params(declared: &[(String, Value)], flags: &[String], found: &mut Vec<Diagnostic>) -> Value {
    let mut params = declared.to_vec();
    for flag in flags {
        match set(declared, flag) {
            Ok((index, value)) => params[index].1 = value,
            Err(problem) => found.push(*problem),
        }
    }
    Value::Map(params.into_iter().map(|(name, value)| (Value::text(name), value)).collect())
}

fn set(declared: &[(String, Value)], flag: &str) -> Result<(usize, Value), Box<Diagnostic>> {
    let whole = flag_spot("-p", flag);
    let Some((name, text)) = flag.split_once('=') else {
        let found = Diagnostic::at("plan::param", "`-p` needs a name and a value", whole, "no `=` here");
        return Err(Box::new(found.help("write it as -p count=100")));
    };
    let start = whole.span.start;
    let name_spot = Spot::new(&whole.source, start..start + name.len());
    let Some(index) = declared.iter().position(|(known, _)| known == name.trim()) else {
        return Err(Box::new(unknown(declared, name, name_spot)));
    };
    let value_spot = Spot::new(&whole.source, start + name.len() + 1..start + flag.len());
    Ok((index, read(&declared[index], text, value_spot)?))
}

fn unknown(declared: &[(String, Value)], name: &str, spot: Spot) -> Diagnostic {
    let title = format!("the job has no parameter `{}`", shorten(name));
    let found = Diagnostic::at("plan::unknown_param", title, spot.clone(), "not in `[params]`");
    let names = declared.iter().map(|(name, _)| name.as_str());
    match closest(name, names.clone()) {
        Some(meant) => found.help("a parameter with a similar name exists").patch(spot, meant),
        None if declared.is_empty() => {
            found.help("declare it with its default in the manifest, under `[params]`")
        }
        None => found.help(format!("its parameters are {}", names.collect::<Vec<_>>().join(", "))),
    }
}

/// A value of the kind that the manifest declares: text stays text where text is declared (`-p version=1.10`),
/// a number must be one where a number is.
fn read((name, default): &(String, Value), text: &str, spot: Spot) -> Result<Value, Box<Diagnostic>> {
    let written = literal(text.trim());
    match (default, written) {
        (Value::Bytes(_), Some(Value::Bytes(quoted))) => Ok(Value::Bytes(quoted)),
        (Value::Bytes(_), _) => Ok(Value::text(text)),
        (Value::Int(_) | Value::Float(_), Some(number @ (Value::Int(_) | Value::Float(_)))) => Ok(number),
        (Value::Int(_) | Value::Float(_), _) => {
            let title = format!("the parameter `{name}` is a number");
            let found = Diagnostic::at("plan::param", title, spot, "this is none");
            Err(Box::new(found.help(format!("its default is {}", number(default)))))
        }
        (_, Some(value)) => Ok(value),
        (_, None) => Ok(Value::text(text)),
    }
}

fn number(value: &Value) -> String {
    match value {
        Value::Float(number) => format!("{number:?}"),
        Value::Int(number) => number.to_string(),
        _ => "a number".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(flags: &[&str]) -> (Value, Vec<String>) {
        let declared = [
            ("count".to_owned(), Value::Int(5)),
            ("version".to_owned(), Value::text("1.0")),
            ("debug".to_owned(), Value::Bool(false)),
        ];
        let mut found = Vec::new();
        let flags: Vec<_> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let value = params(&declared, &flags, &mut found);
        (value, found.into_iter().map(|found| found.title).collect())
    }

    #[test]
    fn a_flag_changes_what_is_declared() {
        let (value, found) = run(&["count=7", "debug=true", "version=1.10"]);
        assert_eq!(found, Vec::<String>::new());
        assert_eq!(value.get("count"), Some(&Value::Int(7)));
        assert_eq!(value.get("debug"), Some(&Value::Bool(true)));
        assert_eq!(value.get("version"), Some(&Value::text("1.10")));
    }

    #[test]
    fn an_equals_sign_in_the_value_stays() {
        assert_eq!(run(&["version=a=b"]).0.get("version"), Some(&Value::text("a=b")));
    }

    #[test]
    fn a_letter_in_a_number_is_refused() {
        assert_eq!(run(&["count=1O"]).1, ["the parameter `count` is a number"]);
    }

    #[test]
    fn what_is_not_declared_is_refused() {
        assert_eq!(
            run(&["cuont=1", "x"]).1,
            ["the job has no parameter `cuont`", "`-p` needs a name and a value"]
        );
    }
}

//! Items of lists. A list is read as `#` and indexes give it, so that read-only copies work too.

use std::collections::HashMap;

use mlua::{Lua, Table, Value};

use super::draw::{Draw, below, float};
use crate::lua::error::LibError;

/// One item, each as likely as its weight says.
pub(super) fn choice(from: &mut impl Draw, list: &Table, weights: Option<&Table>) -> Result<Value, LibError> {
    let length = list.len()?;
    if length < 1 {
        return Err(LibError::invalid("argument 1 (list) is empty: there is nothing to choose"));
    }
    let at = match weights {
        None => below(from, length.cast_unsigned()).cast_signed() + 1,
        Some(weights) => weighted(from, length, weights)?,
    };
    Ok(list.get(at)?)
}

fn weighted(from: &mut impl Draw, length: i64, weights: &Table) -> Result<i64, LibError> {
    let wrong = |what: String| LibError::invalid(format!("argument 2 (weights) {what}"));
    let given = weights.len()?;
    if given != length {
        return Err(wrong(format!("must be as many as the items: {given} of {length}")));
    }
    let mut sums = Vec::with_capacity(length as usize);
    let mut sum = 0.0;
    for at in 1..=length {
        let value: Value = weights.get(at)?;
        let weight = value.as_number().or_else(|| value.as_integer().map(|whole| whole as f64));
        match weight {
            Some(weight) if weight >= 0.0 && weight.is_finite() => sum += weight,
            _ => return Err(wrong(format!("must be numbers of 0 or more, which number {at} is not"))),
        }
        sums.push(sum);
    }
    if sum <= 0.0 || !sum.is_finite() {
        return Err(wrong("must not all be 0".into()));
    }
    let point = float(from) * sum;
    let at = sums.partition_point(|sum| *sum <= point);
    // rounding may put the point on the sum: the last item that has a weight
    let last = sums.partition_point(|one| *one < sum);
    Ok(at.min(last) as i64 + 1)
}

/// So many different items, in the order in which they were drawn. Costs what the sample costs.
pub(super) fn sample(lua: &Lua, from: &mut impl Draw, list: &Table, count: i64) -> Result<Table, LibError> {
    let length = list.len()?;
    if !(0..=length).contains(&count) {
        return Err(LibError::invalid(format!("argument 2 (count) must be from 0 to {length}, got {count}")));
    }
    // Fisher–Yates over positions of which only the moved ones are kept
    let mut moved: HashMap<i64, i64> = HashMap::new();
    let drawn = lua.create_table_with_capacity(count as usize, 0)?;
    for next in 1..=count {
        let left = (length - next + 1).cast_unsigned();
        let at = next + below(from, left).cast_signed();
        let first = moved.remove(&next).unwrap_or(next);
        let position = if at == next { first } else { moved.insert(at, first).unwrap_or(at) };
        drawn.raw_set(next, list.get::<Value>(position)?)?;
    }
    Ok(drawn)
}

/// A shuffled copy.
pub(super) fn shuffle(lua: &Lua, from: &mut impl Draw, list: &Table) -> Result<Table, LibError> {
    let length = list.len()?;
    let copy = lua.create_table_with_capacity(length as usize, 0)?;
    for at in 1..=length {
        copy.raw_set(at, list.get::<Value>(at)?)?;
    }
    for next in 1..length {
        let at = next + below(from, (length - next + 1).cast_unsigned()).cast_signed();
        if at != next {
            let (one, other): (Value, Value) = (copy.raw_get(next)?, copy.raw_get(at)?);
            copy.raw_set(next, other)?;
            copy.raw_set(at, one)?;
        }
    }
    Ok(copy)
}

//! A value as it crosses between processes, outside of Lua.

/// What a task argument, a result, a row, `meta` or a parameter can be.
///
/// Tables keep the distinction that Lua programs make: [`Value::Array`] has the keys `1..=n` and
/// nothing else, [`Value::Map`] is every other table, in the order in which it was written.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `nil`; only as an argument, a result or an array's hole.
    Nil,
    /// `mpms.null`: a null that can stand in a table (JSON, SQL).
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A 64-bit integer, exact.
    Int(i64),
    /// A float with all its bits, NaN and infinities too.
    Float(f64),
    /// A byte string, not necessarily UTF-8.
    Bytes(Vec<u8>),
    /// The values of the keys `1..=n`.
    Array(Vec<Value>),
    /// Keys and values.
    Map(Vec<(Value, Value)>),
}

impl Value {
    /// A byte string from text.
    pub fn text(text: impl Into<String>) -> Self {
        Value::Bytes(text.into().into_bytes())
    }

    /// The value of `key` when this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Value> {
        let Value::Map(pairs) = self else { return None };
        pairs
            .iter()
            .find(|(name, _)| matches!(name, Value::Bytes(bytes) if bytes == key.as_bytes()))
            .map(|(_, value)| value)
    }

    /// The text of a byte string that is UTF-8.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }
}

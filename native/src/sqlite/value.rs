//! What a cell of a table holds, and the bytes that stand for it at the boundary.

use std::collections::BTreeMap;
use std::fmt::Write;

use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};
use serde::{Deserialize, Serialize};

/// A value of SQLite's five kinds, and text that is no UTF-8, which SQLite keeps too.
///
/// A property's value is the postcard encoding of one, a row's key that of its key columns' values one behind the other.
/// New kinds are only ever added at the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// Nothing.
    Null,
    /// A whole number.
    Integer(i64),
    /// A floating-point number. SQLite keeps no NaN.
    Real(f64),
    /// A text; it may contain NUL.
    Text(String),
    /// Bytes.
    Blob(#[serde(with = "serde_bytes")] Vec<u8>),
    /// A text that is no UTF-8.
    OddText(#[serde(with = "serde_bytes")] Vec<u8>),
}

/// Bytes that stand for no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a value of SQLite, found other bytes")]
pub struct NoValue;

impl Value {
    /// The bytes that stand for it.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// The value that these bytes stand for.
    ///
    /// # Errors
    /// They stand for none, or go on behind it.
    pub fn decode(bytes: &[u8]) -> Result<Value, NoValue> {
        match postcard::take_from_bytes(bytes) {
            Ok((value, [])) => Ok(value),
            _ => Err(NoValue),
        }
    }

    /// As a person reads it: like a literal of SQL.
    pub fn show(&self) -> String {
        match self {
            Value::Null => "NULL".into(),
            Value::Integer(number) => number.to_string(),
            Value::Real(number) => format!("{number:?}"),
            Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
            Value::Blob(bytes) | Value::OddText(bytes) => hex(bytes),
        }
    }

    /// As a program reads it: a text as it is, the others as [`show`](Value::show) has them.
    pub fn plain(&self) -> String {
        match self {
            Value::Text(text) => text.clone(),
            other => other.show(),
        }
    }

    /// SQLite finds 1 and 1.0 equal, so as keys they are one: the whole number.
    fn as_key(&self) -> Value {
        // Between these bounds every whole floating-point number is an `i64`; the upper one, 2^63, is not.
        const BOUND: f64 = 9_223_372_036_854_775_808.0;
        match self {
            #[allow(clippy::cast_possible_truncation)]
            Value::Real(number) if number.fract() == 0.0 && (-BOUND..BOUND).contains(number) => {
                Value::Integer(*number as i64)
            }
            value => value.clone(),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_string())
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Value {
        Value::Text(text.clone())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Integer(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Value {
        Value::Real(number)
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Value {
        Value::Blob(bytes.to_vec())
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Value {
        Value::Blob(bytes)
    }
}

impl From<ValueRef<'_>> for Value {
    fn from(value: ValueRef<'_>) -> Value {
        match value {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => Value::Integer(number),
            ValueRef::Real(number) => Value::Real(number),
            ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Value::Text(text.to_string()),
                Err(_) => Value::OddText(bytes.to_vec()),
            },
            ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
        }
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Integer(number) => ValueRef::Integer(*number),
            Value::Real(number) => ValueRef::Real(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
            Value::OddText(bytes) => ValueRef::Text(bytes),
        }))
    }
}

/// The key of a row whose key columns hold these values, in the order of the key. Numbers that SQLite finds equal give equal
/// keys.
pub fn encode_key(values: &[Value]) -> Vec<u8> {
    values.iter().flat_map(|value| value.as_key().encode()).collect()
}

/// The values of a key.
///
/// # Errors
/// The bytes are no key: they hold no value, something else, or NULL.
pub fn decode_key(mut bytes: &[u8]) -> Result<Vec<Value>, NoValue> {
    let mut values = Vec::new();
    while !bytes.is_empty() {
        let (value, rest) = postcard::take_from_bytes::<Value>(bytes).map_err(|_| NoValue)?;
        if value == Value::Null {
            return Err(NoValue);
        }
        values.push(value);
        bytes = rest;
    }
    if values.is_empty() { Err(NoValue) } else { Ok(values) }
}

/// A key as a person reads it; bytes that are none are shown as they are.
pub fn show_key(bytes: &[u8]) -> String {
    match decode_key(bytes) {
        Ok(values) => values.iter().map(Value::show).collect::<Vec<_>>().join(", "),
        Err(_) => hex(bytes),
    }
}

/// A key as a program reads it and a person types it: its values with commas between.
pub fn plain_key(bytes: &[u8]) -> String {
    match decode_key(bytes) {
        Ok(values) => values.iter().map(Value::plain).collect::<Vec<_>>().join(","),
        Err(_) => hex(bytes),
    }
}

/// All of a row as one value.
pub(super) fn encode_row(values: &BTreeMap<String, Value>) -> Vec<u8> {
    encode(values)
}

/// All of a row, from one value, as rows that are written as a whole have it.
///
/// # Errors
/// The bytes are no row.
pub fn decode_row(bytes: &[u8]) -> Result<BTreeMap<String, Value>, NoValue> {
    match postcard::take_from_bytes(bytes) {
        Ok((values, [])) => Ok(values),
        _ => Err(NoValue),
    }
}

/// Into memory there is nothing that can fail: these types have no length that is not known.
fn encode(value: &impl Serialize) -> Vec<u8> {
    postcard::to_allocvec(value).unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::from("x'");
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text.push('\'');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_were() {
        let values = [
            Value::Null,
            Value::Integer(i64::MAX),
            Value::Integer(i64::MIN),
            Value::Integer((1 << 53) + 1),
            Value::Real(0.1),
            Value::Real(f64::MIN_POSITIVE),
            Value::Real(f64::INFINITY),
            Value::Text("a\0b'c\"d".into()),
            Value::Blob(vec![0, 255, 39]),
            Value::OddText(vec![0xff, 0xfe]),
        ];
        for value in &values {
            assert_eq!(Value::decode(&value.encode()).as_ref(), Ok(value));
        }
        let key: Vec<_> = values.iter().filter(|value| **value != Value::Null).cloned().collect();
        assert_eq!(decode_key(&encode_key(&key)), Ok(key));
    }

    #[test]
    fn equal_numbers_are_one_key() {
        assert_eq!(encode_key(&[Value::Real(1.0)]), encode_key(&[Value::Integer(1)]));
        assert_eq!(encode_key(&[Value::Real(-0.0)]), encode_key(&[Value::Integer(0)]));
        assert_ne!(encode_key(&[Value::Real(1.5)]), encode_key(&[Value::Integer(1)]));
        assert_ne!(encode_key(&[Value::Real(9_223_372_036_854_775_808.0)]), encode_key(&[Value::Integer(i64::MAX)]));
    }

    #[test]
    fn other_bytes_are_an_error() {
        for bytes in [&[][..], &[9], &[3, 255, 255, 255, 255, 15], &[3, 1, 0xff], &[0, 0], &[2, 1, 2]] {
            assert_eq!(Value::decode(bytes), Err(NoValue), "{bytes:?}");
        }
        assert_eq!(decode_key(&[]), Err(NoValue));
        assert_eq!(decode_key(&Value::Null.encode()), Err(NoValue));
        assert!(decode_row(&[255, 255, 255, 255, 15]).is_err());
        for length in 0..4 {
            for seed in 0..=255u8 {
                let bytes: Vec<u8> = (0..length).map(|index| seed.wrapping_mul(37).wrapping_add(index * 91)).collect();
                let _ = (Value::decode(&bytes), decode_key(&bytes), decode_row(&bytes), show_key(&bytes));
            }
        }
    }

    #[test]
    fn people_read_them_as_in_sql() {
        let key = encode_key(&[Value::Text("it's".into()), Value::Blob(vec![1, 0xab]), Value::Integer(-3)]);
        assert_eq!(show_key(&key), "'it''s', x'01ab', -3");
        assert_eq!(Value::Real(2.0).show(), "2.0");
    }
}

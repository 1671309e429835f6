//! What names a row for an application.

use crate::sqlite::Value;

/// What names a row: one value for a key of one column, a tuple or slice of values for a key of several, in the order of the
/// key. A table that declares `PRIMARY KEY (file, tag)` has keys like `("a.flac", "rock")`.
pub trait RowKey {
    /// The values, in the order of the key.
    fn values(&self) -> Vec<Value>;
}

impl<V: Clone + Into<Value>> RowKey for V {
    fn values(&self) -> Vec<Value> {
        vec![self.clone().into()]
    }
}

impl<A, B> RowKey for (A, B)
where
    A: Clone + Into<Value>,
    B: Clone + Into<Value>,
{
    fn values(&self) -> Vec<Value> {
        vec![self.0.clone().into(), self.1.clone().into()]
    }
}

impl<A, B, C> RowKey for (A, B, C)
where
    A: Clone + Into<Value>,
    B: Clone + Into<Value>,
    C: Clone + Into<Value>,
{
    fn values(&self) -> Vec<Value> {
        vec![self.0.clone().into(), self.1.clone().into(), self.2.clone().into()]
    }
}

impl RowKey for &[Value] {
    fn values(&self) -> Vec<Value> {
        self.to_vec()
    }
}

impl RowKey for &Vec<Value> {
    fn values(&self) -> Vec<Value> {
        self.to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_one_column_or_several_are_written_as_they_are_read() {
        let text = |text: &str| Value::Text(text.into());
        assert_eq!("a".values(), [text("a")]);
        assert_eq!(String::from("a").values(), [text("a")]);
        assert_eq!(7.values(), [Value::Integer(7)]);
        assert_eq!(vec![1u8, 2].values(), [Value::Blob(vec![1, 2])]);
        assert_eq!(("a", 7).values(), [text("a"), Value::Integer(7)]);
        assert_eq!(("a", "b", Value::Real(0.5)).values(), [text("a"), text("b"), Value::Real(0.5)]);
        let key = vec![text("a"), text("b")];
        assert_eq!((&key).values(), key);
        assert_eq!(key.as_slice().values(), key);
    }
}

//! Names and texts as they stand in SQL.

/// A name of a table, column or trigger, quoted.
pub(super) fn name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text, quoted.
pub(super) fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// One piece for each of these, joined.
pub(super) fn each<T>(items: &[T], between: &str, piece: impl Fn(usize, &T) -> String) -> String {
    items.iter().enumerate().map(|(index, item)| piece(index, item)).collect::<Vec<_>>().join(between)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_in_names_and_texts_are_doubled() {
        assert_eq!(name("a\"b"), "\"a\"\"b\"");
        assert_eq!(text("it's"), "'it''s'");
        assert_eq!(each(&["a", "b"], ", ", |index, item| format!("{item}{index}")), "a0, b1");
    }
}

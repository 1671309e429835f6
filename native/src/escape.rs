//! Names as people may see them: a file name must not steer a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The text with control characters and direction overrides written out (`\n`, `\u{1b}`), all else as it is.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(steers) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if steers(c) => {
                // Writing to a `String` cannot fail.
                let _ = write!(shown, "\\u{{{:x}}}", c as u32);
            }
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// Control characters, line separators and marks that reorder what follows.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h12_escape_sequences_are_written_out() {
        assert_eq!(escape("\u{1b}[31mred\u{7}\u{9b}x"), "\\u{1b}[31mred\\u{7}\\u{9b}x");
        assert_eq!(escape("a\nb\rc\td"), "a\\nb\\rc\\td");
        assert_eq!(escape("gpj.\u{202e}exe"), "gpj.\\u{202e}exe");
    }

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for name in ["a\\b", "né", "🗒", "-rf", "a b"] {
            assert!(matches!(escape(name), Cow::Borrowed(same) if same == name));
        }
    }
}

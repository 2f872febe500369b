//! Escapes for text columns. PostgreSQL does not store NUL, so NUL is written as `\0` and the backslash as `\\`.

/// Escapes a text for a column.
pub(crate) fn escape_nul(text: &str) -> String {
    if !text.contains(['\0', '\\']) {
        return text.to_owned();
    }
    text.replace('\\', r"\\").replace('\0', r"\0")
}

/// Reverses [`escape_nul`].
pub(crate) fn unescape_nul(text: String) -> String {
    if !text.contains('\\') {
        return text;
    }
    let mut unescaped = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => unescaped.push(match characters.next() {
                Some('0') => '\0',
                Some(other) => other,
                None => '\\',
            }),
            other => unescaped.push(other),
        }
    }
    unescaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_texts_have_no_nul_and_are_unescaped_to_the_original() {
        for text in ["", "plain", "\0", "\\", "\\0", "\\\\0", "a\0\\b\\\0", "\0\0"] {
            let escaped = escape_nul(text);
            assert!(!escaped.contains('\0'));
            assert_eq!(unescape_nul(escaped), text);
        }
        assert_eq!(escape_nul("a\0b\\"), r"a\0b\\");
    }
}

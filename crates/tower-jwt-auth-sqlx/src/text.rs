//! Texts as the tables keep them: PostgreSQL takes no NUL, so it is written `\0`, and the backslash `\\`.

use std::borrow::Cow;

pub(crate) fn to_table(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', '\\']) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace('\\', r"\\").replace('\0', r"\0"))
}

pub(crate) fn from_table(text: String) -> String {
    if !text.contains('\\') {
        return text;
    }
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => plain.push(match characters.next() {
                Some('0') => '\0',
                Some(other) => other,
                None => '\\',
            }),
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_what_was_written_without_a_nul_in_between() {
        for text in ["", "plain", "\0", "\\", "\\0", "\\\\0", "a\0\\b\\\0", "\0\0"] {
            let kept = to_table(text);
            assert!(!kept.contains('\0'));
            assert_eq!(from_table(kept.into_owned()), text);
        }
        assert_eq!(to_table("a\0b\\"), r"a\0b\\");
    }
}

//! Entity tags and the conditional requests that name them (RFC 9110 §8.8.3, §13.1.2).

use http::header::IF_NONE_MATCH;
use http::{HeaderMap, HeaderValue};

use crate::base64url;
use crate::keys::crypto::sha256;

/// The strong entity tag of a body: its hash, so that all nodes give the same body the same tag.
#[derive(Clone, Debug)]
pub(super) struct EntityTag(HeaderValue);

impl EntityTag {
    pub(super) fn of(body: &[u8]) -> Self {
        let tag = format!("\"{}\"", base64url::encode(&sha256(&[body])));
        match HeaderValue::from_str(&tag) {
            Ok(tag) => Self(tag),
            Err(_) => unreachable!("base64url consists of visible ASCII"),
        }
    }

    /// Returns the value of the header `ETag`.
    pub(super) fn to_header(&self) -> HeaderValue {
        self.0.clone()
    }

    /// Returns whether `If-None-Match` contains this tag, by weak comparison, or `*` (RFC 9110 §13.1.2).
    pub(super) fn is_in_none_match(&self, headers: &HeaderMap) -> bool {
        let mut fields = headers.get_all(IF_NONE_MATCH).iter();
        fields.any(|field| contains(field.as_bytes(), self.0.as_bytes()))
    }
}

/// Returns whether a list of entity tags contains this one. The part of a list that follows an error is ignored.
fn contains(list: &[u8], tag: &[u8]) -> bool {
    if list.trim_ascii() == b"*" {
        return true;
    }
    let mut rest = list;
    loop {
        // A list may have empty elements (RFC 9110 §5.6.1.2).
        let is_separator = |byte: &u8| matches!(byte, b' ' | b'\t' | b',');
        rest = rest.split_at(rest.iter().take_while(|byte| is_separator(byte)).count()).1;
        let element = rest.strip_prefix(b"W/").unwrap_or(rest);
        let Some(opaque) = element.strip_prefix(b"\"") else { return false };
        let Some(length) = opaque.iter().position(|byte| *byte == b'"') else { return false };
        let (element, after) = element.split_at(length + 2);
        if !after.first().is_none_or(is_separator) {
            return false;
        }
        if element == tag {
            return true;
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_bodies_have_equal_strong_tags() {
        let (one, other) = (EntityTag::of(b"one"), EntityTag::of(b"other"));
        assert_eq!(one.to_header(), EntityTag::of(b"one").to_header());
        assert_ne!(one.to_header(), other.to_header());
        let text = one.to_header();
        let text = text.to_str().unwrap();
        assert!(text.len() == 45 && text.starts_with('"') && text.ends_with('"'), "{text}");
    }

    #[test]
    fn a_list_contains_the_tag_by_weak_comparison() {
        for list in [
            r#""a""#,
            r#"W/"a""#,
            "*",
            " * ",
            r#""b", "a""#,
            r#""b","a","c""#,
            r#"W/"b" , W/"a""#,
            r#"	"b"	,	"a""#,
            r#", ,, "a""#,
            r#"" , ,b", "a""#,
            r#""a" "#,
        ] {
            assert!(contains(list.as_bytes(), br#""a""#), "{list}");
        }
    }

    #[test]
    fn other_tags_and_errors_do_not_match() {
        for list in [
            "",
            ",",
            "a",
            r#""b""#,
            r#""A""#,
            r#""aa""#,
            r#""a"#,
            r#"a""#,
            r#"w/"a""#,
            r#"W/ "a""#,
            r#"'a'"#,
            r#""b, a""#,
            r#""a"b"#,
            r#"b "a""#,
            "**",
            r#"*, "b""#,
            r#""*""#,
            "W/*",
        ] {
            assert!(!contains(list.as_bytes(), br#""a""#), "{list}");
        }
    }
}

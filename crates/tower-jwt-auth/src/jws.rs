//! The compact serialization (RFC 7515 §3.1) and the header.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};
use zeroize::Zeroize;

use crate::algorithm::Algorithm;
use crate::error::{TokenError, TokenPart};

/// The longest token that is looked at, in bytes.
pub(crate) const MAX_TOKEN_LENGTH: usize = 8 * 1024;
/// The most members of one object: no honest token comes near it, and comparing names stays cheap.
const MAX_MEMBERS: usize = 128;

/// The three segments of a token.
#[derive(Clone, Copy)]
pub(crate) struct Segments<'t> {
    pub(crate) header: &'t str,
    pub(crate) claims: &'t str,
    pub(crate) signature: &'t str,
    /// The first two and the dot between them: what is signed.
    pub(crate) signed: &'t str,
}

/// Takes a token apart; there must be exactly three segments.
pub(crate) fn split(token: &str) -> Result<Segments<'_>, TokenError> {
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Encoding)?;
    let (header, claims) = signed.split_once('.').ok_or(TokenError::Encoding)?;
    if claims.contains('.') {
        return Err(TokenError::Encoding);
    }
    Ok(Segments { header, claims, signature, signed })
}

/// Room for what is decoded, used again and again so that checking a token allocates nothing for it.
#[derive(Default)]
pub(crate) struct DecodeBuffer {
    bytes: Vec<u8>,
}

/// The decoded segments.
pub(crate) struct Decoded<'s> {
    pub(crate) header: &'s str,
    pub(crate) claims: &'s str,
    pub(crate) signature: &'s [u8],
}

impl DecodeBuffer {
    /// Decodes base64url without padding, strictly: no other alphabet, no non-zero trailing bits.
    pub(crate) fn decode(&mut self, segments: Segments<'_>) -> Result<Decoded<'_>, TokenError> {
        let length = |text: &str| text.len() / 4 * 3 + 3;
        let (header, claims) = (length(segments.header), length(segments.claims));
        self.bytes.resize(header + claims + length(segments.signature), 0);
        let (header, rest) = self.bytes.split_at_mut(header);
        let (claims, signature) = rest.split_at_mut(claims);
        Ok(Decoded {
            header: text(decode(segments.header, header)?, TokenPart::Header)?,
            claims: text(decode(segments.claims, claims)?, TokenPart::Claims)?,
            signature: decode(segments.signature, signature)?,
        })
    }
}

impl Zeroize for DecodeBuffer {
    fn zeroize(&mut self) {
        self.bytes.zeroize();
    }
}

fn decode<'s>(segment: &str, into: &'s mut [u8]) -> Result<&'s [u8], TokenError> {
    let into = base64_simd::Out::from_slice(into);
    match base64_simd::URL_SAFE_NO_PAD.decode(segment.as_bytes(), into) {
        Ok(decoded) => Ok(decoded),
        Err(_) => Err(TokenError::Encoding),
    }
}

fn text(bytes: &[u8], part: TokenPart) -> Result<&str, TokenError> {
    std::str::from_utf8(bytes).map_err(|_| TokenError::Json(part))
}

/// What matters of a header. Keys and certificates that it brings along are never looked at.
#[derive(Debug)]
pub(crate) struct Header<'s> {
    pub(crate) algorithm: Algorithm,
    pub(crate) key_id: Option<Cow<'s, str>>,
    pub(crate) typ: Option<Cow<'s, str>>,
}

impl<'s> Header<'s> {
    pub(crate) fn parse(json: &'s str) -> Result<Self, TokenError> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let malformed = |_| TokenError::Json(TokenPart::Header);
        let raw = deserializer.deserialize_map(RawHeader::default()).map_err(malformed)?;
        deserializer.end().map_err(malformed)?;
        if raw.critical {
            return Err(TokenError::Critical);
        }
        let algorithm = raw.algorithm.as_deref().and_then(|name| name.parse().ok());
        Ok(Self {
            algorithm: algorithm.ok_or(TokenError::Algorithm)?,
            key_id: raw.key_id,
            typ: raw.typ,
        })
    }

    /// Whether the `typ` is this media type, with or without `application/`, in any case (RFC 7515 §4.1.9).
    pub(crate) fn has_type(&self, expected: &str) -> bool {
        const PREFIX: &str = "application/";
        let Some(typ) = self.typ.as_deref() else { return false };
        let bare = match typ.get(..PREFIX.len()) {
            Some(prefix) if prefix.eq_ignore_ascii_case(PREFIX) => &typ[PREFIX.len()..],
            _ => typ,
        };
        bare.eq_ignore_ascii_case(expected)
    }
}

#[derive(Default)]
struct RawHeader<'s> {
    algorithm: Option<Cow<'s, str>>,
    key_id: Option<Cow<'s, str>>,
    typ: Option<Cow<'s, str>>,
    critical: bool,
    others: SeenNames<'s>,
}

impl<'s> Visitor<'s> for RawHeader<'s> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a header")
    }

    fn visit_map<A: MapAccess<'s>>(mut self, mut map: A) -> Result<Self, A::Error> {
        while let Some(Text(name)) = map.next_key()? {
            match &*name {
                "alg" => set_once(&mut self.algorithm, map.next_value::<Text<'s>>()?.0)?,
                "kid" => set_once(&mut self.key_id, map.next_value::<Text<'s>>()?.0)?,
                "typ" => set_once(&mut self.typ, map.next_value::<Text<'s>>()?.0)?,
                other => {
                    self.critical |= other == "crit";
                    map.next_value::<IgnoredAny>()?;
                    self.others.add(name)?;
                }
            }
        }
        Ok(self)
    }
}

/// A member that may be there once.
pub(crate) fn set_once<T, E: serde::de::Error>(member: &mut Option<T>, value: T) -> Result<(), E> {
    if member.replace(value).is_some() { Err(E::custom("two members of one name")) } else { Ok(()) }
}

/// The names of those members of an object that have no place of their own, so that a second one of a name is
/// found. Empty, and without allocation, for most headers.
#[derive(Default)]
pub(crate) struct SeenNames<'s> {
    seen: Vec<Cow<'s, str>>,
}

impl<'s> SeenNames<'s> {
    pub(crate) fn add<E: serde::de::Error>(&mut self, name: Cow<'s, str>) -> Result<(), E> {
        if self.seen.len() == MAX_MEMBERS || self.seen.contains(&name) {
            return Err(E::custom("too many members, or two of one name"));
        }
        self.seen.push(name);
        Ok(())
    }
}

/// A JSON string, borrowed where it has no escapes.
pub(crate) struct Text<'s>(pub(crate) Cow<'s, str>);

impl<'s> serde::Deserialize<'s> for Text<'s> {
    fn deserialize<D: serde::Deserializer<'s>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'s> Visitor<'s> for TextVisitor {
            type Value = Text<'s>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'s str) -> Result<Text<'s>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'s>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(TextVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_exactly_three_segments() {
        assert!(split("a.b.c").is_ok());
        for bad in ["", "a", "a.b", "a.b.c.d", "a.b.c.d.e"] {
            assert_eq!(split(bad).err(), Some(TokenError::Encoding), "{bad}");
        }
    }

    fn decodes(segment: &str) -> bool {
        let token = format!("e30.{segment}.AA");
        DecodeBuffer::default().decode(split(&token).unwrap()).is_ok()
    }

    #[test]
    fn segments_are_canonical_base64url() {
        assert!(decodes("e30"));
        assert!(decodes(""));
        for bad in ["e30=", "e31", "e3+", "e3/", "e3 ", "e", "e30\n", "é30"] {
            assert!(!decodes(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_segment_of_any_length_fits_the_scratch() {
        let mut buffer = DecodeBuffer::default();
        for length in 0..200 {
            let text = base64_simd::URL_SAFE_NO_PAD.encode_to_string(vec![b'{'; length]);
            let token = format!("{text}.{text}.{text}");
            let decoded = buffer.decode(split(&token).unwrap()).unwrap();
            assert_eq!(decoded.header.len(), length);
            assert_eq!(decoded.claims.len(), length);
            assert_eq!(decoded.signature, vec![b'{'; length]);
        }
    }

    #[test]
    fn a_header_is_an_object_with_distinct_names() {
        let error = |json: &str| Header::parse(json).err();
        assert_eq!(error(r#"{"alg":"ES256","jwk":{"alg":1},"x5c":[1]}"#), None);
        for bad in [
            "",
            "[]",
            "1",
            "\"x\"",
            "null",
            "{",
            r#"{"alg":"ES256"} x"#,
            r#"{"alg":1}"#,
            r#"{"alg":null}"#,
            r#"{"alg":"ES256","kid":1}"#,
            r#"{"alg":"ES256","alg":"ES256"}"#,
            r#"{"alg":"ES256","\u0061lg":"ES256"}"#,
            r#"{"alg":"ES256","x":1,"x":1}"#,
            r#"{"alg":"ES256","crit":["x"],"crit":["x"]}"#,
        ] {
            assert_eq!(error(bad), Some(TokenError::Json(TokenPart::Header)), "{bad}");
        }
        for alg in ["none", "None", "NONE", "nOnE", "ES512", "hs256"] {
            let json = format!(r#"{{"alg":"{alg}"}}"#);
            assert_eq!(error(&json), Some(TokenError::Algorithm), "{alg}");
        }
        assert_eq!(error(r#"{"typ":"JWT"}"#), Some(TokenError::Algorithm));
        for crit in [r#"["b64"]"#, "[]", "null", "1"] {
            let json = format!(r#"{{"alg":"ES256","crit":{crit},"b64":true}}"#);
            assert_eq!(error(&json), Some(TokenError::Critical), "{crit}");
        }
    }

    #[test]
    fn too_many_members_are_refused() {
        let members: Vec<_> = (0..=MAX_MEMBERS).map(|n| format!(r#""m{n}":0"#)).collect();
        let json = format!(r#"{{"alg":"ES256",{}}}"#, members.join(","));
        assert!(Header::parse(&json).is_err());
        let json = format!(r#"{{"alg":"ES256",{}}}"#, members[1..].join(","));
        assert!(Header::parse(&json).is_ok());
    }

    #[test]
    fn a_type_is_matched_without_case_and_prefix() {
        let has = |typ: &str| {
            let json = format!(r#"{{"alg":"ES256","typ":"{typ}"}}"#);
            Header::parse(&json).unwrap().has_type("at+jwt")
        };
        for good in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
            assert!(has(good), "{good}");
        }
        for bad in
            ["", "JWT", "at+jwt ", "x/at+jwt", "refresh+jwt", "application/", "applicatioé/at+jwt"]
        {
            assert!(!has(bad), "{bad}");
        }
        assert!(!Header::parse(r#"{"alg":"ES256"}"#).unwrap().has_type("at+jwt"));
    }
}

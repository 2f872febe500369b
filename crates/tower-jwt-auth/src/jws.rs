//! The compact serialization (RFC 7515 §3.1) and the header (RFC 7515 §4).

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};
use zeroize::Zeroize;

use crate::algorithm::Algorithm;
use crate::error::{TokenError, TokenPart};

/// The maximum length of a token in bytes, unless a verifier has another one. Longer ones are rejected unread.
pub(crate) const MAX_TOKEN_LENGTH: usize = 8 * 1024;
/// The maximum number of members of an object that have no field of their own. It bounds the comparisons of names.
const MAX_MEMBERS: usize = 128;

/// The three segments of a token.
#[derive(Clone, Copy)]
pub(crate) struct Segments<'t> {
    pub(crate) header: &'t str,
    pub(crate) claims: &'t str,
    pub(crate) signature: &'t str,
    /// The signing input: the first two segments and the dot between them (RFC 7515 §5.1).
    pub(crate) signing_input: &'t str,
}

/// Splits a token into its segments, of which there must be exactly three.
pub(crate) fn split(token: &str) -> Result<Segments<'_>, TokenError> {
    let mut dots = memchr::memchr_iter(b'.', token.as_bytes());
    let (Some(first), Some(second), None) = (dots.next(), dots.next(), dots.next()) else {
        return Err(TokenError::Encoding);
    };
    Ok(Segments {
        header: &token[..first],
        claims: &token[first + 1..second],
        signature: &token[second + 1..],
        signing_input: &token[..second],
    })
}

/// A reusable buffer for decoded segments, so that verifying a token does not allocate one.
#[derive(Default)]
pub(crate) struct DecodeBuffer {
    bytes: Vec<u8>,
}

/// The decoded segments.
pub(crate) struct Decoded<'s> {
    /// `None` if the header was skipped.
    pub(crate) header: Option<&'s str>,
    pub(crate) claims: &'s str,
    pub(crate) signature: &'s [u8],
}

impl DecodeBuffer {
    /// Decodes base64url without padding (RFC 7515 §2). Other alphabets and non-zero trailing bits are rejected.
    pub(crate) fn decode(
        &mut self,
        segments: Segments<'_>,
        skips_header: bool,
    ) -> Result<Decoded<'_>, TokenError> {
        let length = |text: &str| text.len() / 4 * 3 + 3;
        let encoded_header = if skips_header { "" } else { segments.header };
        let (header, claims) = (length(encoded_header), length(segments.claims));
        let total = header + claims + length(segments.signature);
        if self.bytes.len() < total {
            self.bytes.resize(total, 0);
        }
        let (header, rest) = self.bytes.split_at_mut(header);
        let (claims, rest) = rest.split_at_mut(claims);
        let header = text(decode(encoded_header, header)?, TokenPart::Header)?;
        Ok(Decoded {
            header: (!skips_header).then_some(header),
            claims: text(decode(segments.claims, claims)?, TokenPart::Claims)?,
            signature: decode(segments.signature, rest)?,
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

/// The header parameters that are used. Keys and certificates in the header are ignored.
#[derive(Debug)]
pub(crate) struct Header<'s> {
    pub(crate) algorithm: Algorithm,
    pub(crate) key_id: Option<Cow<'s, str>>,
    pub(crate) typ: Option<Cow<'s, str>>,
}

impl<'s> Header<'s> {
    /// Returns a copy that does not borrow from the token.
    fn to_owned(&self) -> Header<'static> {
        let owned = |text: &Cow<'_, str>| Cow::Owned(text.clone().into_owned());
        Header {
            algorithm: self.algorithm,
            key_id: self.key_id.as_ref().map(owned),
            typ: self.typ.as_ref().map(owned),
        }
    }

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

    /// Returns whether the `typ` is this media type, with or without `application/`, in any case (RFC 7515 §4.1.9).
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

/// The headers of the last tokens that were verified. The tokens of an issuer share theirs, and comparing the encoded
/// text costs less than decoding and parsing it.
#[derive(Default)]
pub(crate) struct RecentHeaders {
    headers: Vec<(Box<str>, Header<'static>)>,
    /// The place of the next one.
    next: usize,
}

impl RecentHeaders {
    /// The number of headers that are kept.
    const MAX: usize = 4;

    /// Returns the parsed header of this segment.
    pub(crate) fn find(&self, segment: &str) -> Option<&Header<'static>> {
        self.headers.iter().find(|(known, _)| **known == *segment).map(|(_, header)| header)
    }

    /// Keeps the header of a token that has been verified. Those of other tokens would displace the useful ones.
    pub(crate) fn add(&mut self, segment: &str, header: &Header<'_>) {
        let entry = (segment.into(), header.to_owned());
        if self.headers.len() < Self::MAX {
            self.headers.push(entry);
        } else {
            self.headers[self.next] = entry;
            self.next = (self.next + 1) % Self::MAX;
        }
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

/// Sets a member, and returns an error for a second value.
pub(crate) fn set_once<T, E: serde::de::Error>(member: &mut Option<T>, value: T) -> Result<(), E> {
    if member.replace(value).is_some() {
        Err(E::custom("two members have the same name"))
    } else {
        Ok(())
    }
}

/// The names of the members of an object that have no field of their own, to find duplicates.
#[derive(Default)]
pub(crate) struct SeenNames<'s> {
    /// The first ones, which need no allocation.
    first: [Cow<'s, str>; 8],
    first_count: usize,
    others: Vec<Cow<'s, str>>,
}

impl<'s> SeenNames<'s> {
    pub(crate) fn add<E: serde::de::Error>(&mut self, name: Cow<'s, str>) -> Result<(), E> {
        let first = &self.first[..self.first_count];
        if first.len() + self.others.len() == MAX_MEMBERS
            || first.contains(&name)
            || self.others.contains(&name)
        {
            return Err(E::custom("there are too many members, or two have the same name"));
        }
        match self.first.get_mut(self.first_count) {
            Some(place) => {
                *place = name;
                self.first_count += 1;
            }
            None => self.others.push(name),
        }
        Ok(())
    }
}

/// A JSON string, borrowed if it has no escapes.
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
        DecodeBuffer::default().decode(split(&token).unwrap(), false).is_ok()
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
    fn a_segment_of_any_length_fits_the_buffer() {
        let mut buffer = DecodeBuffer::default();
        for length in 0..200 {
            let text = base64_simd::URL_SAFE_NO_PAD.encode_to_string(vec![b'{'; length]);
            let token = format!("{text}.{text}.{text}");
            for skips_header in [true, false] {
                let decoded = buffer.decode(split(&token).unwrap(), skips_header).unwrap();
                assert_eq!(decoded.header.is_none(), skips_header);
                assert_eq!(decoded.claims.len(), length);
                assert_eq!(decoded.signature, vec![b'{'; length]);
            }
            let decoded = buffer.decode(split(&token).unwrap(), false).unwrap();
            assert_eq!(decoded.header.map(str::len), Some(length));
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
        for alg in ["none", "None", "NONE", "nOnE", "ES256K", "hs256"] {
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
    fn recent_headers_are_found_by_their_whole_text_and_are_few() {
        let mut recent = RecentHeaders::default();
        let json = |id: usize| format!(r#"{{"alg":"ES256","kid":"{id}"}}"#);
        for id in 0..6 {
            recent.add(&format!("segment-{id}"), &Header::parse(&json(id)).unwrap());
        }
        let found = |segment: &str| {
            recent.find(segment).map(|header| header.key_id.as_deref().unwrap().to_owned())
        };
        for id in 2..6 {
            assert_eq!(found(&format!("segment-{id}")), Some(id.to_string()));
        }
        for other in ["segment-0", "segment-1", "segment-", "segment-22", ""] {
            assert_eq!(found(other), None, "{other}");
        }
        assert_eq!(recent.headers.len(), RecentHeaders::MAX);
    }

    #[test]
    fn duplicates_are_found_among_few_and_many_names() {
        for count in [1, 2, 8, 9, 20] {
            let mut seen = SeenNames::default();
            for n in 0..count {
                assert!(seen.add::<serde_json::Error>(n.to_string().into()).is_ok());
            }
            for n in 0..count {
                assert!(seen.add::<serde_json::Error>(n.to_string().into()).is_err(), "{n}");
            }
        }
    }

    #[test]
    fn too_many_members_are_rejected() {
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

//! The types of registered claims.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use tower_jwt_auth_core::Timestamp;

use crate::jws::Text;

/// The audience: one string or several (RFC 7519 §4.1.3).
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Audience<'s> {
    One(Cow<'s, str>),
    Several(Vec<Cow<'s, str>>),
}

impl Audience<'_> {
    pub(crate) fn contains(&self, expected: &str) -> bool {
        match self {
            Self::One(one) => one == expected,
            Self::Several(several) => several.iter().any(|one| one == expected),
        }
    }
}

/// The scopes of a token.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Scopes<'s> {
    /// Separated by spaces (RFC 8693 §4.2).
    Text(Cow<'s, str>),
    List(Vec<Cow<'s, str>>),
}

impl Scopes<'_> {
    /// Returns the granted scopes: all of them as they are in the token, or those that are listed.
    pub(crate) fn granted<'a>(
        &'a self,
        listed: Option<&'a [Box<str>]>,
    ) -> impl Iterator<Item = &'a str> + Clone {
        let (text, list) = match self {
            Self::Text(text) => (Some(&**text), &[][..]),
            Self::List(list) => (None, &**list),
        };
        let words = text.into_iter().flat_map(move |text| {
            text.split(move |separator| listed.is_some() && separator == ' ')
        });
        let all = words.chain(list.iter().map(|one| &**one));
        all.filter(move |scope| {
            listed.is_none_or(|listed| listed.iter().any(|one| **one == **scope))
        })
    }
}

impl<'s> Deserialize<'s> for Scopes<'s> {
    fn deserialize<D: Deserializer<'s>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Audience::deserialize(deserializer)? {
            Audience::One(text) => Self::Text(text),
            // With a space, one element would grant two scopes.
            Audience::Several(list)
                if list.iter().any(|one| one.is_empty() || one.contains(' ')) =>
            {
                return Err(de::Error::custom("an element is not one scope"));
            }
            Audience::Several(list) => Self::List(list),
        })
    }
}

/// Seconds since the epoch, with or without a fraction (RFC 7519 §2). Values beyond the range of a timestamp are
/// clamped.
pub(super) struct NumericDate(pub(super) Timestamp);

impl<'s> Deserialize<'s> for NumericDate {
    fn deserialize<D: Deserializer<'s>>(deserializer: D) -> Result<Self, D::Error> {
        struct DateVisitor;

        impl Visitor<'_> for DateVisitor {
            type Value = NumericDate;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("seconds since the epoch")
            }

            fn visit_u64<E>(self, seconds: u64) -> Result<NumericDate, E> {
                let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
                Ok(NumericDate(Timestamp::from_unix_seconds(seconds)))
            }

            fn visit_i64<E>(self, seconds: i64) -> Result<NumericDate, E> {
                Ok(NumericDate(Timestamp::from_unix_seconds(seconds)))
            }

            fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<NumericDate, E> {
                if !seconds.is_finite() {
                    return Err(E::custom("not a number"));
                }
                // The cast saturates.
                #[allow(clippy::cast_possible_truncation)]
                let millis = (seconds * 1000.0).floor() as i64;
                Ok(NumericDate(Timestamp::from_unix_millis(millis)))
            }
        }

        // Not `deserialize_any`: with the feature `arbitrary_precision` of serde_json it does not visit numbers.
        deserializer.deserialize_f64(DateVisitor)
    }
}

impl<'s> Deserialize<'s> for Audience<'s> {
    fn deserialize<D: Deserializer<'s>>(deserializer: D) -> Result<Self, D::Error> {
        struct AudienceVisitor<'s>(PhantomData<&'s ()>);

        impl<'s> Visitor<'s> for AudienceVisitor<'s> {
            type Value = Audience<'s>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list of strings")
            }

            fn visit_borrowed_str<E>(self, one: &'s str) -> Result<Audience<'s>, E> {
                Ok(Audience::One(Cow::Borrowed(one)))
            }

            fn visit_str<E>(self, one: &str) -> Result<Audience<'s>, E> {
                Ok(Audience::One(Cow::Owned(one.to_owned())))
            }

            fn visit_seq<A: SeqAccess<'s>>(self, mut seq: A) -> Result<Audience<'s>, A::Error> {
                let mut several = Vec::new();
                while let Some(Text(one)) = seq.next_element()? {
                    several.push(one);
                }
                Ok(Audience::Several(several))
            }
        }

        deserializer.deserialize_any(AudienceVisitor(PhantomData))
    }
}

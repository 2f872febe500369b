use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use tower_jwt_auth_core::Timestamp;

use crate::error::{TokenError, TokenPart};
use crate::jws::{SeenNames, Text, set_once};

/// The registered claims of a token. Missing ones are `None`.
#[derive(Default)]
pub(crate) struct RegisteredClaims<'s> {
    pub(crate) iss: Option<Cow<'s, str>>,
    pub(crate) sub: Option<Cow<'s, str>>,
    pub(crate) aud: Option<Audience<'s>>,
    pub(crate) exp: Option<Timestamp>,
    pub(crate) nbf: Option<Timestamp>,
    pub(crate) iat: Option<Timestamp>,
    pub(crate) jti: Option<Cow<'s, str>>,
    pub(crate) sid: Option<Cow<'s, str>>,
    pub(crate) client_id: Option<Cow<'s, str>>,
    pub(crate) auth_time: Option<Timestamp>,
    pub(crate) scope: Option<Cow<'s, str>>,
    others: SeenNames<'s>,
    state: ParseState,
}

/// The part of the claims set that is being parsed, which attributes an error to it.
#[derive(Clone, Copy, Default)]
enum ParseState {
    /// The object and its member names.
    #[default]
    Object,
    /// The value of a registered claim.
    Claim(&'static str),
    /// A claim of the application.
    Application,
    /// The whole object has been parsed.
    Complete,
}

/// The audience: one string or several (RFC 7519 §4.1.3).
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

/// Parses the registered claims and passes all others to the application's type, in one pass.
///
/// Every member is parsed and must be unique, whatever the application's type reads.
pub(crate) fn parse<'s, C: Deserialize<'s>>(
    json: &'s str,
) -> Result<(RegisteredClaims<'s>, C), TokenError> {
    let mut registered = RegisteredClaims::default();
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let filter = RegisteredFilter { inner: &mut deserializer, registered: &mut registered };
    let claims = C::deserialize(filter);
    let is_complete = deserializer.end().is_ok();
    match (claims, registered.state) {
        (Ok(claims), ParseState::Complete) if is_complete => Ok((registered, claims)),
        (Err(error), ParseState::Claim(name)) if error.is_data() => Err(TokenError::Mistyped(name)),
        (Err(error), ParseState::Application) if error.is_data() => Err(TokenError::Claims),
        _ => Err(TokenError::Json(TokenPart::Claims)),
    }
}

impl<'s> RegisteredClaims<'s> {
    /// Parses the value of a registered claim. Returns `false` for any other claim, whose value is left.
    fn read<A: MapAccess<'s>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "iss" => self.read_text("iss", map, |claims| &mut claims.iss),
            "sub" => self.read_text("sub", map, |claims| &mut claims.sub),
            "jti" => self.read_text("jti", map, |claims| &mut claims.jti),
            "sid" => self.read_text("sid", map, |claims| &mut claims.sid),
            "client_id" => self.read_text("client_id", map, |claims| &mut claims.client_id),
            "scope" => self.read_text("scope", map, |claims| &mut claims.scope),
            "exp" => self.read_date("exp", map, |claims| &mut claims.exp),
            "nbf" => self.read_date("nbf", map, |claims| &mut claims.nbf),
            "iat" => self.read_date("iat", map, |claims| &mut claims.iat),
            "auth_time" => self.read_date("auth_time", map, |claims| &mut claims.auth_time),
            "aud" => {
                let value: Audience<'s> = self.value("aud", map)?;
                set_once(&mut self.aud, value)
            }
            _ => return Ok(false),
        }?;
        Ok(true)
    }

    fn read_text<A: MapAccess<'s>>(
        &mut self,
        name: &'static str,
        map: &mut A,
        claim: impl FnOnce(&mut Self) -> &mut Option<Cow<'s, str>>,
    ) -> Result<(), A::Error> {
        let Text(value) = self.value(name, map)?;
        set_once(claim(self), value)
    }

    fn read_date<A: MapAccess<'s>>(
        &mut self,
        name: &'static str,
        map: &mut A,
        claim: impl FnOnce(&mut Self) -> &mut Option<Timestamp>,
    ) -> Result<(), A::Error> {
        let NumericDate(value) = self.value(name, map)?;
        set_once(claim(self), value)
    }

    fn value<T: Deserialize<'s>, A: MapAccess<'s>>(
        &mut self,
        name: &'static str,
        map: &mut A,
    ) -> Result<T, A::Error> {
        self.state = ParseState::Claim(name);
        let value = map.next_value()?;
        self.state = ParseState::Object;
        Ok(value)
    }
}

/// A deserializer that stores the registered claims and passes the others to its visitor.
struct RegisteredFilter<'r, 's, D> {
    inner: D,
    registered: &'r mut RegisteredClaims<'s>,
}

impl<'r, 's, D: Deserializer<'s>> RegisteredFilter<'r, 's, D> {
    fn map<V: Visitor<'s>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_map(FilteredMap { inner: visitor, registered: self.registered })
    }
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for RegisteredFilter<'_, 'de, D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.map(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        visitor.visit_newtype_struct(self)
    }

    /// Accepts `()` as the type of an application without claims.
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.map(IgnoreAll(PhantomData))?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.deserialize_unit(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf seq tuple
        tuple_struct map struct enum identifier
    }
}

/// The visitor of the object, and the access to its members.
struct FilteredMap<'r, 's, T> {
    inner: T,
    registered: &'r mut RegisteredClaims<'s>,
}

impl<'s, V: Visitor<'s>> Visitor<'s> for FilteredMap<'_, 's, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    fn visit_map<A: MapAccess<'s>>(self, map: A) -> Result<V::Value, A::Error> {
        let mut rest = FilteredMap { inner: map, registered: self.registered };
        let claims = self.inner.visit_map(&mut rest)?;
        rest.registered.state = ParseState::Object;
        // A type may stop early: the remaining members are parsed all the same.
        while rest.next_key::<IgnoredAny>()?.is_some() {
            rest.next_value::<IgnoredAny>()?;
        }
        rest.registered.state = ParseState::Complete;
        Ok(claims)
    }
}

impl<'s, A: MapAccess<'s>> MapAccess<'s> for FilteredMap<'_, 's, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'s>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        self.registered.state = ParseState::Object;
        while let Some(Text(name)) = self.inner.next_key()? {
            if self.registered.read(&name, &mut self.inner)? {
                continue;
            }
            self.registered.others.add(name.clone())?;
            self.registered.state = ParseState::Application;
            return match name {
                Cow::Borrowed(name) => seed.deserialize(BorrowedStrDeserializer::new(name)),
                Cow::Owned(name) => seed.deserialize(StrDeserializer::new(&name)),
            }
            .map(Some);
        }
        self.registered.state = ParseState::Application;
        Ok(None)
    }

    fn next_value_seed<T: DeserializeSeed<'s>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        self.inner.next_value_seed(seed)
    }
}

/// Parses an object and discards it.
struct IgnoreAll<'s>(PhantomData<&'s ()>);

impl<'s> Visitor<'s> for IgnoreAll<'s> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'s>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

/// Seconds since the epoch, with or without a fraction (RFC 7519 §2). Values beyond the range of a timestamp are
/// clamped.
struct NumericDate(Timestamp);

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

            fn visit_seq<A: de::SeqAccess<'s>>(self, mut seq: A) -> Result<Audience<'s>, A::Error> {
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

#[cfg(test)]
mod tests;

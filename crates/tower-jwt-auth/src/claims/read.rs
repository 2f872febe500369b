//! The claims of a token as the application's type, after the signature has been verified.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::registered::REGISTERED;
use crate::jws::Text;

/// Reads the application's claims from a claims set that [`parse`](super::parse()) has accepted.
///
/// The type sees the registered claims as well. One that does not fit the whole set, such as a map of strings, is read
/// from the other claims alone.
pub(crate) fn read<'s, C: Deserialize<'s>>(json: &'s str) -> Result<C, ReadError> {
    first_of(json, [Visible::All, Visible::Named])
}

/// Reads the application's claims from those in a store and the registered claims of the session.
///
/// A map does not see the registered claims, so that it can be stored again, and a struct those that it names.
pub(crate) fn read_stored<'s, C: Deserialize<'s>>(json: &'s str) -> Result<C, ReadError> {
    first_of(json, [Visible::Named, Visible::All])
}

fn first_of<'s, C: Deserialize<'s>>(
    json: &'s str,
    [first, second]: [Visible; 2],
) -> Result<C, ReadError> {
    C::deserialize(ClaimsSet { json, visible: first }).or_else(|error| {
        C::deserialize(ClaimsSet { json, visible: second })
            .map_err(|second| if error.field.is_some() { error } else { second })
    })
}

/// Which registered claims a type sees. A struct sees those that it names, and can deny unknown fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Visible {
    /// Those that a struct names, and all of them for other types.
    All,
    /// Those that a struct names, and none for other types.
    Named,
}

/// The reason why claims do not fit the application's type.
#[derive(Debug)]
pub(crate) struct ReadError {
    /// The claim, if it is a field of the type. Other names are data of the token.
    pub(crate) field: Option<&'static str>,
    /// Its text quotes values of claims.
    pub(crate) source: serde_json::Error,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the claims do not fit the application's type")
    }
}

impl std::error::Error for ReadError {}

impl From<serde_json::Error> for ReadError {
    fn from(source: serde_json::Error) -> Self {
        Self { field: None, source }
    }
}

impl de::Error for ReadError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        serde_json::Error::custom(message).into()
    }

    fn missing_field(field: &'static str) -> Self {
        Self { field: Some(field), source: serde_json::Error::missing_field(field) }
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self { field: Some(field), source: serde_json::Error::duplicate_field(field) }
    }
}

/// The deserializer of a claims set.
struct ClaimsSet<'s> {
    json: &'s str,
    visible: Visible,
}

impl<'s> ClaimsSet<'s> {
    fn map<V: Visitor<'s>>(
        self,
        fields: Option<&'static [&'static str]>,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let mut result = None;
        let object = Object { visitor, fields, visible: self.visible, result: &mut result };
        // A type may stop early, which is an error here alone.
        let object = serde_json::Deserializer::from_str(self.json).deserialize_map(object);
        result.unwrap_or_else(|| match object {
            Ok(()) => Err(de::Error::custom("the claims are not an object")),
            Err(error) => Err(error.into()),
        })
    }
}

impl<'de> Deserializer<'de> for ClaimsSet<'de> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.map(None, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.map(Some(fields), visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    /// Accepts `()` as the type of an application without claims, and reads nothing.
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf seq tuple
        tuple_struct map enum identifier
    }
}

/// The visitor of the object.
struct Object<'r, V, T> {
    visitor: V,
    fields: Option<&'static [&'static str]>,
    visible: Visible,
    result: &'r mut Option<Result<T, ReadError>>,
}

impl<'s, V: Visitor<'s>> Visitor<'s> for Object<'_, V, V::Value> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_map<A>(self, inner: A) -> Result<(), A::Error>
    where
        A: MapAccess<'s>,
    {
        let (fields, visible) = (self.fields, self.visible);
        let members = Members { inner, fields, visible, field: None };
        *self.result = Some(self.visitor.visit_map(members));
        Ok(())
    }
}

/// The members of the object that the type sees.
struct Members<A> {
    inner: A,
    fields: Option<&'static [&'static str]>,
    visible: Visible,
    /// The field of the type whose value is next.
    field: Option<&'static str>,
}

impl<'s, A: MapAccess<'s>> Members<A> {
    fn sees(&self, name: &str) -> bool {
        self.field.is_some()
            || (self.fields.is_none() && self.visible == Visible::All)
            || !REGISTERED.contains(&name)
    }
}

/// Keeps the text of an error and the field in which it occurred.
fn in_field<E: de::Error>(field: Option<&'static str>) -> impl FnOnce(E) -> ReadError {
    move |error| ReadError { field, source: de::Error::custom(error) }
}

impl<'s, A: MapAccess<'s>> MapAccess<'s> for Members<A> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'s>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ReadError> {
        while let Some(Text(name)) = self.inner.next_key().map_err(in_field(None))? {
            let fields = self.fields.unwrap_or_default();
            self.field = fields.iter().copied().find(|field| *field == name);
            if !self.sees(&name) {
                self.inner.next_value::<IgnoredAny>().map_err(in_field(None))?;
                continue;
            }
            return match name {
                Cow::Borrowed(name) => seed.deserialize(BorrowedStrDeserializer::new(name)),
                Cow::Owned(name) => seed.deserialize(StrDeserializer::new(&name)),
            }
            .map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<T: DeserializeSeed<'s>>(&mut self, seed: T) -> Result<T::Value, ReadError> {
        self.inner.next_value_seed(seed).map_err(in_field(self.field))
    }
}

#[cfg(test)]
mod tests;

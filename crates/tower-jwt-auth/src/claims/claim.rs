use std::borrow::Cow;

use serde::de::{self, Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::error::TokenError;

/// A registered claim as it is in a token. The rules of the issuer decide about a mistyped one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Claim<T> {
    /// The token does not have the claim.
    #[default]
    Absent,
    /// The claim has the type of its definition.
    Value(T),
    /// The claim has another JSON type.
    Mistyped,
}

impl<T> Claim<T> {
    /// Sets the claim, and returns an error for a second member of its name.
    pub(super) fn set<E: de::Error>(&mut self, value: Self) -> Result<(), E> {
        match std::mem::replace(self, value) {
            Self::Absent => Ok(()),
            Self::Value(_) | Self::Mistyped => Err(E::custom("two members have the same name")),
        }
    }

    pub(super) fn map<U>(self, map: impl FnOnce(T) -> U) -> Claim<U> {
        match self {
            Self::Absent => Claim::Absent,
            Self::Value(value) => Claim::Value(map(value)),
            Self::Mistyped => Claim::Mistyped,
        }
    }

    /// Returns the value of a claim that must be present.
    pub(crate) fn required(self, name: &'static str) -> Result<T, TokenError> {
        self.optional(name)?.ok_or(TokenError::Missing(name))
    }

    /// Returns the value of a claim that may be absent, but not mistyped.
    pub(super) fn optional(self, name: &'static str) -> Result<Option<T>, TokenError> {
        match self {
            Self::Absent => Ok(None),
            Self::Value(value) => Ok(Some(value)),
            Self::Mistyped => Err(TokenError::Mistyped(name)),
        }
    }
}

impl Claim<Cow<'_, str>> {
    /// An empty text counts as mistyped.
    pub(super) fn non_empty(self) -> Self {
        match self {
            Self::Value(text) if text.is_empty() => Self::Mistyped,
            other => other,
        }
    }
}

/// Deserializes a value of any JSON type. It must be JSON all the same.
impl<'s, T: Deserialize<'s>> Deserialize<'s> for Claim<T> {
    fn deserialize<D: Deserializer<'s>>(deserializer: D) -> Result<Self, D::Error> {
        let json = <&RawValue>::deserialize(deserializer)?;
        match serde_json::from_str(json.get()) {
            Ok(value) => Ok(Self::Value(value)),
            Err(error) if error.is_data() => Ok(Self::Mistyped),
            Err(_) => Err(de::Error::custom("a value is not JSON")),
        }
    }
}

//! The forms in which values leave and enter an application's API.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde_core::de::{self, Deserialize, Deserializer, Visitor};
use serde_core::ser::{Serialize, SerializeStruct as _, Serializer};

use crate::id::{NodeId, SessionId, TokenId};
use crate::paging::{SessionPage, SessionPosition};
use crate::session::{ClientInfo, Session};
use crate::time::Timestamp;

/// Serializes a type as the text of its `Display`, and deserializes it by its `FromStr`.
macro_rules! as_text {
    ($($(#[$doc:meta])* $name:ident: $expected:literal;)+) => {
        $(
            $(#[$doc])*
            impl Serialize for $name {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.collect_str(self)
                }
            }

            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    deserializer.deserialize_str(Text { expected: $expected, of: PhantomData })
                }
            }
        )+
    };
}

as_text! {
    /// A session ID is serialized as 22 characters of base64url, as in the `sid` claim.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_jwt_auth_core::SessionId;
    ///
    /// let id: SessionId = serde_json::from_str(r#""AAAAAAAAAAAAAAAAAAAAAA""#)?;
    /// assert_eq!(id, SessionId::from_bytes([0; 16]));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    SessionId: "22 characters of base64url";
    /// A token ID is serialized as 22 characters of base64url, as in the `jti` claim.
    TokenId: "22 characters of base64url";
    /// A node ID is serialized as 22 characters of base64url.
    NodeId: "22 characters of base64url";
    /// A position is serialized as text, because the number may exceed the integers that JavaScript represents.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_jwt_auth_core::SessionPosition;
    ///
    /// assert_eq!(serde_json::to_string(&SessionPosition::new(42))?, r#""42""#);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    SessionPosition: "a number as text";
}

struct Text<T> {
    expected: &'static str,
    of: PhantomData<T>,
}

impl<T> Visitor<'_> for Text<T>
where
    T: FromStr<Err: fmt::Display>,
{
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

/// A time is serialized as an integer: milliseconds since the Unix epoch, as JavaScript's `new Date(…)` takes them.
///
/// A `NumericDate` (RFC 7519 §2), such as `exp` and `iat` in a token, counts seconds and would lose the milliseconds.
/// Use [`Timestamp::unix_seconds`] where one is needed.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::Timestamp;
///
/// let time = Timestamp::from_unix_millis(1_700_000_000_042);
/// assert_eq!(serde_json::to_string(&time)?, "1700000000042");
/// assert_eq!(serde_json::from_str::<Timestamp>("1700000000042")?, time);
/// # Ok::<(), serde_json::Error>(())
/// ```
impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.unix_millis())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_i64(Millis)
    }
}

struct Millis;

impl Visitor<'_> for Millis {
    type Value = Timestamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("milliseconds since the Unix epoch")
    }

    fn visit_i64<E: de::Error>(self, millis: i64) -> Result<Timestamp, E> {
        Ok(Timestamp::from_unix_millis(millis))
    }

    fn visit_u64<E: de::Error>(self, millis: u64) -> Result<Timestamp, E> {
        i64::try_from(millis).map_err(E::custom).and_then(|millis| self.visit_i64(millis))
    }
}

/// The public view of a session, for an API that lists sessions. The secret's hash and the application's claims are
/// never part of it.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::{ClientInfo, SecretHash, Session, SessionId, SessionRecord, Timestamp};
///
/// let now = Timestamp::from_unix_seconds(1_700_000_000);
/// let (id, hash) = (SessionId::from_bytes([0; 16]), SecretHash::from_bytes([7; 32]));
/// let session = Session::from_record(SessionRecord {
///     scope: "read".into(),
///     client_info: ClientInfo::default().with_user_agent("curl/8.5.0"),
///     ..SessionRecord::new(id, "https://shop.example", "alice", hash, now)
/// });
/// assert_eq!(
///     serde_json::to_value(&session)?,
///     serde_json::json!({
///         "id": "AAAAAAAAAAAAAAAAAAAAAA",
///         "subject": "alice",
///         "created_at": 1_700_000_000_000_i64,
///         "last_seen": 1_700_000_000_000_i64,
///         "valid_until": 1_702_592_000_000_i64,
///         "auth_time": 1_700_000_000_000_i64,
///         "scope": "read",
///         "client_info": { "user_agent": "curl/8.5.0", "address": null },
///     })
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
impl Serialize for Session {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut view = serializer.serialize_struct("Session", 8)?;
        view.serialize_field("id", &self.id())?;
        view.serialize_field("subject", self.subject())?;
        view.serialize_field("created_at", &self.created_at())?;
        view.serialize_field("last_seen", &self.last_seen())?;
        view.serialize_field("valid_until", &self.valid_until())?;
        view.serialize_field("auth_time", &self.auth_time())?;
        view.serialize_field("scope", self.scope())?;
        view.serialize_field("client_info", self.client_info())?;
        view.end()
    }
}

/// A page is serialized as the public views of its sessions, and the position for the next request.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::{SessionPage, SessionPosition};
///
/// let page = SessionPage { sessions: Vec::new(), next: Some(SessionPosition::new(42)) };
/// assert_eq!(serde_json::to_string(&page)?, r#"{"sessions":[],"next":"42"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
impl Serialize for SessionPage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut page = serializer.serialize_struct("SessionPage", 2)?;
        page.serialize_field("sessions", &self.sessions)?;
        page.serialize_field("next", &self.next)?;
        page.end()
    }
}

/// Client information is serialized as its two texts. A missing one is `null`.
impl Serialize for ClientInfo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut client = serializer.serialize_struct("ClientInfo", 2)?;
        client.serialize_field("user_agent", &self.user_agent())?;
        client.serialize_field("address", &self.address())?;
        client.end()
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use serde_core::de::DeserializeOwned;
    use serde_json::{Value, from_value, json, to_value};

    use super::*;
    use crate::session::{SecretHash, SessionRecord};

    fn assert_round_trip<T>(value: &T, form: &Value)
    where
        T: Serialize + DeserializeOwned + Debug + PartialEq,
    {
        assert_eq!(to_value(value).unwrap(), *form);
        assert_eq!(from_value::<T>(form.clone()).unwrap(), *value);
    }

    #[test]
    fn identifiers_are_texts() {
        let text = "_____________________w";
        assert_round_trip(&SessionId::from_bytes([0xff; 16]), &json!(text));
        assert_round_trip(&TokenId::from_bytes([0xff; 16]), &json!(text));
        assert_round_trip(&NodeId::from_bytes([0xff; 16]), &json!(text));
        assert_round_trip(&SessionPosition::new(u64::MAX), &json!("18446744073709551615"));
    }

    #[test]
    fn times_are_milliseconds_over_their_whole_range() {
        for millis in [i64::MIN, -1, 0, 1, 1_700_000_000_042, i64::MAX] {
            assert_round_trip(&Timestamp::from_unix_millis(millis), &json!(millis));
        }
    }

    #[test]
    fn other_forms_are_errors() {
        for form in [json!("alice"), json!("_____________________x"), json!(1), json!(null)] {
            assert!(from_value::<SessionId>(form.clone()).is_err(), "{form}");
        }
        for form in [json!("-1"), json!("x"), json!(42)] {
            assert!(from_value::<SessionPosition>(form.clone()).is_err(), "{form}");
        }
        for form in [json!("1700000000"), json!(1.5), json!(u64::MAX), json!(null)] {
            assert!(from_value::<Timestamp>(form.clone()).is_err(), "{form}");
        }
        let error = from_value::<SessionId>(json!(1)).unwrap_err().to_string();
        assert!(error.contains("22 characters of base64url"), "{error}");
    }

    #[test]
    fn the_view_of_a_session_contains_neither_secret_nor_claims() {
        let now = Timestamp::from_unix_seconds(1_700_000_000);
        let session = Session::from_record(SessionRecord {
            claims: r#"{"salary":123456}"#.into(),
            ..SessionRecord::new(
                SessionId::from_bytes([1; 16]),
                "https://issuer.example",
                "alice",
                SecretHash::from_bytes([7; 32]),
                now,
            )
        });
        let view = to_value(&session).unwrap();
        let mut fields: Vec<_> = view.as_object().unwrap().keys().map(String::as_str).collect();
        fields.sort_unstable();
        let expected = [
            "auth_time",
            "client_info",
            "created_at",
            "id",
            "last_seen",
            "scope",
            "subject",
            "valid_until",
        ];
        assert_eq!(fields, expected);
        let text = view.to_string();
        assert!(!text.contains("salary") && !text.contains("[7,7") && !text.contains("secret"));
    }
}

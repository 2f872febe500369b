use std::borrow::Cow;
use std::fmt;

use serde::Serialize;
use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde::ser;
use serde_json::{Map, Value};

use super::registered::REGISTERED;
use crate::jws::Text;

/// The reason why claims of the application are not valid in a token.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::tokens::{ClaimsError, IssueError};
/// use tower_jwt_auth::{Issuer, MemoryStore, RefreshSecrets, Sessions, SignIn, SigningKey};
///
/// #[derive(Clone, serde::Serialize, serde::Deserialize)]
/// struct Profile { sub: String }
///
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let issuer = Issuer::new("https://shop.example", "https://api.shop.example", SigningKey::generate()?)?;
/// let sessions = Sessions::builder(issuer, RefreshSecrets::generate()?, MemoryStore::new())
///     .claims::<Profile>()
///     .build()?;
/// let sign_in = SignIn::new("alice").with_claims(Profile { sub: "bob".into() });
/// let error = sessions.start(sign_in).await.unwrap_err();
/// assert!(error.to_string().contains("the claim sub is written by the library"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimsError {
    /// The claims do not serialize to a JSON object, or to null for no claims.
    #[error("the claims do not serialize to a JSON object")]
    NotAnObject,
    /// A claim has the name of a claim that the library writes.
    #[error("the claim {0} is written by the library: give your claim another name")]
    Registered(&'static str),
    /// The claims in the store do not deserialize into the application's type.
    ///
    /// The text of the source quotes values of claims, so this text does not contain it.
    #[error("the claims in the store do not fit the application's type")]
    Deserialize(#[source] serde_json::Error),
    /// The claims could not be serialized.
    #[error("the claims could not be serialized: {0}")]
    Serialize(#[source] serde_json::Error),
}

/// The application's own claims: the text of a JSON object without registered names.
#[derive(Clone, Debug)]
pub(crate) struct ApplicationClaims<'c> {
    json: Cow<'c, str>,
    is_simple: bool,
}

impl<'c> ApplicationClaims<'c> {
    pub(crate) fn new<C: Serialize>(claims: &C) -> Result<ApplicationClaims<'static>, ClaimsError> {
        match serde_json::to_string(claims) {
            Ok(json) if json == "null" => Ok(Self::simple("{}")),
            Ok(json) if is_simple(&json) => Ok(Self::simple(json)),
            _ => match serde_json::to_value(claims).map_err(ClaimsError::Serialize)? {
                Value::Object(members) => Self::checked(&members),
                _ => Err(ClaimsError::NotAnObject),
            },
        }
    }

    /// Parses the claims from the text in a store.
    pub(crate) fn from_json(json: &'c str) -> Result<Self, ClaimsError> {
        if is_simple(json) {
            return Ok(Self::simple(json.trim_ascii()));
        }
        match serde_json::from_str(json) {
            Ok(Value::Object(members)) => Self::checked(&members),
            Ok(_) => Err(ClaimsError::NotAnObject),
            Err(error) => Err(ClaimsError::Deserialize(error)),
        }
    }

    fn simple<'j>(json: impl Into<Cow<'j, str>>) -> ApplicationClaims<'j> {
        ApplicationClaims { json: json.into(), is_simple: true }
    }

    fn checked(members: &Map<String, Value>) -> Result<ApplicationClaims<'static>, ClaimsError> {
        match REGISTERED.into_iter().find(|name| members.contains_key(*name)) {
            Some(name) => Err(ClaimsError::Registered(name)),
            None => {
                let json = serde_json::to_string(members).map_err(ClaimsError::Serialize)?;
                Ok(ApplicationClaims { json: json.into(), is_simple: false })
            }
        }
    }

    pub(crate) fn as_json(&self) -> &str {
        &self.json
    }

    /// Returns whether [`parse`](super::parse()) accepts any claims set that consists of these and registered claims.
    pub(crate) fn is_simple(&self) -> bool {
        self.is_simple
    }

    /// Serializes all claims of a token: the registered ones and these.
    pub(crate) fn with_registered<R: Serialize>(
        &self,
        registered: &R,
    ) -> Result<String, ClaimsError> {
        // With room for most tokens.
        let mut all = Vec::with_capacity(512 + self.json.len());
        serde_json::to_writer(&mut all, registered).map_err(ClaimsError::Serialize)?;
        let own = self.json.strip_prefix('{').unwrap_or_default();
        if all.last() == Some(&b'}') && !own.trim_ascii_start().starts_with('}') {
            all.pop();
            all.push(b',');
            all.extend_from_slice(own.as_bytes());
        }
        String::from_utf8(all).map_err(|error| ClaimsError::Serialize(ser::Error::custom(error)))
    }
}

/// The maximum number of names that [`is_simple`] compares.
const MAX_SIMPLE_NAMES: usize = 16;

/// Returns whether a text is a JSON object with a few distinct names, which are neither registered nor escaped. Other
/// claims may be valid as well, and are checked member by member.
fn is_simple(json: &str) -> bool {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    deserializer.deserialize_map(SimpleNames).is_ok_and(|is_simple| is_simple)
        && deserializer.end().is_ok()
}

struct SimpleNames;

impl<'s> Visitor<'s> for SimpleNames {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("claims")
    }

    fn visit_map<A: MapAccess<'s>>(self, mut map: A) -> Result<bool, A::Error> {
        let mut names = [""; MAX_SIMPLE_NAMES];
        let mut count = 0;
        while let Some(Text(name)) = map.next_key()? {
            let Cow::Borrowed(name) = name else { return Ok(false) };
            // Names of serde_json begin with a dollar sign.
            let is_special = name.starts_with('$') || REGISTERED.contains(&name);
            if count == MAX_SIMPLE_NAMES || is_special || names[..count].contains(&name) {
                return Ok(false);
            }
            names[count] = name;
            count += 1;
            map.next_value::<IgnoredAny>()?;
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registered_names_are_rejected() {
        for name in REGISTERED {
            let claims = serde_json::json!({ name: 1, "mine": 2 });
            let error = ApplicationClaims::new(&claims).unwrap_err();
            assert!(matches!(error, ClaimsError::Registered(found) if found == name));
            assert!(ApplicationClaims::from_json(&claims.to_string()).is_err());
        }
    }

    #[test]
    fn claims_are_an_object_or_nothing() {
        assert!(ApplicationClaims::new(&()).is_ok());
        assert!(matches!(ApplicationClaims::new(&1), Err(ClaimsError::NotAnObject)));
        assert!(matches!(ApplicationClaims::new(&"x"), Err(ClaimsError::NotAnObject)));
        assert!(ApplicationClaims::from_json("null").is_err());
        assert!(ApplicationClaims::from_json(r#"{"a":"#).is_err());
    }

    #[test]
    fn claims_that_are_not_simple_are_normalized_member_by_member() {
        for (json, normal) in [
            (r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
            (r#"{"\u0061":1}"#, r#"{"a":1}"#),
            (r#"{"$a":1}"#, r#"{"$a":1}"#),
        ] {
            let claims = ApplicationClaims::from_json(json).unwrap();
            assert_eq!((claims.as_json(), claims.is_simple()), (normal, false));
        }
        for name in REGISTERED {
            let escaped = format!(r#"{{"\u{:04x}{}":1}}"#, name.as_bytes()[0], &name[1..]);
            let error = ApplicationClaims::from_json(&escaped).unwrap_err();
            assert!(matches!(error, ClaimsError::Registered(found) if found == name));
        }
        let many: Vec<_> = (0..=MAX_SIMPLE_NAMES).map(|n| format!(r#""m{n}":0"#)).collect();
        let simple = |members: &[String]| {
            ApplicationClaims::from_json(&format!("{{{}}}", members.join(","))).unwrap().is_simple()
        };
        assert!(simple(&many[1..]) && !simple(&many));
    }

    #[test]
    fn claims_of_a_struct_and_of_its_stored_text_are_equal() {
        #[derive(Serialize)]
        struct Own {
            b: u8,
            a: f32,
        }
        let new = ApplicationClaims::new(&Own { b: 1, a: 0.1 }).unwrap();
        assert_eq!((new.as_json(), new.is_simple()), (r#"{"b":1,"a":0.1}"#, true));
        let stored = ApplicationClaims::from_json(new.as_json()).unwrap();
        assert_eq!((stored.as_json(), stored.is_simple()), (new.as_json(), true));
        assert_eq!(ApplicationClaims::new(&()).unwrap().as_json(), "{}");
    }

    #[test]
    fn a_claims_set_of_simple_claims_is_parsed() {
        for json in
            ["{}", " { } ", r#" {"a":{"iss":1,"iss":2}, "b":[null]} "#, r#"{"":0,"é":"\u0000"}"#]
        {
            let own = ApplicationClaims::from_json(json).unwrap();
            assert!(own.is_simple(), "{json}");
            let all = own.with_registered(&serde_json::json!({ "iss": "i", "exp": 1 })).unwrap();
            assert!(crate::claims::parse(&all).is_ok(), "{all}");
        }
    }

    #[test]
    fn all_claims_are_in_one_object() {
        let own = ApplicationClaims::from_json(r#"{"name":"A \"quoted\" 😀"}"#).unwrap();
        let all = own.with_registered(&serde_json::json!({ "iss": "i" })).unwrap();
        let all: Value = serde_json::from_str(&all).unwrap();
        assert_eq!(all, serde_json::json!({ "iss": "i", "name": "A \"quoted\" 😀" }));
    }
}

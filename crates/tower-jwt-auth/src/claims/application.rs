use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::read::read_stored;
use super::registered::REGISTERED;

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

/// The application's own claims: the members of a JSON object, without registered names.
#[derive(Clone, Debug, Default)]
pub(crate) struct ApplicationClaims(Map<String, Value>);

impl ApplicationClaims {
    pub(crate) fn new<C: Serialize>(claims: &C) -> Result<Self, ClaimsError> {
        match serde_json::to_value(claims).map_err(ClaimsError::Serialize)? {
            Value::Null => Ok(Self::default()),
            Value::Object(members) => Self::checked(members),
            _ => Err(ClaimsError::NotAnObject),
        }
    }

    /// Parses the claims from the text in a store.
    pub(crate) fn from_json(json: &str) -> Result<Self, ClaimsError> {
        match serde_json::from_str(json) {
            Ok(Value::Object(members)) => Self::checked(members),
            Ok(_) => Err(ClaimsError::NotAnObject),
            Err(error) => Err(ClaimsError::Deserialize(error)),
        }
    }

    fn checked(members: Map<String, Value>) -> Result<Self, ClaimsError> {
        match REGISTERED.into_iter().find(|name| members.contains_key(*name)) {
            Some(name) => Err(ClaimsError::Registered(name)),
            None => Ok(Self(members)),
        }
    }

    /// Deserializes the claims into the application's own type, which sees the registered claims that it names.
    pub(crate) fn to<C: DeserializeOwned>(
        &self,
        registered: &impl Serialize,
    ) -> Result<C, ClaimsError> {
        let json = self.with_registered(registered)?;
        read_stored(&json).map_err(|error| ClaimsError::Deserialize(error.source))
    }

    pub(crate) fn to_json(&self) -> String {
        // `Display` of a map would need a clone; serializing one with string keys does not fail.
        serde_json::to_string(&self.0).unwrap_or_else(|_| "{}".to_owned())
    }

    /// Serializes all claims of a token: these and the registered ones.
    pub(crate) fn with_registered<R: Serialize>(
        &self,
        registered: &R,
    ) -> Result<String, ClaimsError> {
        #[derive(Serialize)]
        struct All<'c, R> {
            #[serde(flatten)]
            registered: &'c R,
            #[serde(flatten)]
            own: &'c Map<String, Value>,
        }
        serde_json::to_string(&All { registered, own: &self.0 }).map_err(ClaimsError::Serialize)
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
    fn all_claims_are_in_one_object() {
        let own = ApplicationClaims::from_json(r#"{"name":"A \"quoted\" 😀"}"#).unwrap();
        let all = own.with_registered(&serde_json::json!({ "iss": "i" })).unwrap();
        let all: Value = serde_json::from_str(&all).unwrap();
        assert_eq!(all, serde_json::json!({ "iss": "i", "name": "A \"quoted\" 😀" }));
    }
}

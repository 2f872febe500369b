use std::borrow::Cow;
use std::time::Duration;

use tower_jwt_auth_core::Timestamp;

use super::{Claim, RegisteredClaims};
use crate::error::TokenError;

/// The rules that the claims of an issuer's tokens must meet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ValidationRules {
    /// By how much clocks may differ.
    pub(crate) leeway: Duration,
    /// Whether `client_id` and `iat` are required (RFC 9068 §2.2).
    pub(crate) requires_profile: bool,
    /// Whether `jti` is required (RFC 9068 §2.2).
    pub(crate) requires_token_id: bool,
    /// Whether `sid` is required, which tokens of this library carry.
    pub(crate) requires_session_id: bool,
}

/// The claims of a token that has passed the rules.
pub(crate) struct ValidClaims<'s> {
    pub(crate) sub: Cow<'s, str>,
    pub(crate) exp: Timestamp,
    pub(crate) iat: Option<Timestamp>,
    pub(crate) auth_time: Option<Timestamp>,
    pub(crate) jti: Option<Cow<'s, str>>,
    pub(crate) sid: Option<Cow<'s, str>>,
    pub(crate) client_id: Option<Cow<'s, str>>,
    pub(crate) scope: Option<Cow<'s, str>>,
}

/// Validates audience, times and presence of the registered claims (RFC 7519 §4.1, RFC 9068 §2.2 and §4). The issuer
/// and the type have been checked before.
///
/// A pure function of the claims and the time.
pub(crate) fn validate<'s>(
    claims: RegisteredClaims<'s>,
    audience: &str,
    rules: &ValidationRules,
    now: Timestamp,
) -> Result<ValidClaims<'s>, TokenError> {
    if !claims.aud.required("aud")?.contains(audience) {
        return Err(TokenError::Audience);
    }
    let exp = claims.exp.required("exp")?;
    if now >= exp + rules.leeway {
        return Err(TokenError::Expired);
    }
    let horizon = now + rules.leeway;
    let nbf = claims.nbf.optional("nbf")?;
    let iat = claims.iat.optional("iat")?;
    let auth_time = claims.auth_time.optional("auth_time")?;
    for (name, date) in [("nbf", nbf), ("iat", iat), ("auth_time", auth_time)] {
        if date.is_some_and(|date| date > horizon) {
            return Err(TokenError::Early(name));
        }
    }
    if rules.requires_profile && iat.is_none() {
        return Err(TokenError::Missing("iat"));
    }
    Ok(ValidClaims {
        sub: claims.sub.non_empty().required("sub")?,
        exp,
        iat,
        auth_time,
        jti: text(claims.jti, "jti", rules.requires_token_id)?,
        sid: text(claims.sid, "sid", rules.requires_session_id)?,
        client_id: text(claims.client_id, "client_id", rules.requires_profile)?,
        scope: claims.scope.optional("scope")?,
    })
}

/// Returns the value of a text, which must not be empty.
fn text<'s>(
    claim: Claim<Cow<'s, str>>,
    name: &'static str,
    is_required: bool,
) -> Result<Option<Cow<'s, str>>, TokenError> {
    let text = claim.non_empty();
    if is_required { text.required(name).map(Some) } else { text.optional(name) }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    const OWN: ValidationRules = ValidationRules {
        leeway: Duration::from_secs(5),
        requires_profile: true,
        requires_token_id: true,
        requires_session_id: true,
    };

    /// Validates a complete token issued at second 1000, which expires at 1300, with one change.
    fn outcome(change: &str, rules: &ValidationRules, now: Timestamp) -> Result<(), TokenError> {
        let mut claims = serde_json::json!({
            "iss": "i", "sub": "s", "aud": "api", "exp": 1300, "iat": 1000, "jti": "j", "sid": "x",
            "client_id": "web", "auth_time": 900,
        });
        if let serde_json::Value::Object(changes) = serde_json::from_str(change).unwrap() {
            for (name, value) in changes {
                // "-" removes the claim.
                if value == "-" {
                    claims.as_object_mut().unwrap().remove(&name);
                } else {
                    claims[name] = value;
                }
            }
        }
        let json = claims.to_string();
        validate(parse(&json).unwrap(), "api", rules, now).map(|_| ())
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_unix_millis(millis)
    }

    #[test]
    fn expiry_is_exclusive_and_has_leeway() {
        assert_eq!(outcome("{}", &OWN, at(1_304_999)), Ok(()));
        assert_eq!(outcome("{}", &OWN, at(1_305_000)), Err(TokenError::Expired));
        assert_eq!(outcome(r#"{"exp":"-"}"#, &OWN, at(0)), Err(TokenError::Missing("exp")));
        assert_eq!(outcome(r#"{"exp":1300.5}"#, &OWN, at(1_305_499)), Ok(()));
        assert_eq!(outcome(r#"{"exp":1e300}"#, &OWN, at(1_000_000)), Ok(()));
        assert_eq!(outcome(r#"{"exp":-1}"#, &OWN, at(1_000_000)), Err(TokenError::Expired));
    }

    #[test]
    fn dates_in_the_future_are_rejected_beyond_leeway() {
        for name in ["nbf", "iat", "auth_time"] {
            let change = |second: i64| format!(r#"{{"{name}":{second}}}"#);
            assert_eq!(outcome(&change(1105), &OWN, at(1_100_000)), Ok(()), "{name}");
            let early = outcome(&change(1106), &OWN, at(1_100_000));
            assert_eq!(
                early.map_err(|e| e.to_string()),
                Err(TokenError::Early(match name {
                    "nbf" => "nbf",
                    "iat" => "iat",
                    _ => "auth_time",
                })
                .to_string())
            );
        }
    }

    #[test]
    fn any_audience_of_several_is_accepted() {
        let now = at(1_000_000);
        assert_eq!(outcome(r#"{"aud":["x","api"]}"#, &OWN, now), Ok(()));
        for other in [r#""API""#, r#""""#, "[]", r#"["x"]"#, r#""api ""#] {
            let change = format!(r#"{{"aud":{other}}}"#);
            assert_eq!(outcome(&change, &OWN, now), Err(TokenError::Audience), "{other}");
        }
        assert_eq!(outcome(r#"{"aud":"-"}"#, &OWN, now), Err(TokenError::Missing("aud")));
    }

    #[test]
    fn required_claims_must_be_present() {
        let now = at(1_000_000);
        let bare = ValidationRules {
            requires_profile: false,
            requires_token_id: false,
            requires_session_id: false,
            ..OWN
        };
        for (name, is_always_required) in
            [("sub", true), ("jti", false), ("sid", false), ("client_id", false)]
        {
            let without = format!(r#"{{"{name}":"-"}}"#);
            let empty = format!(r#"{{"{name}":""}}"#);
            assert!(outcome(&without, &OWN, now).is_err(), "{name}");
            assert_eq!(outcome(&without, &bare, now).is_err(), is_always_required, "{name}");
            assert!(outcome(&empty, &bare, now).is_err(), "{name}: an empty claim is malformed");
        }
        assert_eq!(outcome(r#"{"iat":"-"}"#, &OWN, now), Err(TokenError::Missing("iat")));
        assert_eq!(outcome(r#"{"iat":"-"}"#, &bare, now), Ok(()));
    }
}

use std::time::Duration;

use tower_jwt_auth_core::Timestamp;

use super::RegisteredClaims;
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

/// Validates audience, times and presence of the registered claims (RFC 7519 §4.1, RFC 9068 §2.2 and §4). The issuer
/// and the type have been checked before.
///
/// A pure function of the claims and the time.
pub(crate) fn validate(
    claims: &RegisteredClaims<'_>,
    audience: &str,
    rules: &ValidationRules,
    now: Timestamp,
) -> Result<(), TokenError> {
    let aud = claims.aud.as_ref().ok_or(TokenError::Missing("aud"))?;
    if !aud.contains(audience) {
        return Err(TokenError::Audience);
    }
    let exp = claims.exp.ok_or(TokenError::Missing("exp"))?;
    if now >= exp + rules.leeway {
        return Err(TokenError::Expired);
    }
    let horizon = now + rules.leeway;
    if claims.nbf.is_some_and(|nbf| nbf > horizon) {
        return Err(TokenError::Early("nbf"));
    }
    if claims.iat.is_some_and(|iat| iat > horizon) {
        return Err(TokenError::Early("iat"));
    }
    if claims.auth_time.is_some_and(|auth_time| auth_time > horizon) {
        return Err(TokenError::Early("auth_time"));
    }
    check_present(&claims.sub, "sub", true)?;
    check_present(&claims.jti, "jti", rules.requires_token_id)?;
    check_present(&claims.sid, "sid", rules.requires_session_id)?;
    check_present(&claims.client_id, "client_id", rules.requires_profile)?;
    if rules.requires_profile && claims.iat.is_none() {
        return Err(TokenError::Missing("iat"));
    }
    Ok(())
}

fn check_present(
    claim: &Option<std::borrow::Cow<'_, str>>,
    name: &'static str,
    required: bool,
) -> Result<(), TokenError> {
    match claim.as_deref() {
        Some("") => Err(TokenError::Mistyped(name)),
        None if required => Err(TokenError::Missing(name)),
        Some(_) | None => Ok(()),
    }
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
        let (registered, ()) = parse(&json).unwrap();
        validate(&registered, "api", rules, now)
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

use std::time::Duration;

use tower_jwt_auth_core::Timestamp;

use super::Registered;
use crate::error::TokenError;

/// What is asked of the claims of an issuer's tokens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Requirements {
    /// How far clocks may be apart.
    pub(crate) leeway: Duration,
    /// `client_id` and `iat`, which RFC 9068 §2.2 requires of an access token.
    pub(crate) profile: bool,
    /// `jti`, which RFC 9068 §2.2 requires too.
    pub(crate) token_id: bool,
    /// `sid`, which our own tokens carry.
    pub(crate) session: bool,
}

/// The rules of time, audience and presence; the issuer has been found and the type checked before.
///
/// A pure function of the claims and the time. RFC 7519 §4.1, RFC 9068 §2.2 and §4.
pub(crate) fn check(
    claims: &Registered<'_>,
    audience: &str,
    requirements: &Requirements,
    now: Timestamp,
) -> Result<(), TokenError> {
    let aud = claims.aud.as_ref().ok_or(TokenError::Missing("aud"))?;
    if !aud.contains(audience) {
        return Err(TokenError::Audience);
    }
    let exp = claims.exp.ok_or(TokenError::Missing("exp"))?;
    if now >= exp + requirements.leeway {
        return Err(TokenError::Expired);
    }
    let horizon = now + requirements.leeway;
    if claims.nbf.is_some_and(|nbf| nbf > horizon) {
        return Err(TokenError::Early("nbf"));
    }
    if claims.iat.is_some_and(|iat| iat > horizon) {
        return Err(TokenError::Early("iat"));
    }
    if claims.auth_time.is_some_and(|auth_time| auth_time > horizon) {
        return Err(TokenError::Early("auth_time"));
    }
    present(&claims.sub, "sub", true)?;
    present(&claims.jti, "jti", requirements.token_id)?;
    present(&claims.sid, "sid", requirements.session)?;
    present(&claims.client_id, "client_id", requirements.profile)?;
    if requirements.profile && claims.iat.is_none() {
        return Err(TokenError::Missing("iat"));
    }
    Ok(())
}

fn present(
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

    const OWN: Requirements = Requirements {
        leeway: Duration::from_secs(5),
        profile: true,
        token_id: true,
        session: true,
    };

    /// Judges a complete token of second 1000, good until 1300, with one change.
    fn judge(change: &str, requirements: &Requirements, now: Timestamp) -> Result<(), TokenError> {
        let mut claims = serde_json::json!({
            "iss": "i", "sub": "s", "aud": "api", "exp": 1300, "iat": 1000, "jti": "j", "sid": "x",
            "client_id": "web", "auth_time": 900,
        });
        if let serde_json::Value::Object(changes) = serde_json::from_str(change).unwrap() {
            for (name, value) in changes {
                // "-" takes the claim out.
                if value == "-" {
                    claims.as_object_mut().unwrap().remove(&name);
                } else {
                    claims[name] = value;
                }
            }
        }
        let json = claims.to_string();
        let (registered, ()) = parse(&json).unwrap();
        check(&registered, "api", requirements, now)
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_unix_millis(millis)
    }

    #[test]
    fn expiry_is_exclusive_and_has_leeway() {
        assert_eq!(judge("{}", &OWN, at(1_304_999)), Ok(()));
        assert_eq!(judge("{}", &OWN, at(1_305_000)), Err(TokenError::Expired));
        assert_eq!(judge(r#"{"exp":"-"}"#, &OWN, at(0)), Err(TokenError::Missing("exp")));
        assert_eq!(judge(r#"{"exp":1300.5}"#, &OWN, at(1_305_499)), Ok(()));
        assert_eq!(judge(r#"{"exp":1e300}"#, &OWN, at(1_000_000)), Ok(()));
        assert_eq!(judge(r#"{"exp":-1}"#, &OWN, at(1_000_000)), Err(TokenError::Expired));
    }

    #[test]
    fn dates_in_the_future_are_refused_beyond_leeway() {
        for name in ["nbf", "iat", "auth_time"] {
            let change = |second: i64| format!(r#"{{"{name}":{second}}}"#);
            assert_eq!(judge(&change(1105), &OWN, at(1_100_000)), Ok(()), "{name}");
            let early = judge(&change(1106), &OWN, at(1_100_000));
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
    fn any_audience_of_several_will_do() {
        let now = at(1_000_000);
        assert_eq!(judge(r#"{"aud":["x","api"]}"#, &OWN, now), Ok(()));
        for other in [r#""API""#, r#""""#, "[]", r#"["x"]"#, r#""api ""#] {
            let change = format!(r#"{{"aud":{other}}}"#);
            assert_eq!(judge(&change, &OWN, now), Err(TokenError::Audience), "{other}");
        }
        assert_eq!(judge(r#"{"aud":"-"}"#, &OWN, now), Err(TokenError::Missing("aud")));
    }

    #[test]
    fn what_must_be_there_is_asked_for() {
        let now = at(1_000_000);
        let bare = Requirements { profile: false, token_id: false, session: false, ..OWN };
        for (name, needed_by_all) in
            [("sub", true), ("jti", false), ("sid", false), ("client_id", false)]
        {
            let without = format!(r#"{{"{name}":"-"}}"#);
            let empty = format!(r#"{{"{name}":""}}"#);
            assert!(judge(&without, &OWN, now).is_err(), "{name}");
            assert_eq!(judge(&without, &bare, now).is_err(), needed_by_all, "{name}");
            assert!(judge(&empty, &bare, now).is_err(), "{name}: empty is malformed");
        }
        assert_eq!(judge(r#"{"iat":"-"}"#, &OWN, now), Err(TokenError::Missing("iat")));
        assert_eq!(judge(r#"{"iat":"-"}"#, &bare, now), Ok(()));
    }
}

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use tower_jwt_auth_core::Timestamp;

use super::claim::Claim;
use super::member;
use super::registered::RegisteredClaims;
use super::values::Scopes;
use crate::error::TokenError;

/// The rules that the claims of an issuer's tokens must meet.
#[derive(Clone, Debug)]
pub(crate) struct ValidationRules {
    /// By how much clocks may differ.
    pub(crate) leeway: Duration,
    /// The maximum time from `iat` to `exp`.
    pub(crate) max_lifetime: Option<Duration>,
    /// The audiences, one of which `aud` must contain.
    pub(crate) audiences: Arc<[Arc<str>]>,
    /// The clients whose tokens may lack `aud`.
    pub(crate) client_ids: Arc<[Arc<str>]>,
    /// The claim that names the client, if it is not `client_id`.
    pub(crate) client_id_claim: Option<Arc<str>>,
    /// The claim with the scopes as a text or a list, if it is not `scope` as a text.
    pub(crate) scope_claim: Option<Arc<str>>,
    /// Claims that must have these values.
    pub(crate) required_claims: Vec<(Arc<str>, Arc<str>)>,
    /// Whether `client_id` is required (RFC 9068 §2.2).
    pub(crate) requires_client_id: bool,
    /// Whether `iat` is required (RFC 9068 §2.2).
    pub(crate) requires_issued_at: bool,
    /// Whether `jti` is required (RFC 9068 §2.2).
    pub(crate) requires_token_id: bool,
    /// Whether `sid` is required, which tokens of this library carry.
    pub(crate) requires_session_id: bool,
    /// Whether a malformed claim counts as absent, if it is not required.
    pub(crate) ignores_malformed: bool,
}

impl ValidationRules {
    /// Returns the rules for tokens that conform to RFC 9068.
    pub(crate) fn rfc9068(audience: Arc<str>, leeway: Duration) -> Self {
        Self {
            leeway,
            max_lifetime: None,
            audiences: Arc::new([audience]),
            client_ids: Arc::default(),
            client_id_claim: None,
            scope_claim: None,
            required_claims: Vec::new(),
            requires_client_id: true,
            requires_issued_at: true,
            requires_token_id: true,
            requires_session_id: false,
            ignores_malformed: false,
        }
    }
}

/// The claims of a token that has passed the rules.
pub(crate) struct ValidClaims<'s> {
    pub(crate) sub: Cow<'s, str>,
    pub(crate) exp: Timestamp,
    /// The latest of the times before which the token is not valid, without the leeway.
    pub(crate) latest_start: Timestamp,
    pub(crate) iat: Option<Timestamp>,
    pub(crate) auth_time: Option<Timestamp>,
    pub(crate) jti: Option<Cow<'s, str>>,
    pub(crate) sid: Option<Cow<'s, str>>,
    pub(crate) client_id: Option<Cow<'s, str>>,
    pub(crate) scope: Option<Scopes<'s>>,
}

/// Validates audience, times and presence of the registered claims (RFC 7519 §4.1, RFC 9068 §2.2 and §4), and the other
/// claims that the issuer's rules name. `json` is the whole claims set. The issuer and the type have been checked before.
///
/// A pure function of the claims and the time.
pub(crate) fn validate<'s>(
    claims: RegisteredClaims<'s>,
    json: &'s str,
    rules: &ValidationRules,
    now: Timestamp,
) -> Result<ValidClaims<'s>, TokenError> {
    let aud = claims.aud.optional("aud")?;
    let client_id = match &rules.client_id_claim {
        Some(name) => member::text(json, name),
        None => claims.client_id,
    };
    let needs_client = rules.requires_client_id || aud.is_none();
    let client_id = rules.text(client_id, "client_id", needs_client)?;
    match &aud {
        Some(aud) if rules.audiences.iter().any(|expected| aud.contains(expected)) => {}
        Some(_) => return Err(TokenError::Audience),
        None => check_client(client_id.as_deref(), json, rules)?,
    }
    let exp = claims.exp.required("exp")?;
    if now >= exp + rules.leeway {
        return Err(TokenError::Expired);
    }
    let horizon = now + rules.leeway;
    let nbf = claims.nbf.optional("nbf")?;
    let iat = claims.iat.optional("iat")?;
    let auth_time = rules.unless_malformed(claims.auth_time, "auth_time", false)?;
    let mut latest_start = Timestamp::from_unix_millis(i64::MIN);
    for (name, date) in [("nbf", nbf), ("iat", iat), ("auth_time", auth_time)] {
        if date.is_some_and(|date| date > horizon) {
            return Err(TokenError::Early(name));
        }
        latest_start = latest_start.max(date.unwrap_or(latest_start));
    }
    if let Some(max) = rules.max_lifetime {
        if exp > iat.unwrap_or(horizon) + max {
            return Err(TokenError::Lifetime);
        }
        if iat.is_none() {
            // At an earlier time the token would be valid for too long.
            latest_start = latest_start.max(exp - max);
        }
    }
    for (name, expected) in &rules.required_claims {
        if !matches!(member::text(json, name), Claim::Value(value) if value == **expected) {
            return Err(TokenError::RequiredClaim);
        }
    }
    let valid = ValidClaims {
        sub: claims.sub.non_empty().required("sub")?,
        exp,
        latest_start,
        iat,
        auth_time,
        jti: rules.text(claims.jti, "jti", rules.requires_token_id)?,
        sid: rules.text(claims.sid, "sid", rules.requires_session_id)?,
        client_id,
        scope: match &rules.scope_claim {
            Some(name) => rules.unless_malformed(member::claim(json, name), "scope", false)?,
            None => rules.unless_malformed(claims.scope, "scope", false)?.map(Scopes::Text),
        },
    };
    for (name, is_missing) in [
        ("iat", rules.requires_issued_at && valid.iat.is_none()),
        ("jti", rules.requires_token_id && valid.jti.is_none()),
        ("sid", rules.requires_session_id && valid.sid.is_none()),
        ("client_id", rules.requires_client_id && valid.client_id.is_none()),
    ] {
        if is_missing {
            return Err(TokenError::Missing(name));
        }
    }
    Ok(valid)
}

/// Checks the client of a token without `aud`: its client id, or `azp` (OpenID Connect Core §2) where it has none.
fn check_client(
    client_id: Option<&str>,
    json: &str,
    rules: &ValidationRules,
) -> Result<(), TokenError> {
    if rules.client_ids.is_empty() {
        return Err(TokenError::Missing("aud"));
    }
    let is_listed = |id: &str| rules.client_ids.iter().any(|listed| **listed == *id);
    let is_accepted = match client_id {
        Some(id) => is_listed(id),
        None => {
            let azp = member::text(json, "azp").optional("azp")?;
            is_listed(&azp.ok_or(TokenError::Missing("aud"))?)
        }
    };
    if is_accepted { Ok(()) } else { Err(TokenError::Audience) }
}

impl ValidationRules {
    /// Returns the value of a text, if it is present. It must not be empty.
    fn text<'s>(
        &self,
        claim: Claim<Cow<'s, str>>,
        name: &'static str,
        is_needed: bool,
    ) -> Result<Option<Cow<'s, str>>, TokenError> {
        self.unless_malformed(claim.non_empty(), name, is_needed)
    }

    /// Returns the value of a claim, if it is present. A malformed one is an error if it is needed, and unless the rules
    /// ignore it.
    fn unless_malformed<T>(
        &self,
        claim: Claim<T>,
        name: &'static str,
        is_needed: bool,
    ) -> Result<Option<T>, TokenError> {
        match claim {
            Claim::Mistyped if self.ignores_malformed && !is_needed => Ok(None),
            other => other.optional(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn own() -> ValidationRules {
        ValidationRules {
            requires_session_id: true,
            ..ValidationRules::rfc9068("api".into(), Duration::from_secs(5))
        }
    }

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
        validate(parse(&json).unwrap(), &json, rules, now).map(|_| ())
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_unix_millis(millis)
    }

    #[test]
    fn expiry_is_exclusive_and_has_leeway() {
        assert_eq!(outcome("{}", &own(), at(1_304_999)), Ok(()));
        assert_eq!(outcome("{}", &own(), at(1_305_000)), Err(TokenError::Expired));
        assert_eq!(outcome(r#"{"exp":"-"}"#, &own(), at(0)), Err(TokenError::Missing("exp")));
        assert_eq!(outcome(r#"{"exp":1300.5}"#, &own(), at(1_305_499)), Ok(()));
        assert_eq!(outcome(r#"{"exp":1e300}"#, &own(), at(1_000_000)), Ok(()));
        assert_eq!(outcome(r#"{"exp":-1}"#, &own(), at(1_000_000)), Err(TokenError::Expired));
    }

    #[test]
    fn dates_in_the_future_are_rejected_beyond_leeway() {
        for name in ["nbf", "iat", "auth_time"] {
            let change = |second: i64| format!(r#"{{"{name}":{second}}}"#);
            assert_eq!(outcome(&change(1105), &own(), at(1_100_000)), Ok(()), "{name}");
            let early = outcome(&change(1106), &own(), at(1_100_000));
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
        assert_eq!(outcome(r#"{"aud":["x","api"]}"#, &own(), now), Ok(()));
        for other in [r#""API""#, r#""""#, "[]", r#"["x"]"#, r#""api ""#] {
            let change = format!(r#"{{"aud":{other}}}"#);
            assert_eq!(outcome(&change, &own(), now), Err(TokenError::Audience), "{other}");
        }
        assert_eq!(outcome(r#"{"aud":"-"}"#, &own(), now), Err(TokenError::Missing("aud")));
    }

    #[test]
    fn required_claims_must_be_present() {
        let now = at(1_000_000);
        let bare = ValidationRules {
            requires_client_id: false,
            requires_issued_at: false,
            requires_token_id: false,
            requires_session_id: false,
            ..own()
        };
        for (name, is_always_required) in
            [("sub", true), ("jti", false), ("sid", false), ("client_id", false)]
        {
            let without = format!(r#"{{"{name}":"-"}}"#);
            let empty = format!(r#"{{"{name}":""}}"#);
            assert!(outcome(&without, &own(), now).is_err(), "{name}");
            assert_eq!(outcome(&without, &bare, now).is_err(), is_always_required, "{name}");
            assert!(outcome(&empty, &bare, now).is_err(), "{name}: an empty claim is malformed");
        }
        assert_eq!(outcome(r#"{"iat":"-"}"#, &own(), now), Err(TokenError::Missing("iat")));
        assert_eq!(outcome(r#"{"iat":"-"}"#, &bare, now), Ok(()));
    }
}

use std::sync::Arc;
use std::time::Duration;

use super::trusted::{PLAIN_TYPE, TrustedIssuer, check_audience};
use crate::algorithm::Algorithm;
use crate::claims::{self, REGISTERED, check_name};
use crate::error::ConfigError;
use crate::scope;

/// The maximum of the maximum lifetime.
const MAX_MAX_LIFETIME: Duration = Duration::from_secs(366 * 24 * 3600);

/// The rules for the issuer's tokens.
impl TrustedIssuer {
    /// Sets by how much clocks may differ (RFC 7519 §4.1.4); 30 seconds, unless set.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Duration`] above five minutes.
    pub fn with_leeway(mut self, leeway: Duration) -> Result<Self, ConfigError> {
        self.rules.leeway = claims::check_leeway(leeway)?;
        Ok(self)
    }

    /// Sets the maximum lifetime of a token; 24 hours, unless set. A token whose `exp` is later is rejected with
    /// [`TokenError::Lifetime`](crate::tokens::TokenError::Lifetime).
    ///
    /// The lifetime is the time from `iat` to `exp`. For a token without `iat` it is the time from now to `exp`, with the
    /// leeway. It bounds how long the revocation list keeps the revocation of such a token.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Duration`] for zero, and above 366 days.
    pub fn with_max_token_lifetime(mut self, lifetime: Duration) -> Result<Self, ConfigError> {
        if lifetime.is_zero() || lifetime > MAX_MAX_LIFETIME {
            let hint = "give a time above zero, of at most 366 days";
            let what = "maximum lifetime of tokens";
            return Err(ConfigError::Duration { what, given: lifetime, hint });
        }
        self.rules.max_lifetime = Some(lifetime);
        Ok(self)
    }

    /// Sets the accepted `typ`s of the header; `at+jwt` (RFC 9068 §2.1), unless set. Case and a prefix `application/`
    /// do not matter, here and in the token (RFC 7515 §4.1.9).
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Empty`] for an empty list, and [`ConfigError::Setting`] for a type that is empty or has
    /// another prefix, and for `JWT`, which [another setter](Self::dangerous_allow_plain_jwt_type) accepts.
    pub fn with_types<T: Into<String>>(
        mut self,
        types: impl IntoIterator<Item = T>,
    ) -> Result<Self, ConfigError> {
        let types = types.into_iter().map(|typ| check_type(typ.into()));
        self.types = non_empty(types.collect::<Result<_, _>>()?, "types")?;
        Ok(self)
    }

    /// Accepts `typ: JWT` and tokens without `typ` as well.
    ///
    /// Dangerous: ID tokens and any other tokens that the issuer signs with the same key for the same audience are then
    /// accepted as access tokens (RFC 8725 §3.11), unless
    /// [`with_required_claim`](Self::with_required_claim) distinguishes them.
    pub fn dangerous_allow_plain_jwt_type(mut self) -> Self {
        self.allows_plain_type = true;
        self
    }

    /// Accepts tokens without `client_id` and `iat`, which RFC 9068 §2.2 requires. The revocation of the older tokens of
    /// a subject also revokes those without `iat`.
    pub fn allow_missing_profile_claims(mut self) -> Self {
        self.rules.requires_client_id = false;
        self.rules.requires_issued_at = false;
        self
    }

    /// Accepts tokens without `jti`. Such a token can only be revoked with its session or with all tokens of its
    /// subject.
    pub fn allow_missing_token_id(mut self) -> Self {
        self.rules.requires_token_id = false;
        self
    }

    /// Sets the accepted audiences, instead of the one of the constructor. A token needs one of them in its `aud`
    /// (RFC 7519 §4.1.3).
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Empty`] for an empty list, and [`ConfigError::Name`] if an audience is empty or contains
    /// control characters.
    pub fn with_audiences<T: Into<String>>(
        mut self,
        audiences: impl IntoIterator<Item = T>,
    ) -> Result<Self, ConfigError> {
        let audiences = audiences.into_iter().map(|audience| check_audience(audience.into()));
        self.rules.audiences = non_empty(audiences.collect::<Result<_, _>>()?, "audiences")?;
        Ok(self)
    }

    /// Accepts tokens without `aud` that were issued to one of these clients: their client id, or their `azp` where they
    /// have none, is in the list. A token with `aud` still needs one of the audiences.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Empty`] for an empty list, and [`ConfigError::Name`] if a client id is empty or contains
    /// control characters.
    pub fn with_client_ids<T: Into<String>>(
        mut self,
        client_ids: impl IntoIterator<Item = T>,
    ) -> Result<Self, ConfigError> {
        let client_ids = client_ids
            .into_iter()
            .map(|id| check_name(id.into(), "client id", "give the id of a client of the issuer"));
        self.rules.client_ids = non_empty(client_ids.collect::<Result<_, _>>()?, "client ids")?;
        Ok(self)
    }

    /// Sets the claim that names the client, such as `azp`; `client_id` (RFC 8693 §4.3), unless set. It is then required
    /// as `client_id` is, and [`Identity::client_id`](crate::Identity::client_id) returns it.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Setting`] if it is empty or another registered claim.
    pub fn with_client_id_claim(mut self, claim: impl Into<String>) -> Result<Self, ConfigError> {
        self.rules.client_id_claim = Some(check_claim(claim.into(), "client_id")?);
        Ok(self)
    }

    /// Sets the claim with the scopes, such as `scp`; `scope` (RFC 8693 §4.2), unless set. A list of strings is then
    /// accepted beside a string with spaces, also for `with_scope_claim("scope")`.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Setting`] if it is empty or another registered claim.
    pub fn with_scope_claim(mut self, claim: impl Into<String>) -> Result<Self, ConfigError> {
        self.rules.scope_claim = Some(check_claim(claim.into(), "scope")?);
        Ok(self)
    }

    /// Sets the scopes that the issuer may grant, by their exact names. [`Identity::scope`](crate::Identity::scope) and the
    /// requirement layers ignore all others.
    ///
    /// Unless set, the issuer of [`Verifier::new`](crate::Verifier::new) grants every scope of its tokens, and one of
    /// [`Verifier::and_trust`](crate::Verifier::and_trust) grants none: an `admin` of a partner is not one of this
    /// service.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Scope`] for one that is not a scope token (RFC 6749 §3.3).
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_jwt_auth::{Issuer, KeySet, SigningKey, TrustedIssuer, Verifier};
    ///
    /// let issuer = Issuer::new("https://shop.example", "https://api.shop.example", SigningKey::generate()?)?;
    /// let keys = KeySet::new([SigningKey::generate()?.verifying_key().clone()])?;
    /// let partner = TrustedIssuer::new("https://partner.example", "https://api.shop.example", keys)?
    ///     .with_scopes(["orders:read"])?;
    /// let verifier = Verifier::new(&issuer).and_trust(partner)?;
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn with_scopes<T: Into<String>>(
        mut self,
        scopes: impl IntoIterator<Item = T>,
    ) -> Result<Self, ConfigError> {
        let scopes = scopes.into_iter().map(|scope| {
            let scope = scope.into();
            scope::check_token(&scope).map(|()| scope.into_boxed_str())
        });
        self.scopes = Some(scopes.collect::<Result<_, _>>()?);
        Ok(self)
    }

    /// Requires that a claim is this string, for example `with_required_claim("token_use", "access")`. Other tokens are
    /// rejected with [`TokenError::RequiredClaim`](crate::tokens::TokenError::RequiredClaim). Several calls require
    /// several claims.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Setting`] if the name of the claim is empty or contains control characters.
    pub fn with_required_claim(
        mut self,
        claim: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Self, ConfigError> {
        let claim = claim.into();
        let name = check_claim_name(&claim)?;
        self.rules.required_claims.push((name, value.into().into()));
        Ok(self)
    }

    /// Sets the accepted algorithms; every algorithm of the keys, unless set. JWK sets contain no secrets, so HMAC is
    /// accepted only with a secret that the application gives.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Empty`] for an empty list.
    pub fn with_algorithms(
        mut self,
        algorithms: impl IntoIterator<Item = Algorithm>,
    ) -> Result<Self, ConfigError> {
        self.algorithms = Some(non_empty(algorithms.into_iter().collect(), "algorithms")?);
        Ok(self)
    }

    /// Treats `auth_time`, `sid`, the scopes, and `jti` and `client_id` where they are not required, as absent if they
    /// have another JSON type or are empty, such as an `auth_time` in ISO 8601. Otherwise such a token is rejected.
    ///
    /// The token then counts as one without scopes, without a session and so on: it cannot be revoked by an ignored `sid`
    /// or `jti`. A malformed `iss`, `sub`, `aud`, `exp`, `nbf` or `iat` is never ignored.
    pub fn ignore_malformed_optional_claims(mut self) -> Self {
        self.rules.ignores_malformed = true;
        self
    }
}

fn non_empty<T>(list: Vec<T>, what: &'static str) -> Result<Arc<[T]>, ConfigError> {
    if list.is_empty() { Err(ConfigError::Empty { what }) } else { Ok(list.into()) }
}

/// Returns a type without its prefix.
fn check_type(typ: String) -> Result<Box<str>, ConfigError> {
    const PREFIX: &str = "application/";
    let bare = match typ.get(..PREFIX.len()) {
        Some(prefix) if prefix.eq_ignore_ascii_case(PREFIX) => &typ[PREFIX.len()..],
        _ => &typ,
    };
    let hint = if bare.eq_ignore_ascii_case(PLAIN_TYPE) {
        "call dangerous_allow_plain_jwt_type"
    } else if bare.is_empty() || !bare.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/') {
        "give a subtype of application, as in at+jwt"
    } else {
        return Ok(bare.into());
    };
    Err(ConfigError::Setting { what: "type", given: typ, hint })
}

/// Checks the name of a claim that is read in the place of a registered one.
fn check_claim(claim: String, replaced: &str) -> Result<Arc<str>, ConfigError> {
    if claim != replaced && REGISTERED.contains(&&*claim) {
        let hint = "give a claim that has no other meaning";
        return Err(ConfigError::Setting { what: "claim", given: claim, hint });
    }
    check_claim_name(&claim)
}

fn check_claim_name(claim: &str) -> Result<Arc<str>, ConfigError> {
    if claim.is_empty() || claim.contains(char::is_control) {
        let hint = "give the name of a claim, without control characters";
        return Err(ConfigError::Setting { what: "claim", given: claim.to_owned(), hint });
    }
    Ok(claim.into())
}

use std::sync::Arc;

use super::trusted::{
    DEFAULT_LEEWAY, DEFAULT_MAX_LIFETIME, TrustedIssuer, check_audience, check_issuer,
};
use crate::algorithm::Algorithm;
use crate::claims::ValidationRules;
use crate::error::ConfigError;
use crate::keys::KeySource;

/// Well-known providers, whose tokens do not follow RFC 9068. The setters can change each rule afterwards.
///
/// These providers sign ID tokens with the keys of their access tokens and give both the same `typ`. Each profile
/// therefore requires a claim that ID tokens do not have.
impl TrustedIssuer {
    /// Trusts a realm of [Keycloak](https://www.keycloak.org/docs/latest/server_admin/index.html#audience-support), whose
    /// URL is its `iss`, as in `https://sso.example/realms/shop`.
    ///
    /// - The `typ` of the header may be `JWT`, the default of clients of Keycloak.
    /// - The claim `typ` must be `Bearer`. It is `ID` in ID tokens, and `Refresh` in refresh tokens.
    /// - `azp` names the client.
    ///
    /// Keycloak adds the audience of an API to its tokens by an audience mapper or a role of the API's client. A token
    /// without it is rejected. Roles are in the claims `realm_access` and `resource_access`, for
    /// [`Verifier::with_claims`](crate::Verifier::with_claims).
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Setting`] if the realm is not a URL, and [`ConfigError::Name`] for an invalid audience.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_jwt_auth::{ConfigError, KeySet, SigningKey, TrustedIssuer, Verifier};
    /// # let keys = KeySet::new([SigningKey::generate()?.verifying_key().clone()])?;
    /// let realm = TrustedIssuer::keycloak("https://sso.example/realms/shop", "orders-api", keys)?;
    /// let verifier = Verifier::new(realm);
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn keycloak(
        realm_url: impl Into<String>,
        audience: impl Into<String>,
        keys: impl Into<KeySource>,
    ) -> Result<Self, ConfigError> {
        Self::new(check_url("realm", realm_url.into())?, audience, keys)?
            .dangerous_allow_plain_jwt_type()
            .with_client_id_claim("azp")?
            .with_required_claim("typ", "Bearer")
    }

    /// Trusts a tenant of
    /// [Auth0](https://auth0.com/docs/secure/tokens/access-tokens/access-token-profiles) with the default token profile.
    /// The domain is that of the tenant, as in `shop.eu.auth0.com`, or a custom one.
    ///
    /// - The `typ` of the header may be `JWT`.
    /// - `azp` names the client. ID tokens do not have it, and have the client as their audience.
    /// - `jti` is not required, since these tokens have none.
    ///
    /// APIs with the RFC 9068 profile need [`new`](Self::new) with `https://{domain}/`. Permissions are in the claim
    /// `permissions`: [`with_scope_claim`](Self::with_scope_claim) reads them as scopes.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Setting`] if the domain is not a host name, and [`ConfigError::Name`] for an invalid
    /// audience.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_jwt_auth::{ConfigError, KeySet, SigningKey, TrustedIssuer};
    /// # let keys = KeySet::new([SigningKey::generate()?.verifying_key().clone()])?;
    /// let tenant = TrustedIssuer::auth0("shop.eu.auth0.com", "https://api.shop.example", keys)?;
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn auth0(
        domain: impl Into<String>,
        audience: impl Into<String>,
        keys: impl Into<KeySource>,
    ) -> Result<Self, ConfigError> {
        let domain = domain.into();
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
        if domain.is_empty() || !domain.bytes().all(is_host) {
            let hint = "give the host name alone, as in shop.eu.auth0.com";
            return Err(ConfigError::Setting { what: "domain", given: domain, hint });
        }
        Ok(Self::new(format!("https://{domain}/"), audience, keys)?
            .dangerous_allow_plain_jwt_type()
            .with_client_id_claim("azp")?
            .allow_missing_token_id())
    }

    /// Trusts a tenant of
    /// [Microsoft Entra ID](https://learn.microsoft.com/en-us/entra/identity-platform/access-token-claims-reference), by
    /// its id. The audience is the application id of the API.
    ///
    /// - The `typ` of the header may be `JWT`, and the algorithm is RS256.
    /// - `ver` must be `2.0`: the API's manifest sets `requestedAccessTokenVersion` to 2. The `iss` of version 1 is
    ///   another one.
    /// - `azp` names the client. ID tokens do not have it, although an API that is its own client is the audience of
    ///   both.
    /// - `scp` has the scopes of a user. The roles of an application are in the claim `roles`.
    /// - `jti` is not required, since these tokens have none.
    ///
    /// The subject is different for each application. The claims `oid` and `tid` name the user in all of them.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Setting`] if the tenant is not an id: `common`, `organizations` and domains are not in
    /// the `iss` of a token. Returns [`ConfigError::Name`] for an invalid audience.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_jwt_auth::{ConfigError, KeySet, SigningKey, TrustedIssuer};
    /// # let keys = KeySet::new([SigningKey::generate()?.verifying_key().clone()])?;
    /// let tenant = "aaaabbbb-0000-cccc-1111-dddd2222eeee";
    /// let tenant = TrustedIssuer::entra(tenant, "00001111-aaaa-2222-bbbb-3333cccc4444", keys)?;
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn entra(
        tenant: impl Into<String>,
        audience: impl Into<String>,
        keys: impl Into<KeySource>,
    ) -> Result<Self, ConfigError> {
        let tenant = tenant.into().to_ascii_lowercase();
        let is_id = tenant.len() == 36
            && tenant.bytes().enumerate().all(|(at, byte)| match at {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            });
        if !is_id {
            let hint = "give the id of the directory, a UUID";
            return Err(ConfigError::Setting { what: "tenant", given: tenant, hint });
        }
        let issuer = format!("https://login.microsoftonline.com/{tenant}/v2.0");
        Ok(Self::new(issuer, audience, keys)?
            .dangerous_allow_plain_jwt_type()
            .with_algorithms([Algorithm::RS256])?
            .with_required_claim("ver", "2.0")?
            .with_client_id_claim("azp")?
            .with_scope_claim("scp")?
            .allow_missing_token_id())
    }

    /// Trusts a custom authorization server of
    /// [Okta](https://developer.okta.com/docs/guides/validate-access-tokens/), by its URL, as in
    /// `https://shop.okta.com/oauth2/default`.
    ///
    /// - The header may have no `typ`, and the algorithm is RS256.
    /// - `cid` names the client. ID tokens do not have it, and have the client as their audience.
    /// - `scp` has the scopes, as a list.
    ///
    /// The access tokens of the org authorization server are for Okta's own API.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Setting`] if the server is not a URL, and [`ConfigError::Name`] for an invalid audience.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_jwt_auth::{ConfigError, KeySet, SigningKey, TrustedIssuer};
    /// # let keys = KeySet::new([SigningKey::generate()?.verifying_key().clone()])?;
    /// let server = TrustedIssuer::okta("https://shop.okta.com/oauth2/default", "api://default", keys)?;
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn okta(
        authorization_server: impl Into<String>,
        audience: impl Into<String>,
        keys: impl Into<KeySource>,
    ) -> Result<Self, ConfigError> {
        let server = check_url("authorization server", authorization_server.into())?;
        Self::new(server, audience, keys)?
            .dangerous_allow_plain_jwt_type()
            .with_algorithms([Algorithm::RS256])?
            .with_client_id_claim("cid")?
            .with_scope_claim("scp")
    }

    /// Trusts a user pool of [Amazon
    /// Cognito](https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html),
    /// for the tokens of these clients.
    ///
    /// - The header may have no `typ`, and the algorithm is RS256.
    /// - `token_use` must be `access`. It is `id` in ID tokens.
    /// - `client_id` must be one of the clients, because these tokens have no `aud`. One with `aud`, which resource
    ///   binding adds, is rejected, unless [`with_audiences`](Self::with_audiences) lists it.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Setting`] if the user pool is not one of the region, [`ConfigError::Empty`] for no clients,
    /// and [`ConfigError::Name`] for an invalid client id.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_jwt_auth::{ConfigError, KeySet, SigningKey, TrustedIssuer};
    /// # let keys = KeySet::new([SigningKey::generate()?.verifying_key().clone()])?;
    /// let pool = TrustedIssuer::cognito("us-east-1", "us-east-1_example", ["1example23456789"], keys)?;
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn cognito<T: Into<String>>(
        region: impl AsRef<str>,
        user_pool_id: impl Into<String>,
        client_ids: impl IntoIterator<Item = T>,
        keys: impl Into<KeySource>,
    ) -> Result<Self, ConfigError> {
        let (region, pool) = (region.as_ref(), user_pool_id.into());
        let id = pool.strip_prefix(region).and_then(|rest| rest.strip_prefix('_'));
        let is_name = |name: &str| {
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        if !is_name(region) || !id.is_some_and(is_name) {
            let hint = "give the region and the id of the pool, as in us-east-1_example";
            return Err(ConfigError::Setting { what: "user pool", given: pool, hint });
        }
        let issuer = check_issuer(format!("https://cognito-idp.{region}.amazonaws.com/{pool}"))?;
        let rules = ValidationRules {
            audiences: Arc::default(),
            max_lifetime: Some(DEFAULT_MAX_LIFETIME),
            ..ValidationRules::rfc9068("".into(), DEFAULT_LEEWAY)
        };
        Self::with_rules(issuer, keys.into(), rules)
            .dangerous_allow_plain_jwt_type()
            .with_algorithms([Algorithm::RS256])?
            .with_required_claim("token_use", "access")?
            .with_client_ids(client_ids)
    }

    /// Trusts the ID tokens of
    /// [Google](https://developers.google.com/identity/openid-connect/openid-connect#an-id-tokens-payload) for this client
    /// id. They are the only JWTs that Google issues to applications: its access tokens are for its own APIs.
    ///
    /// - The `typ` of the header may be `JWT`, and the algorithm is RS256.
    /// - The `iss` may be `accounts.google.com` or `https://accounts.google.com`. The identity has the latter.
    /// - `jti` and a client are not required. `azp` names the client, if it is another one than the audience.
    ///
    /// An ID token grants nothing, so it has no scopes. Anyone can have an account, and anyone's service account can
    /// request an ID token with any audience. The `azp` of such a token is its own, and it has no `hd`. A service for the
    /// accounts of one organization needs [`with_required_claim("hd", …)`](Self::with_required_claim), and one for the
    /// logins to this client alone needs [`with_required_claim("azp", …)`](Self::with_required_claim).
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Name`] for an invalid client id.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_jwt_auth::{ConfigError, KeySet, SigningKey, TrustedIssuer};
    /// # let keys = KeySet::new([SigningKey::generate()?.verifying_key().clone()])?;
    /// let google = TrustedIssuer::google("1234987819200.apps.googleusercontent.com", keys)?
    ///     .with_required_claim("hd", "shop.example")?;
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn google(
        client_id: impl Into<String>,
        keys: impl Into<KeySource>,
    ) -> Result<Self, ConfigError> {
        let rules = ValidationRules {
            max_lifetime: Some(DEFAULT_MAX_LIFETIME),
            requires_client_id: false,
            ..ValidationRules::rfc9068(check_audience(client_id.into())?, DEFAULT_LEEWAY)
        };
        let mut google = Self::with_rules("https://accounts.google.com".into(), keys.into(), rules);
        google.alias = Some("accounts.google.com".into());
        google.scopes = Some(Arc::default());
        google
            .dangerous_allow_plain_jwt_type()
            .allow_missing_token_id()
            .with_algorithms([Algorithm::RS256])?
            .with_client_id_claim("azp")
    }
}

/// Checks the URL of an issuer, which has no slash at its end.
fn check_url(what: &'static str, url: String) -> Result<String, ConfigError> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    if rest.is_none_or(|rest| rest.is_empty() || rest.starts_with('/') || rest.ends_with('/')) {
        let hint = "give its URL, without a slash at the end";
        return Err(ConfigError::Setting { what, given: url, hint });
    }
    Ok(url)
}

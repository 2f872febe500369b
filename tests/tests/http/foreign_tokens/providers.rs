//! Tokens as the documentation of well-known providers shows them.

use serde_json::{Value, json};
use tower_jwt_auth::tokens::TokenError;
use tower_jwt_auth::{
    Algorithm, ConfigError, Identity, KeySet, Timestamp, TrustedIssuer, Verifier,
};
use tower_jwt_auth_tests::START;
use tower_jwt_auth_tests::token_builder::TokenBuilder;

use super::super::access_token::fixture::KEY_ID;
use super::super::access_token::test_keys::{signer, verifying_key};

fn keys() -> KeySet {
    let key = |algorithm| verifying_key(algorithm).with_key_id(KEY_ID);
    KeySet::new([key(Algorithm::RS256), key(Algorithm::ES256)]).unwrap()
}

/// A provider, with a token that it issues at [`START`].
struct Provider {
    verifier: Verifier,
    token: TokenBuilder,
}

impl Provider {
    /// `header` has neither `alg` nor `kid`, and `claims` neither `iat` nor `exp`.
    fn new(trusted: Result<TrustedIssuer, ConfigError>, header: &Value, claims: &Value) -> Self {
        let now = START.unix_seconds();
        let token = TokenBuilder::of(header.clone(), claims.clone())
            .header("alg", "RS256")
            .header("kid", KEY_ID)
            .claim("iat", now)
            .claim("exp", now + 3600);
        Self { verifier: Verifier::new(trusted.unwrap()), token }
    }

    fn verify(&self, token: &TokenBuilder) -> Result<Identity, TokenError> {
        self.verifier.verify(&token.sign(&signer(Algorithm::RS256)), START)
    }

    #[track_caller]
    fn accepts(&self, token: &TokenBuilder) -> Identity {
        self.verify(token).unwrap()
    }

    #[track_caller]
    fn refuses(&self, token: &TokenBuilder, error: TokenError) {
        assert_eq!(self.verify(token).unwrap_err(), error, "{}", token.claims_json());
    }

    fn refuses_es256(&self) {
        let token = self.token.clone().header("alg", "ES256").sign(&signer(Algorithm::ES256));
        assert_eq!(self.verifier.verify(&token, START).unwrap_err(), TokenError::Algorithm);
    }
}

const REALM: &str = "https://sso.example/realms/shop";

fn keycloak() -> Provider {
    Provider::new(
        TrustedIssuer::keycloak(REALM, "orders-api", keys()),
        &json!({ "typ": "JWT" }),
        &json!({
            "auth_time": START.unix_seconds(), "jti": "onrtac:d58f5dc8-fd8f-462b-8a19-716f8f83985b",
            "iss": REALM, "aud": ["orders-api", "account"],
            "sub": "36fa0f91-f94d-4a0c-afed-6b7d952e47da", "typ": "Bearer", "azp": "shop-web",
            "sid": "2a88c258-f73a-4103-b862-e1fbd8f4e04e", "acr": "1",
            "allowed-origins": ["https://shop.example"],
            "realm_access": { "roles": ["offline_access", "default-roles-shop"] },
            "resource_access": { "account": { "roles": ["manage-account"] } },
            "scope": "openid email profile", "email_verified": true, "preferred_username": "alice",
        }),
    )
}

#[test]
fn keycloak_access_tokens_are_accepted_and_its_other_tokens_are_not() {
    let keycloak = keycloak();
    let identity = keycloak.accepts(&keycloak.token);
    assert_eq!(identity.subject(), "36fa0f91-f94d-4a0c-afed-6b7d952e47da");
    assert_eq!(identity.client_id(), Some("shop-web"));
    assert_eq!(identity.session_id(), Some("2a88c258-f73a-4103-b862-e1fbd8f4e04e"));
    assert_eq!(identity.scope(), "openid email profile");
    // The switch of a client for the type of RFC 9068.
    keycloak.accepts(&keycloak.token.clone().header("typ", "at+jwt"));

    // An ID token for a client whose id is that of the API.
    let id_token = keycloak.token.clone().claim("typ", "ID").claim("aud", "orders-api");
    keycloak.refuses(&id_token.without_claim("scope"), TokenError::RequiredClaim);
    for other in ["Refresh", "Offline", "Logout", "bearer"] {
        let token = keycloak.token.clone().claim("typ", other);
        keycloak.refuses(&token, TokenError::RequiredClaim);
    }
    keycloak.refuses(&keycloak.token.clone().without_claim("typ"), TokenError::RequiredClaim);
    // Without an audience mapper.
    keycloak.refuses(&keycloak.token.clone().claim("aud", "account"), TokenError::Audience);
    let missing = TokenError::Missing("client_id");
    keycloak.refuses(&keycloak.token.clone().without_claim("azp"), missing);
    keycloak.refuses(&keycloak.token.clone().without_claim("jti"), TokenError::Missing("jti"));
}

fn auth0() -> Provider {
    Provider::new(
        TrustedIssuer::auth0("my-domain.auth0.com", "https://example.com/health-api", keys()),
        &json!({ "typ": "JWT" }),
        &json!({
            "iss": "https://my-domain.auth0.com/", "sub": "auth0|123456",
            "aud": ["https://example.com/health-api", "https://my-domain.auth0.com/userinfo"],
            "azp": "my_client_id", "scope": "openid profile read:patients read:admin",
            "my_custom_claim": "my_custom_value",
        }),
    )
}

#[test]
fn auth0_access_tokens_are_accepted_and_its_id_tokens_are_not() {
    let auth0 = auth0();
    let identity = auth0.accepts(&auth0.token);
    assert_eq!(identity.subject(), "auth0|123456");
    assert_eq!(identity.client_id(), Some("my_client_id"));
    assert!(identity.has_scope("read:patients") && !identity.has_scope("read"));

    let id_token = auth0.token.clone().without_claim("azp").without_claim("scope");
    let id_token = id_token.claim("aud", "my_client_id").claim("nonce", "n").claim("sid", "s");
    auth0.refuses(&id_token, TokenError::Audience);
    // Also if the API has the name of the client.
    let same = id_token.claim("aud", "https://example.com/health-api");
    auth0.refuses(&same, TokenError::Missing("client_id"));
    auth0.refuses(&auth0.token.clone().without_claim("iat"), TokenError::Missing("iat"));
    let other = auth0.token.clone().claim("iss", "https://my-domain.auth0.com");
    auth0.refuses(&other, TokenError::Issuer);
}

const TENANT: &str = "aaaabbbb-0000-cccc-1111-dddd2222eeee";
const API: &str = "00001111-aaaa-2222-bbbb-3333cccc4444";

fn entra() -> Provider {
    Provider::new(
        TrustedIssuer::entra(TENANT, API, keys()),
        &json!({ "typ": "JWT" }),
        &json!({
            "aud": API, "iss": format!("https://login.microsoftonline.com/{TENANT}/v2.0"),
            "nbf": START.unix_seconds(), "aio": "opaque", "azp": "11112222-bbbb-3333-cccc-4444dddd5555",
            "azpacr": "0", "name": "Alice", "oid": "22223333-cccc-4444-dddd-5555eeee6666",
            "preferred_username": "alice@shop.example", "rh": "opaque", "scp": "access_as_user orders.read",
            "sub": "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ", "tid": TENANT, "uti": "opaque",
            "ver": "2.0",
        }),
    )
}

#[test]
fn entra_access_tokens_are_accepted_and_its_id_tokens_are_not() {
    let entra = entra();
    let identity = entra.accepts(&entra.token);
    assert_eq!(identity.client_id(), Some("11112222-bbbb-3333-cccc-4444dddd5555"));
    assert!(identity.has_scope("orders.read"));
    // A daemon, which has roles and no scopes.
    let daemon = entra.token.clone().without_claim("scp").claim("roles", json!(["orders.read"]));
    assert_eq!(entra.accepts(&daemon).scope(), "");

    // The ID token of an API that is its own client has the same audience.
    let id_token = ["azp", "azpacr", "scp"]
        .into_iter()
        .fold(entra.token.clone(), TokenBuilder::without_claim)
        .claim("nonce", "n");
    entra.refuses(&id_token, TokenError::Missing("client_id"));
    entra.refuses(&entra.token.clone().claim("ver", "1.0"), TokenError::RequiredClaim);
    let issuer = format!("https://sts.windows.net/{TENANT}/");
    entra.refuses(&entra.token.clone().claim("iss", issuer), TokenError::Issuer);
    entra.refuses_es256();
}

fn okta() -> Provider {
    let server = "https://shop.okta.com/oauth2/default";
    Provider::new(
        TrustedIssuer::okta(server, "api://default", keys()),
        &json!({}),
        &json!({
            "ver": 1, "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE", "iss": server,
            "aud": "api://default", "sub": "alice@shop.example", "cid": "nmdP1fcyvdVO11AL7ECm",
            "uid": "00ujmkLgagxeRrAg20g3", "scp": ["openid", "email", "orders:read"],
            "auth_time": START.unix_seconds(), "groups": ["Everyone"],
        }),
    )
}

#[test]
fn okta_access_tokens_are_accepted_and_its_id_tokens_are_not() {
    let okta = okta();
    let identity = okta.accepts(&okta.token);
    assert_eq!(identity.client_id(), Some("nmdP1fcyvdVO11AL7ECm"));
    assert_eq!(identity.scope(), "openid email orders:read");
    assert!(identity.has_scope("orders:read"));

    let id_token = ["cid", "scp"]
        .into_iter()
        .fold(okta.token.clone(), TokenBuilder::without_claim)
        .claim("jti", "ID.radCQMOQUmyvcTBmmIL0J6BaS60apUEiC7")
        .claim("aud", "nmdP1fcyvdVO11AL7ECm");
    okta.refuses(&id_token, TokenError::Audience);
    let same = id_token.claim("aud", "api://default");
    okta.refuses(&same, TokenError::Missing("client_id"));
    okta.refuses_es256();
}

const CLIENT: &str = "1example23456789";

fn cognito() -> Provider {
    Provider::new(
        TrustedIssuer::cognito("us-east-1", "us-east-1_example", [CLIENT, "other"], keys()),
        &json!({}),
        &json!({
            "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "device_key": "aaaaaaaa-bbbb",
            "cognito:groups": ["testgroup"],
            "iss": "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_example", "version": 2,
            "client_id": CLIENT, "origin_jti": "aaaaaaaa-0000", "event_id": "aaaaaaaa-1111",
            "token_use": "access", "scope": "phone openid profile resourceserver.1/read",
            "auth_time": START.unix_seconds(), "jti": "aaaaaaaa-2222", "username": "alice",
        }),
    )
}

#[test]
fn cognito_access_tokens_are_accepted_and_its_id_tokens_are_not() {
    let cognito = cognito();
    let identity = cognito.accepts(&cognito.token);
    assert_eq!(identity.client_id(), Some(CLIENT));
    assert!(identity.has_scope("resourceserver.1/read"));
    cognito.accepts(&cognito.token.clone().claim("client_id", "other"));

    let stranger = cognito.token.clone().claim("client_id", "stranger");
    cognito.refuses(&stranger, TokenError::Audience);
    cognito.refuses(&cognito.token.clone().without_claim("client_id"), TokenError::Missing("aud"));
    let id_token = cognito.token.clone().claim("token_use", "id");
    cognito.refuses(&id_token, TokenError::RequiredClaim);
    // An ID token has the client in its audience, and no client id.
    let id_token = id_token.claim("aud", CLIENT).without_claim("client_id").without_claim("scope");
    cognito.refuses(&id_token, TokenError::Audience);
    // Resource binding.
    let bound = cognito.token.clone().claim("aud", "https://api.example");
    cognito.refuses(&bound, TokenError::Audience);
    let trusted = TrustedIssuer::cognito("us-east-1", "us-east-1_example", [CLIENT], keys());
    let trusted = trusted.unwrap().with_audiences(["https://api.example"]).unwrap();
    let token = bound.sign(&signer(Algorithm::RS256));
    assert!(Verifier::new(trusted).verify(&token, START).is_ok());
    cognito.refuses_es256();
}

const GOOGLE_CLIENT: &str = "1234987819200.apps.googleusercontent.com";

fn google() -> Provider {
    Provider::new(
        TrustedIssuer::google(GOOGLE_CLIENT, keys()),
        &json!({ "typ": "JWT" }),
        &json!({
            "iss": "https://accounts.google.com", "azp": GOOGLE_CLIENT, "aud": GOOGLE_CLIENT,
            "sub": "10769150350006150715113082367", "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q",
            "hd": "shop.example", "email": "alice@shop.example", "email_verified": true, "nonce": "n",
        }),
    )
}

#[test]
fn google_id_tokens_are_accepted_with_both_issuers_and_grant_no_scope() {
    let google = google();
    for iss in ["https://accounts.google.com", "accounts.google.com"] {
        let token = google.token.clone().claim("iss", iss).claim("scope", "admin");
        let identity = google.accepts(&token);
        assert_eq!(identity.issuer(), "https://accounts.google.com");
        assert_eq!((identity.subject(), identity.scope()), ("10769150350006150715113082367", ""));
        assert_eq!(identity.client_id(), Some(GOOGLE_CLIENT));
    }
    google.accepts(&google.token.clone().without_claim("azp"));
    for other in ["http://accounts.google.com", "https://accounts.google.com/", "accounts.google"] {
        google.refuses(&google.token.clone().claim("iss", other), TokenError::Issuer);
    }
    google.refuses(&google.token.clone().claim("aud", "another"), TokenError::Audience);
    google.refuses(&google.token.clone().without_claim("iat"), TokenError::Missing("iat"));
    google.refuses_es256();
}

#[test]
fn an_alias_is_trusted_once_and_removed_with_its_issuer() {
    let google = || TrustedIssuer::google(GOOGLE_CLIENT, keys()).unwrap();
    let named = || TrustedIssuer::new("accounts.google.com", "x", keys()).unwrap();
    assert!(Verifier::new(google()).and_trust(google()).is_err());
    assert!(Verifier::new(google()).and_trust(named()).is_err());
    assert!(Verifier::new(named()).and_trust(google()).is_err());
    let verifier = Verifier::new(named());
    assert!(verifier.issuers().remove("accounts.google.com"));
    verifier.issuers().insert(google()).unwrap();
    assert!(verifier.issuers().remove("accounts.google.com"));
    assert!(verifier.issuers().names().is_empty());
}

#[test]
fn each_provider_rejects_expired_and_long_lived_tokens_and_other_types() {
    for provider in [keycloak(), auth0(), entra(), okta(), cognito(), google()] {
        provider.accepts(&provider.token);
        let now = START.unix_seconds();
        provider.refuses(&provider.token.clone().claim("exp", now - 31), TokenError::Expired);
        let long = provider.token.clone().claim("exp", now + 24 * 3600 + 1);
        provider.refuses(&long, TokenError::Lifetime);
        for other in ["refresh+jwt", "logout+jwt", "dpop+jwt"] {
            provider.refuses(&provider.token.clone().header("typ", other), TokenError::Type);
        }
        let later: Timestamp = START + std::time::Duration::from_secs(3631);
        let token = provider.token.sign(&signer(Algorithm::RS256));
        assert!(provider.verifier.verify(&token, later).is_err());
    }
}

#[test]
fn a_provider_that_is_not_one_is_a_configuration_error() {
    fn is_setting(trusted: Result<TrustedIssuer, ConfigError>) {
        let error = trusted.unwrap_err();
        assert!(matches!(error, ConfigError::Setting { .. }), "{error}");
    }
    for bad in [
        "",
        "sso.example/realms/shop",
        "https://",
        "https:///x",
        "https://sso.example/realms/shop/",
    ] {
        is_setting(TrustedIssuer::keycloak(bad, "a", keys()));
        is_setting(TrustedIssuer::okta(bad, "a", keys()));
    }
    assert!(TrustedIssuer::keycloak("http://localhost:8080/realms/x", "a", keys()).is_ok());
    for bad in ["", "https://shop.auth0.com", "shop.auth0.com/", "shop.auth0.com:443"] {
        is_setting(TrustedIssuer::auth0(bad, "a", keys()));
    }
    for bad in ["", "common", "organizations", "shop.onmicrosoft.com", &TENANT[1..]] {
        is_setting(TrustedIssuer::entra(bad, API, keys()));
    }
    assert!(TrustedIssuer::entra(TENANT.to_uppercase(), API, keys()).is_ok());
    for (region, pool) in
        [("", "_x"), ("us-east-1", "eu-west-1_x"), ("us-east-1", "us-east-1_"), ("us/", "us/_x")]
    {
        is_setting(TrustedIssuer::cognito(region, pool, [CLIENT], keys()));
    }
    let none: [&str; 0] = [];
    assert!(TrustedIssuer::cognito("us-east-1", "us-east-1_x", none, keys()).is_err());
    assert!(TrustedIssuer::google("", keys()).is_err());
}

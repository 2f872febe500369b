//! A token of one kind is not accepted as a token of another kind.

use http::StatusCode;
use serde_json::json;
use tower_jwt_auth::tokens::TokenError;
use tower_jwt_auth::{Algorithm, AuthError, JwtAuthLayer, SigningKey, Tokens, Verifier};
use tower_jwt_auth_tests::harness::{REFRESH_SECRET, call_behind, reason};
use tower_jwt_auth_tests::token_builder::{TokenBuilder, decode, encode};
use tower_jwt_auth_tests::{Harness, TokenSigner};

const ACCESS_SECRET: [u8; 32] = *b"the secret of some access tokens";

const UNKNOWN_TYPES: [&str; 7] =
    ["JWT", "", "id+jwt", "logout+jwt", "access+jwt", "at+jwt+refresh", "application/jwt"];

/// Creates a harness that signs its access tokens with this secret.
fn harness_with(access_secret: &[u8]) -> Harness {
    Harness::with_key(SigningKey::from_secret(Algorithm::HS256, access_secret).unwrap())
}

/// Returns the signer of refresh tokens, derived from the secret, and the id of its key.
fn refresh_signer() -> (TokenSigner, String) {
    let key = TokenSigner::hs256(&REFRESH_SECRET).signature("tower-jwt-auth refresh token v1");
    let name = key_id(&key);
    (TokenSigner::hs256(&key), name)
}

/// Returns the key id of a secret.
fn key_id(secret: &[u8]) -> String {
    encode(&TokenSigner::hs256(secret).signature("tower-jwt-auth key id v1")[..16])
}

/// Returns the header and claims of a token, to change and sign them again.
fn builder_of(token: &str) -> TokenBuilder {
    TokenBuilder::of(decode(token, 0), decode(token, 1))
}

async fn assert_accepted(harness: &Harness, token: &str) {
    assert_eq!(harness.call(token).await.status, StatusCode::OK);
}

/// Returns a layer that accepts any application claims, so that only the kind of the token matters.
fn of_any_claims(harness: &Harness) -> JwtAuthLayer {
    let (sessions, clock) = (&harness.sessions, harness.clock.clone());
    JwtAuthLayer::new(Verifier::new(sessions.issuer()), sessions.revocations().clone())
        .with_clock(clock)
}

/// Asserts that the protected service refuses the token, with any application claims, and returns the reason.
async fn refused_at_protected(harness: &Harness, token: &str) -> TokenError {
    let response = harness.call(token).await;
    response.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
    let response = call_behind(&of_any_claims(harness), token).await;
    response.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
    match reason(&response) {
        AuthError::Token(error) => error,
        other => panic!("{other}"),
    }
}

/// Asserts that the refresh endpoint refuses the token without a store call and keeps the cookie.
async fn assert_refused_at_refresh(harness: &Harness, token: &str) {
    let calls = harness.store.session_calls();
    let response = harness.refresh(token).await;
    response.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
    assert_eq!(response.set_cookie(), None);
    assert_eq!(harness.store.session_calls(), calls, "the store was called");
}

/// Asserts that both services refuse the token and that its session continues.
async fn assert_refused_at_both(harness: &Harness, token: &str, tokens: &Tokens) {
    refused_at_protected(harness, token).await;
    assert_refused_at_refresh(harness, token).await;
    let calls = harness.store.session_calls();
    assert_eq!(harness.logout(token).await.status, StatusCode::NO_CONTENT);
    assert_eq!(harness.logout_everywhere(token).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(harness.store.session_calls(), calls, "the store was called");
    assert_accepted(harness, tokens.access().as_str()).await;
}

#[tokio::test]
async fn a_refresh_token_is_refused_at_a_protected_route() {
    for harness in [Harness::new(), harness_with(&ACCESS_SECRET), harness_with(&REFRESH_SECRET)] {
        let tokens = harness.sign_in().await;
        assert_accepted(&harness, tokens.access().as_str()).await;
        let refresh = tokens.refresh().as_str();
        assert_eq!(refused_at_protected(&harness, refresh).await, TokenError::Type);
        assert_eq!(harness.refresh(refresh).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn an_access_token_is_refused_at_the_refresh_endpoint_without_a_store_call() {
    for harness in [Harness::new(), harness_with(&ACCESS_SECRET), harness_with(&REFRESH_SECRET)] {
        let tokens = harness.sign_in().await;
        assert_refused_at_refresh(&harness, tokens.access().as_str()).await;
        let calls = harness.store.session_calls();
        harness.logout(tokens.access().as_str()).await;
        harness.logout_everywhere(tokens.access().as_str()).await;
        assert_eq!(harness.store.session_calls(), calls, "the store was called");
        assert_accepted(&harness, tokens.access().as_str()).await;
        assert_eq!(harness.refresh(tokens.refresh().as_str()).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_token_of_unknown_kind_is_refused_at_both() {
    for secret in [ACCESS_SECRET, REFRESH_SECRET] {
        let harness = harness_with(&secret);
        let tokens = harness.sign_in().await;
        let (access, refresh) =
            (builder_of(tokens.access().as_str()), builder_of(tokens.refresh().as_str()));
        // The unchanged tokens are accepted after they are signed again.
        assert_accepted(&harness, &access.sign(&TokenSigner::hs256(&secret))).await;
        let (signer, _) = refresh_signer();
        assert_eq!(harness.refresh(&refresh.sign(&signer)).await.status, StatusCode::OK);
        for typ in UNKNOWN_TYPES {
            let token = access.clone().header("typ", typ).sign(&TokenSigner::hs256(&secret));
            assert_eq!(refused_at_protected(&harness, &token).await, TokenError::Type, "{typ}");
            assert_refused_at_both(&harness, &token, &tokens).await;
            let token = refresh.clone().header("typ", typ).sign(&signer);
            assert_refused_at_both(&harness, &token, &tokens).await;
        }
        let token = access.without_header("typ").sign(&TokenSigner::hs256(&secret));
        assert_refused_at_both(&harness, &token, &tokens).await;
        let token = refresh.without_header("typ").sign(&signer);
        assert_refused_at_both(&harness, &token, &tokens).await;
    }
}

#[tokio::test]
async fn a_different_typ_alone_does_not_change_the_kind_of_a_token() {
    for secret in [ACCESS_SECRET, REFRESH_SECRET] {
        let harness = harness_with(&secret);
        let tokens = harness.sign_in().await;
        let access = builder_of(tokens.access().as_str()).header("typ", "refresh+jwt");
        assert_refused_at_both(&harness, &access.sign(&TokenSigner::hs256(&secret)), &tokens).await;
        let refresh = builder_of(tokens.refresh().as_str()).header("typ", "at+jwt");
        assert_refused_at_both(&harness, &refresh.sign(&refresh_signer().0), &tokens).await;
    }
}

#[tokio::test]
async fn a_refresh_token_that_the_access_key_signed_is_refused_at_both() {
    for secret in [ACCESS_SECRET, REFRESH_SECRET] {
        let harness = harness_with(&secret);
        let tokens = harness.sign_in().await;
        let refresh = builder_of(tokens.refresh().as_str());
        let (right, right_name) = refresh_signer();
        let wrong = TokenSigner::hs256(&secret);
        let names = [right_name, harness.key.key_id().to_owned(), key_id(&REFRESH_SECRET)];
        for name in names {
            let named = refresh.clone().header("kid", name);
            for typ in ["refresh+jwt", "at+jwt"] {
                let token = named.clone().header("typ", typ).sign(&wrong);
                assert_refused_at_both(&harness, &token, &tokens).await;
            }
        }
        let nameless = refresh.clone().without_header("kid");
        assert_refused_at_both(&harness, &nameless.sign(&wrong), &tokens).await;
        assert_refused_at_both(&harness, &nameless.sign(&right), &tokens).await;
        // Only the key was wrong.
        assert_eq!(harness.refresh(&refresh.sign(&right)).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn an_access_token_that_the_refresh_secret_or_its_derived_key_signed_is_refused_at_both() {
    let harness = harness_with(&ACCESS_SECRET);
    let tokens = harness.sign_in().await;
    let access = builder_of(tokens.access().as_str());
    let (derived, derived_name) = refresh_signer();
    let secret = TokenSigner::hs256(&REFRESH_SECRET);
    for name in [harness.key.key_id(), &derived_name, &key_id(&REFRESH_SECRET)] {
        let named = access.clone().header("kid", name);
        for typ in ["at+jwt", "refresh+jwt"] {
            let named = named.clone().header("typ", typ);
            assert_refused_at_both(&harness, &named.sign(&secret), &tokens).await;
            assert_refused_at_both(&harness, &named.sign(&derived), &tokens).await;
        }
    }
    let nameless = access.clone().without_header("kid");
    assert_eq!(
        refused_at_protected(&harness, &nameless.sign(&secret)).await,
        TokenError::Signature
    );
    assert_eq!(
        refused_at_protected(&harness, &nameless.sign(&derived)).await,
        TokenError::Signature
    );
    assert_accepted(&harness, &nameless.sign(&TokenSigner::hs256(&ACCESS_SECRET))).await;
}

#[tokio::test]
async fn with_one_secret_for_both_the_kinds_are_still_signed_with_different_keys() {
    let harness = harness_with(&REFRESH_SECRET);
    let tokens = harness.sign_in().await;
    let access = builder_of(tokens.access().as_str());
    let refresh = builder_of(tokens.refresh().as_str());
    let (derived, derived_name) = refresh_signer();
    assert_eq!(decode(tokens.access().as_str(), 0)["kid"], key_id(&REFRESH_SECRET));
    assert_eq!(decode(tokens.refresh().as_str(), 0)["kid"], derived_name);
    let token = access.sign(&derived);
    assert_eq!(refused_at_protected(&harness, &token).await, TokenError::Signature);
    assert_refused_at_both(&harness, &token, &tokens).await;
    let token = access.header("kid", &*derived_name).sign(&derived);
    assert_eq!(refused_at_protected(&harness, &token).await, TokenError::UnknownKey);
    assert_refused_at_both(&harness, &token, &tokens).await;
    let underived = refresh.clone().sign(&TokenSigner::hs256(&REFRESH_SECRET));
    assert_refused_at_both(&harness, &underived, &tokens).await;
    assert_eq!(harness.refresh(&refresh.sign(&derived)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_refresh_token_with_the_claims_of_an_access_token_is_refused_at_both() {
    let harness = harness_with(&REFRESH_SECRET);
    let tokens = harness.sign_in().await;
    let (derived, _) = refresh_signer();
    let refresh = builder_of(tokens.refresh().as_str());
    let claims = decode(tokens.access().as_str(), 1);
    let both = ["sub", "aud", "iat", "client_id", "name"]
        .into_iter()
        .fold(refresh.clone(), |builder, name| builder.claim(name, claims[name].clone()));
    for typ in ["refresh+jwt", "at+jwt"] {
        assert_refused_at_both(&harness, &both.clone().header("typ", typ).sign(&derived), &tokens)
            .await;
    }
    // A protected service would accept the token if the key were right.
    let named = both.header("typ", "at+jwt").header("kid", harness.key.key_id());
    let error = refused_at_protected(&harness, &named.sign(&derived)).await;
    assert_eq!(error, TokenError::Signature);
    assert_accepted(&harness, &named.sign(&TokenSigner::hs256(&REFRESH_SECRET))).await;
}

#[tokio::test]
async fn a_refresh_token_is_checked_as_strictly_as_an_access_token() {
    let harness = harness_with(&ACCESS_SECRET);
    let tokens = harness.sign_in().await;
    let refresh = builder_of(tokens.refresh().as_str());
    let (signer, _) = refresh_signer();
    for builder in [
        refresh.clone().header("alg", "none"),
        refresh.clone().header("alg", "HS384"),
        refresh.clone().header("crit", json!(["x"])).header("x", 1),
        refresh.clone().claim("iss", "https://other.example"),
        refresh.clone().claim("jti", "another"),
        refresh.clone().claim("gen", 1),
        refresh.clone().claim("sec", encode(&[1; 16])),
        refresh.clone().claim("more", 1),
    ] {
        assert_refused_at_refresh(&harness, &builder.sign(&signer)).await;
    }
    let (header, claims) = (refresh.header_json(), refresh.claims_json());
    let twice = header.replacen('{', r#"{"typ":"refresh+jwt","#, 1);
    assert_refused_at_refresh(&harness, &signer.token(&twice, &claims)).await;
    let twice = claims.replacen('{', r#"{"gen":0,"#, 1);
    assert_refused_at_refresh(&harness, &signer.token(&header, &twice)).await;
    let token = refresh.sign(&signer);
    let (signed, signature) = token.rsplit_once('.').unwrap();
    for changed in
        [format!("{signed}."), format!("{signed}.{}", &signature[4..]), format!("{token}=")]
    {
        assert_refused_at_refresh(&harness, &changed).await;
    }
    assert_eq!(harness.refresh(&token).await.status, StatusCode::OK);
}

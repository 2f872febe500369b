//! A token of one kind is nothing anywhere else.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use http::StatusCode;
use serde_json::json;
use tower_jwt_auth::{
    Algorithm, AuthError, JwtAuthLayer, SigningKey, TokenError, Tokens, Verifier,
};
use tower_jwt_auth_tests::forge::{Draft, decode, encode};
use tower_jwt_auth_tests::world::{REFRESH_SECRET, call_behind, reason};
use tower_jwt_auth_tests::{Forge, World};

const ACCESS_SECRET: [u8; 32] = [3; 32];
const UNKNOWN_TYPES: [&str; 7] =
    ["JWT", "", "id+jwt", "logout+jwt", "access+jwt", "at+jwt+refresh", "application/jwt"];

/// A world that signs its access tokens with this secret.
fn world_with(access_secret: &[u8]) -> World {
    World::with_key(SigningKey::from_secret(Algorithm::HS256, access_secret).unwrap())
}

/// The one that signs refresh tokens, derived from the secret, and the name of its key.
fn refresh_forge() -> (Forge, String) {
    let key = Forge::hs256(&REFRESH_SECRET).signature("tower-jwt-auth refresh token v1");
    let name = key_id(&key);
    (Forge::hs256(&key), name)
}

/// The name of a secret.
fn key_id(secret: &[u8]) -> String {
    encode(&Forge::hs256(secret).signature("tower-jwt-auth key id v1")[..16])
}

/// The same header and claims, to be changed and signed again.
fn draft_of(token: &str) -> Draft {
    Draft::of(decode(token, 0), decode(token, 1))
}

async fn assert_let_in(world: &World, token: &str) {
    assert_eq!(world.call(token).await.status, StatusCode::OK);
}

/// A layer that takes whatever claims the application may have, so that the kind alone is judged.
fn of_any_claims(world: &World) -> JwtAuthLayer<()> {
    let (sessions, clock) = (&world.sessions, world.clock.clone());
    JwtAuthLayer::new(Verifier::new(sessions.issuer()), sessions.revocations().clone())
        .with_clock(clock)
}

/// Refused at the protected service, whatever claims it asks for.
async fn refused_at_protected(world: &World, token: &str) -> TokenError {
    let answer = world.call(token).await;
    answer.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
    let answer = call_behind(&of_any_claims(world), token).await;
    answer.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
    match reason(&answer) {
        AuthError::Token(error) => error,
        other => panic!("{other}"),
    }
}

/// Refused at the endpoint for refresh tokens, without a word to the store and without taking the cookie away.
async fn assert_refused_at_refresh(world: &World, token: &str) {
    let asked = world.store.asked();
    let answer = world.refresh(token).await;
    answer.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
    assert_eq!(answer.set_cookie(), None);
    assert_eq!(world.store.asked(), asked, "the store was asked");
}

/// Refused everywhere; and the session that it would be of goes on.
async fn assert_refused_at_both(world: &World, token: &str, tokens: &Tokens) {
    refused_at_protected(world, token).await;
    assert_refused_at_refresh(world, token).await;
    let asked = world.store.asked();
    assert_eq!(world.logout(token).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.logout_everywhere(token).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(world.store.asked(), asked, "the store was asked");
    assert_let_in(world, tokens.access().as_str()).await;
}

#[tokio::test]
async fn a_refresh_token_is_refused_at_a_protected_route() {
    for world in [World::new(), world_with(&ACCESS_SECRET), world_with(&REFRESH_SECRET)] {
        let tokens = world.sign_in().await;
        assert_let_in(&world, tokens.access().as_str()).await;
        let refresh = tokens.refresh().as_str();
        assert_eq!(refused_at_protected(&world, refresh).await, TokenError::Type);
        assert_eq!(world.refresh(refresh).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn an_access_token_is_refused_at_the_refresh_endpoint_and_the_store_is_not_asked() {
    for world in [World::new(), world_with(&ACCESS_SECRET), world_with(&REFRESH_SECRET)] {
        let tokens = world.sign_in().await;
        assert_refused_at_refresh(&world, tokens.access().as_str()).await;
        let asked = world.store.asked();
        world.logout(tokens.access().as_str()).await;
        world.logout_everywhere(tokens.access().as_str()).await;
        assert_eq!(world.store.asked(), asked, "the store was asked");
        assert_let_in(&world, tokens.access().as_str()).await;
        assert_eq!(world.refresh(tokens.refresh().as_str()).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_token_of_unknown_kind_is_refused_at_both() {
    for secret in [ACCESS_SECRET, REFRESH_SECRET] {
        let world = world_with(&secret);
        let tokens = world.sign_in().await;
        let (access, refresh) =
            (draft_of(tokens.access().as_str()), draft_of(tokens.refresh().as_str()));
        // Signed again they are as good as before.
        assert_let_in(&world, &access.sign(&Forge::hs256(&secret))).await;
        let (forge, _) = refresh_forge();
        assert_eq!(world.refresh(&refresh.sign(&forge)).await.status, StatusCode::OK);
        for typ in UNKNOWN_TYPES {
            let token = access.clone().header("typ", typ).sign(&Forge::hs256(&secret));
            assert_eq!(refused_at_protected(&world, &token).await, TokenError::Type, "{typ}");
            assert_refused_at_both(&world, &token, &tokens).await;
            let token = refresh.clone().header("typ", typ).sign(&forge);
            assert_refused_at_both(&world, &token, &tokens).await;
        }
        let token = access.without_header("typ").sign(&Forge::hs256(&secret));
        assert_refused_at_both(&world, &token, &tokens).await;
        let token = refresh.without_header("typ").sign(&forge);
        assert_refused_at_both(&world, &token, &tokens).await;
    }
}

#[tokio::test]
async fn a_kind_is_not_changed_by_its_type_alone() {
    for secret in [ACCESS_SECRET, REFRESH_SECRET] {
        let world = world_with(&secret);
        let tokens = world.sign_in().await;
        let access = draft_of(tokens.access().as_str()).header("typ", "refresh+jwt");
        assert_refused_at_both(&world, &access.sign(&Forge::hs256(&secret)), &tokens).await;
        let refresh = draft_of(tokens.refresh().as_str()).header("typ", "at+jwt");
        assert_refused_at_both(&world, &refresh.sign(&refresh_forge().0), &tokens).await;
    }
}

#[tokio::test]
async fn a_refresh_token_that_the_access_key_signed_is_refused_at_both() {
    for secret in [ACCESS_SECRET, REFRESH_SECRET] {
        let world = world_with(&secret);
        let tokens = world.sign_in().await;
        let refresh = draft_of(tokens.refresh().as_str());
        let (right, right_name) = refresh_forge();
        let wrong = Forge::hs256(&secret);
        let names = [right_name, world.key.key_id().to_owned(), key_id(&REFRESH_SECRET)];
        for name in names {
            let named = refresh.clone().header("kid", name);
            for typ in ["refresh+jwt", "at+jwt"] {
                let token = named.clone().header("typ", typ).sign(&wrong);
                assert_refused_at_both(&world, &token, &tokens).await;
            }
        }
        let nameless = refresh.clone().without_header("kid");
        assert_refused_at_both(&world, &nameless.sign(&wrong), &tokens).await;
        assert_refused_at_both(&world, &nameless.sign(&right), &tokens).await;
        // All but the key was right.
        assert_eq!(world.refresh(&refresh.sign(&right)).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn an_access_token_that_the_refresh_secret_or_its_derived_key_signed_is_refused_at_both() {
    let world = world_with(&ACCESS_SECRET);
    let tokens = world.sign_in().await;
    let access = draft_of(tokens.access().as_str());
    let (derived, derived_name) = refresh_forge();
    let secret = Forge::hs256(&REFRESH_SECRET);
    for name in [world.key.key_id(), &derived_name, &key_id(&REFRESH_SECRET)] {
        let named = access.clone().header("kid", name);
        for typ in ["at+jwt", "refresh+jwt"] {
            let named = named.clone().header("typ", typ);
            assert_refused_at_both(&world, &named.sign(&secret), &tokens).await;
            assert_refused_at_both(&world, &named.sign(&derived), &tokens).await;
        }
    }
    let nameless = access.clone().without_header("kid");
    assert_eq!(refused_at_protected(&world, &nameless.sign(&secret)).await, TokenError::Signature);
    assert_eq!(refused_at_protected(&world, &nameless.sign(&derived)).await, TokenError::Signature);
    assert_let_in(&world, &nameless.sign(&Forge::hs256(&ACCESS_SECRET))).await;
}

#[tokio::test]
async fn with_one_secret_for_both_the_kinds_are_still_signed_with_different_keys() {
    let world = world_with(&REFRESH_SECRET);
    let tokens = world.sign_in().await;
    let access = draft_of(tokens.access().as_str());
    let refresh = draft_of(tokens.refresh().as_str());
    let (derived, derived_name) = refresh_forge();
    assert_eq!(decode(tokens.access().as_str(), 0)["kid"], key_id(&REFRESH_SECRET));
    assert_eq!(decode(tokens.refresh().as_str(), 0)["kid"], derived_name);
    let token = access.sign(&derived);
    assert_eq!(refused_at_protected(&world, &token).await, TokenError::Signature);
    assert_refused_at_both(&world, &token, &tokens).await;
    let token = access.header("kid", &*derived_name).sign(&derived);
    assert_eq!(refused_at_protected(&world, &token).await, TokenError::UnknownKey);
    assert_refused_at_both(&world, &token, &tokens).await;
    let underived = refresh.clone().sign(&Forge::hs256(&REFRESH_SECRET));
    assert_refused_at_both(&world, &underived, &tokens).await;
    assert_eq!(world.refresh(&refresh.sign(&derived)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_refresh_token_that_has_the_claims_of_an_access_token_too_is_neither() {
    let world = world_with(&REFRESH_SECRET);
    let tokens = world.sign_in().await;
    let (derived, _) = refresh_forge();
    let refresh = draft_of(tokens.refresh().as_str());
    let claims = decode(tokens.access().as_str(), 1);
    let both = ["sub", "aud", "iat", "client_id", "name"]
        .into_iter()
        .fold(refresh.clone(), |draft, name| draft.claim(name, claims[name].clone()));
    for typ in ["refresh+jwt", "at+jwt"] {
        assert_refused_at_both(&world, &both.clone().header("typ", typ).sign(&derived), &tokens)
            .await;
    }
    // As a protected service would take it, but for its key.
    let named = both.header("typ", "at+jwt").header("kid", world.key.key_id());
    let error = refused_at_protected(&world, &named.sign(&derived)).await;
    assert_eq!(error, TokenError::Signature);
    assert_let_in(&world, &named.sign(&Forge::hs256(&REFRESH_SECRET))).await;
}

#[tokio::test]
async fn a_refresh_token_is_judged_as_strictly_as_an_access_token() {
    let world = world_with(&ACCESS_SECRET);
    let tokens = world.sign_in().await;
    let refresh = draft_of(tokens.refresh().as_str());
    let (forge, _) = refresh_forge();
    for draft in [
        refresh.clone().header("alg", "none"),
        refresh.clone().header("alg", "HS384"),
        refresh.clone().header("crit", json!(["x"])).header("x", 1),
        refresh.clone().claim("iss", "https://other.example"),
        refresh.clone().claim("jti", "another"),
        refresh.clone().claim("gen", 1),
        refresh.clone().claim("sec", encode(&[1; 16])),
        refresh.clone().claim("more", 1),
    ] {
        assert_refused_at_refresh(&world, &draft.sign(&forge)).await;
    }
    let (header, claims) = (refresh.header_json(), refresh.claims_json());
    let twice = header.replacen('{', r#"{"typ":"refresh+jwt","#, 1);
    assert_refused_at_refresh(&world, &forge.token(&twice, &claims)).await;
    let twice = claims.replacen('{', r#"{"gen":0,"#, 1);
    assert_refused_at_refresh(&world, &forge.token(&header, &twice)).await;
    let token = refresh.sign(&forge);
    let (signed, signature) = token.rsplit_once('.').unwrap();
    for changed in
        [format!("{signed}."), format!("{signed}.{}", &signature[4..]), format!("{token}=")]
    {
        assert_refused_at_refresh(&world, &changed).await;
    }
    assert_eq!(world.refresh(&token).await.status, StatusCode::OK);
}

//! Reuse of a spent token ends the session.

use http::StatusCode;
use tower_jwt_auth::sessions::RefreshRejection;
use tower_jwt_auth_tests::Harness;
use tower_jwt_auth_tests::harness::assert_rejected;
use tower_jwt_auth_tests::token_builder::decode;

use super::{forged_id, generation};
use crate::revocation::assert_dead;

#[tokio::test]
async fn a_token_older_than_the_previous_generation_ends_the_session_even_in_the_window() {
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    let first = harness.refresh(tokens.refresh().as_str()).await;
    harness.advance(10);
    let second = harness.refresh(first.cookie_value().unwrap()).await;
    assert_eq!(generation(&second), 2);
    assert_rejected(&harness.refresh(tokens.refresh().as_str()).await, RefreshRejection::Reuse);
    let successor = harness.refresh(second.cookie_value().unwrap()).await;
    assert_rejected(&successor, RefreshRejection::Revoked);
    for response in [first, second] {
        let refused = harness.call(&response.access_token()).await;
        refused.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
    }
}

#[tokio::test]
async fn reuse_revokes_the_successor_and_all_access_tokens_permanently() {
    let harness = Harness::new();
    let sibling = harness.another_node();
    let tokens = harness.sign_in().await;
    let first = harness.refresh(tokens.refresh().as_str()).await;
    harness.advance(10);
    let second = harness.refresh(first.cookie_value().unwrap()).await;
    assert_dead(&harness.refresh(tokens.refresh().as_str()).await);
    let access = [tokens.access().as_str().to_owned(), first.access_token(), second.access_token()];
    assert_dead(&harness.call(&access[0]).await);
    sibling.until_refused(&access[0]).await;
    for _ in 0..4 {
        for node in [&harness, &sibling] {
            for token in &access {
                assert_dead(&node.call(token).await);
            }
            for refresh in [&first, &second] {
                assert_dead(&node.refresh(refresh.cookie_value().unwrap()).await);
            }
        }
        harness.advance(100);
    }
    let events =
        tower_jwt_auth_tests::log_capture::lines_containing("a spent refresh token was presented");
    let session = tokens.refresh().session_id().to_string();
    assert!(events.iter().any(|line| {
        line.contains(&session) && line.contains("WARN") && line.contains("subject=\"alice\"")
    }));
}

// An attacker has the signing secret but never had a token of the session.
#[tokio::test]
async fn a_token_with_another_secret_of_the_session_is_refused_and_ends_nothing() {
    use tower_jwt_auth_tests::TokenSigner;
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    let good = tokens.refresh().as_str();
    let derive = |secret: &[u8], label: &[u8]| {
        TokenSigner::hs256(secret).signature(std::str::from_utf8(label).unwrap())
    };
    let key =
        derive(&tower_jwt_auth_tests::harness::REFRESH_SECRET, b"tower-jwt-auth refresh token v1");
    let signer = TokenSigner::hs256(&key);
    let (header, claims) = (decode(good, 0), decode(good, 1));
    let sec = [7_u8; 16];
    let sid = tokens.refresh().session_id();
    for generation in [0_u64, 1, 9] {
        let mut forged = claims.clone();
        forged["sec"] = tower_jwt_auth_tests::token_builder::encode(&sec).into();
        forged["gen"] = generation.into();
        forged["jti"] = forged_id(sid.as_bytes(), generation, &sec).into();
        let token = signer.token(&header.to_string(), &forged.to_string());
        let response = harness.refresh(&token).await;
        assert_dead(&response);
        assert_eq!(response.extensions.get(), Some(&RefreshRejection::WrongSecret));
        assert_eq!(harness.logout(&token).await.status, StatusCode::NO_CONTENT);
        assert_dead(&harness.logout_everywhere(&token).await);
    }
    assert_eq!(harness.call(tokens.access().as_str()).await.status, StatusCode::OK);
    assert_eq!(harness.refresh(good).await.status, StatusCode::OK);
}

//! A refresh rotates the token.

use std::collections::HashSet;

use http::StatusCode;
use tower_jwt_auth_tests::Harness;
use tower_jwt_auth_tests::token_builder::decode;

use super::generation;

#[tokio::test]
async fn success_gives_new_tokens_and_spends_the_old_one() {
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    harness.advance(100);
    let response = harness.refresh(tokens.refresh().as_str()).await;
    assert_eq!(response.status, StatusCode::OK);
    assert_eq!(response.header("cache-control"), Some("no-store"));
    let body = response.json();
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["expires_in"], 300);
    assert_eq!(body.as_object().unwrap().len(), 3, "the refresh token is in the cookie alone");

    let (old, new) = (decode(tokens.access().as_str(), 1), decode(&response.access_token(), 1));
    for same in ["iss", "sub", "aud", "sid", "auth_time", "scope", "client_id", "name"] {
        assert_eq!(old[same], new[same], "{same}");
    }
    assert_ne!(old["jti"], new["jti"]);
    assert_eq!(new["iat"].as_i64().unwrap(), old["iat"].as_i64().unwrap() + 100);
    assert_eq!(new["exp"].as_i64().unwrap(), new["iat"].as_i64().unwrap() + 300);
    assert_eq!(harness.call(&response.access_token()).await.body, "alice is Alice");

    assert_eq!(generation(&response), 1);
    let old_jti = &decode(tokens.refresh().as_str(), 1)["jti"];
    assert_ne!(&decode(response.cookie_value().unwrap(), 1)["jti"], old_jti);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_refreshes_at_once_have_one_successor() {
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    let mut racing = Vec::new();
    for _ in 0..200 {
        let (harness, token) = (harness.clone(), tokens.refresh().as_str().to_owned());
        racing.push(tokio::spawn(async move { harness.refresh(&token).await }));
    }
    let mut successors = HashSet::new();
    for racer in racing {
        let response = racer.await.unwrap();
        assert_eq!(response.status, StatusCode::OK);
        assert_eq!(harness.call(&response.access_token()).await.status, StatusCode::OK);
        successors.insert(response.cookie_value().unwrap().to_owned());
    }
    assert_eq!(successors.len(), 1, "all responses have the same token");
    let row = &harness.sessions.list("alice", None).await.unwrap().sessions[0];
    assert_eq!(row.generation(), 1, "the session advances once");
    let successor = successors.iter().next().unwrap();
    assert_eq!(
        generation(&harness.refresh(successor).await),
        1,
        "the session rotates once in a grace window"
    );
    harness.advance(10);
    assert_eq!(generation(&harness.refresh(successor).await), 2);
}

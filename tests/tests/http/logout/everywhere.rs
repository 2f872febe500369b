//! Logging out of all sessions of the subject, or of all others.

use http::StatusCode;
use tower_jwt_auth::LogoutService;
use tower_jwt_auth_tests::Harness;
use tower_jwt_auth_tests::harness::send_to;

use crate::revocation::assert_dead;

#[tokio::test]
async fn logging_out_everywhere_ends_all_sessions_of_the_subject_and_no_others() {
    let harness = Harness::new();
    let (first, second) = (harness.sign_in().await, harness.sign_in().await);
    let bob = tower_jwt_auth::SignIn::new("bob")
        .with_claims(tower_jwt_auth_tests::Profile { name: "Bob".into() });
    let bob = harness.sign_in_as(bob).await;
    let response = harness.logout_everywhere(first.refresh().as_str()).await;
    assert_eq!(response.status, StatusCode::NO_CONTENT);
    assert!(response.set_cookie().unwrap().contains("Max-Age=0"));
    for tokens in [&first, &second] {
        assert_dead(&harness.call(tokens.access().as_str()).await);
        assert_dead(&harness.refresh(tokens.refresh().as_str()).await);
    }
    assert_eq!(harness.call(bob.access().as_str()).await.status, StatusCode::OK);
    assert_eq!(harness.refresh(bob.refresh().as_str()).await.status, StatusCode::OK);

    // The clock has not moved, so a whole-second `iat` could not distinguish the new token from the revoked ones.
    let again = harness.sign_in().await;
    assert_eq!(harness.call(again.access().as_str()).await.status, StatusCode::OK);
    assert_eq!(harness.refresh(again.refresh().as_str()).await.status, StatusCode::OK);
}

// Without a valid token, a success would hide that nothing was revoked.
#[tokio::test]
async fn logging_out_everywhere_needs_the_token_of_a_live_session() {
    let harness = Harness::new();
    let (first, second) = (harness.sign_in().await, harness.sign_in().await);
    harness.logout(first.refresh().as_str()).await;
    for token in [first.refresh().as_str(), "garbage"] {
        let response = harness.logout_everywhere(token).await;
        assert_dead(&response);
        assert_eq!(response.set_cookie(), None);
    }
    let everywhere = LogoutService::everywhere(&harness.sessions, harness.cookie.clone());
    let nothing = tower_jwt_auth_tests::harness::request("POST", &[]);
    let response = send_to(everywhere, nothing).await;
    assert_eq!(response.status, StatusCode::UNAUTHORIZED);
    assert_eq!(response.challenge(), Some(r#"Bearer realm="api""#));
    assert_eq!(response.json()["error"], "missing_token");
    assert_eq!(harness.call(second.access().as_str()).await.status, StatusCode::OK);
}

// `LogoutService::others` ends all other sessions.
#[tokio::test]
async fn logging_out_all_others_keeps_this_session_and_its_cookie() {
    let harness = Harness::new();
    let (first, second) = (harness.sign_in().await, harness.sign_in().await);
    let others = LogoutService::others(&harness.sessions, harness.cookie.clone());
    let response = send_to(others, harness.with_cookie(first.refresh().as_str())).await;
    assert_eq!(response.status, StatusCode::NO_CONTENT);
    assert_eq!(response.set_cookie(), None);
    assert_eq!(harness.call(first.access().as_str()).await.status, StatusCode::OK);
    assert_eq!(harness.refresh(first.refresh().as_str()).await.status, StatusCode::OK);
    assert_dead(&harness.call(second.access().as_str()).await);
    assert_dead(&harness.refresh(second.refresh().as_str()).await);
}

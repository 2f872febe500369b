//! No log line, `Debug`, `Display` or error contains a token, key or cookie value.
//!
//! All tests of this binary run with all logging on. A log line that contains a secret aborts the run (see
//! [`log_capture`]).

use http::StatusCode;
use tower_jwt_auth::{
    Algorithm, JwtAuthLayer, KeySet, RefreshSecrets, SigningKey, TrustedIssuer, Verifier,
    VerifyingKey,
};
use tower_jwt_auth_tests::{Fault, Harness, log_capture};

#[test]
fn the_search_finds_secrets() {
    let token = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl";
    assert!(log_capture::contains_secret(&format!("a line with {token} in it")));
    assert!(log_capture::contains_secret(&format!("cookie: x={token}")));
    assert!(!log_capture::contains_secret("a line with nothing, not even eyJust this"));
    log_capture::watch_for("the watched words of this test");
    assert!(log_capture::contains_secret("here: the watched words of this test."));
}

#[tokio::test]
async fn logging_is_enabled_during_the_tests() {
    let harness = Harness::new();
    harness.call("garbage").await;
    assert!(!log_capture::lines_containing("rejected a request").is_empty());
    tracing::trace!("a line at the lowest level");
    assert!(!log_capture::lines_containing("a line at the lowest level").is_empty());
}

/// The search covers all encodings of keys and secrets, besides the tokens themselves.
#[tokio::test]
async fn debug_and_display_show_no_secret() {
    let secret = b"a secret of sixty-four bytes, so that it will do for every HMAC.";
    let text = std::str::from_utf8(secret).unwrap();
    let signing = SigningKey::from_secret(Algorithm::HS512, secret).unwrap();
    let verifying = VerifyingKey::from_secret(Algorithm::HS512, secret).unwrap();
    let secrets = RefreshSecrets::new(secret).unwrap();
    let harness = Harness::with_key(signing.clone());
    let tokens = harness.sign_in().await;
    let keys = KeySet::new([verifying.clone()]).unwrap();
    let trusted = TrustedIssuer::new("i", "a", keys.clone()).unwrap();
    let identity = {
        let issuer = harness.sessions.issuer();
        Verifier::new(issuer).verify(tokens.access().as_str(), harness.now()).unwrap()
    };
    let session = harness.sessions.list("alice", None).await.unwrap().sessions.remove(0);
    let shown = [
        format!("{signing:?} {verifying:?} {secrets:?} {keys:?} {trusted:?}"),
        format!("{:?} {:?}", tokens, harness.sessions),
        format!("{:?} {:?} {:?}", harness.auth, harness.cookie, harness.refresh_service()),
        format!(
            "{:?} {identity:?} {session:?}",
            Harness::alice().replacing_token(tokens.refresh().as_str())
        ),
        format!("{:?}", Verifier::new(harness.sessions.issuer())),
        format!("{:?}", JwtAuthLayer::for_sessions(&harness.sessions).optional()),
    ];
    let bytes: Vec<String> = secret.iter().map(u8::to_string).collect();
    for text_shown in &shown {
        assert!(!log_capture::contains_secret(text_shown), "{text_shown}");
        assert!(!text_shown.contains(text), "{text_shown}");
        assert!(!text_shown.contains(&bytes[..8].join(", ")), "{text_shown}");
    }
}

#[tokio::test]
async fn errors_show_no_secret() {
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    let mut errors = Vec::new();
    let verifier = Verifier::new(harness.sessions.issuer());
    let access = tokens.access().as_str();
    for bad in [&access[..access.len() - 1], &format!("{access}A"), tokens.refresh().as_str()] {
        let error = verifier.verify(bad, harness.now()).unwrap_err();
        errors.push(format!("{error} {error:?}"));
    }
    for fault in [Fault::Before, Fault::After] {
        harness.store.fail("*", fault);
        let error = harness.sessions.refresh(tokens.refresh().as_str()).await.unwrap_err();
        errors.push(format!("{error} {error:?}"));
        let error = harness.sessions.end_presented(tokens.refresh().as_str()).await.unwrap_err();
        errors.push(format!("{error} {error:?}"));
        harness.store.heal();
    }
    for error in errors {
        assert!(!log_capture::contains_secret(&error), "{error}");
    }
    let response = harness.call(tokens.refresh().as_str()).await;
    assert_eq!(response.status, StatusCode::UNAUTHORIZED);
    let shown = format!("{:?} {}", response.headers, String::from_utf8_lossy(&response.body));
    assert!(!log_capture::contains_secret(&shown), "{shown}");
}

// Configuration errors describe the problem and never show the secret.
#[test]
fn configuration_errors_show_no_secret() {
    let short = b"a secret too short";
    let error = SigningKey::from_secret(Algorithm::HS256, short).unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("a secret too short"), "{shown}");
    let error = SigningKey::from_pem(Algorithm::ES256, b"-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n")
        .unwrap_err();
    assert!(!format!("{error} {error:?}").contains("c2VjcmV0"));
}

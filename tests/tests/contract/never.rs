//! Line 50: no token, key or cookie value in any log line, `Debug`, `Display` or error. The whole contract runs
//! with all logging on and every line searched; a line with a secret aborts the run (see `logs`).

use http::StatusCode;
use tower_jwt_auth::{
    Algorithm, JwtAuthLayer, KeySet, RefreshSecrets, SigningKey, TrustedIssuer, Verifier,
    VerifyingKey,
};
use tower_jwt_auth_tests::{Fault, World, logs};

#[test]
fn the_search_finds_what_it_is_to_find() {
    let token = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl";
    assert!(logs::has_secret(&format!("a line with {token} in it")));
    assert!(logs::has_secret(&format!("cookie: x={token}")));
    assert!(!logs::has_secret("a line with nothing, not even eyJust this"));
    logs::watch_for("the watched words of this test");
    assert!(logs::has_secret("here: the watched words of this test."));
}

#[tokio::test]
async fn logging_is_on_while_the_contract_runs() {
    let world = World::new();
    world.call("garbage").await;
    assert!(!logs::lines_with("refused a request").is_empty());
    tracing::trace!("a line at the lowest level");
    assert!(!logs::lines_with("a line at the lowest level").is_empty());
}

/// All that a token, key or secret could be recognised by, apart from the tokens themselves.
#[tokio::test]
async fn debug_and_display_show_no_secret() {
    let secret = b"a secret of sixty-four bytes, so that it will do for every HMAC.";
    let text = std::str::from_utf8(secret).unwrap();
    let signing = SigningKey::from_secret(Algorithm::HS512, secret).unwrap();
    let verifying = VerifyingKey::from_secret(Algorithm::HS512, secret).unwrap();
    let secrets = RefreshSecrets::new(secret).unwrap();
    let world = World::with_key(signing.clone());
    let tokens = world.sign_in().await;
    let keys = KeySet::new([verifying.clone()]).unwrap();
    let trusted = TrustedIssuer::new("i", "a", keys.clone()).unwrap();
    let identity = {
        let issuer = world.sessions.issuer();
        Verifier::<()>::new(issuer).verify(tokens.access().as_str(), world.now()).unwrap()
    };
    let session = world.sessions.list("alice", None).await.unwrap().sessions.remove(0);
    let shown = [
        format!("{signing:?} {verifying:?} {secrets:?} {keys:?} {trusted:?}"),
        format!("{:?} {:?}", tokens, world.sessions),
        format!("{:?} {:?} {:?}", world.auth, world.cookie, world.refresh_service()),
        format!(
            "{:?} {identity:?} {session:?}",
            World::alice().replacing_token(tokens.refresh().as_str())
        ),
        format!("{:?}", Verifier::<()>::new(world.sessions.issuer())),
        format!("{:?}", JwtAuthLayer::for_sessions(&world.sessions).optional()),
    ];
    let bytes: Vec<String> = secret.iter().map(u8::to_string).collect();
    for text_shown in &shown {
        assert!(!logs::has_secret(text_shown), "{text_shown}");
        assert!(!text_shown.contains(text), "{text_shown}");
        assert!(!text_shown.contains(&bytes[..8].join(", ")), "{text_shown}");
    }
}

#[tokio::test]
async fn errors_show_no_secret() {
    let world = World::new();
    let tokens = world.sign_in().await;
    let mut errors = Vec::new();
    let verifier = Verifier::<()>::new(world.sessions.issuer());
    let access = tokens.access().as_str();
    for bad in [&access[..access.len() - 1], &format!("{access}A"), tokens.refresh().as_str()] {
        let error = verifier.verify(bad, world.now()).unwrap_err();
        errors.push(format!("{error} {error:?}"));
    }
    for fault in [Fault::Before, Fault::After] {
        world.store.fail("*", fault);
        let error = world.sessions.refresh(tokens.refresh().as_str()).await.unwrap_err();
        errors.push(format!("{error} {error:?}"));
        let error = world.sessions.end_presented(tokens.refresh().as_str()).await.unwrap_err();
        errors.push(format!("{error} {error:?}"));
        world.store.heal();
    }
    for error in errors {
        assert!(!logs::has_secret(&error), "{error}");
    }
    let answer = world.call(tokens.refresh().as_str()).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let told = format!("{:?} {}", answer.headers, String::from_utf8_lossy(&answer.body));
    assert!(!logs::has_secret(&told), "{told}");
}

// Configuration errors name what is wrong, never the secret that is.
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

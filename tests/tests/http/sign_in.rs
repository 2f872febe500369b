//! Sign-ins, and the data that they read from the request.

use http::StatusCode;
use tower_jwt_auth::sessions::{ClientInfo, SessionError};
use tower_jwt_auth::{RefreshCookie, RefreshSecrets, Sessions, SignIn};
use tower_jwt_auth_tests::harness::request;
use tower_jwt_auth_tests::{Fault, Harness, ISSUER, Profile};

use crate::config_errors::issuer;
use crate::revocation::assert_dead;

#[tokio::test]
async fn a_sign_in_with_its_request_ends_the_session_of_every_cookie() {
    let harness = Harness::new();
    let (first, second) = (harness.sign_in().await, harness.sign_in().await);
    let elsewhere = harness.sign_in().await;
    let name = harness.cookie.name();
    let [one, two] = [&first, &second].map(|tokens| tokens.refresh().as_str());
    let (split, other) = (format!("{name}=junk; {name}={one}"), elsewhere.refresh().as_str());
    let rest = format!("other={other}; {name}={two}");
    let login = request("POST", &[("cookie", &split), ("cookie", &rest)]);
    let who = Harness::alice().with_request(login.headers(), &harness.cookie);
    let new = harness.sign_in_as(who).await;
    for (tokens, status) in [
        (first, StatusCode::UNAUTHORIZED),
        (second, StatusCode::UNAUTHORIZED),
        (elsewhere, StatusCode::OK),
        (new, StatusCode::OK),
    ] {
        assert_eq!(harness.call(tokens.access().as_str()).await.status, status);
    }
}

#[tokio::test]
async fn a_sign_in_with_its_request_records_the_user_agent_and_keeps_the_address() {
    let known = ClientInfo::default().with_user_agent("unknown").with_address("192.0.2.7");
    for (headers, user_agent) in
        [(&[("user-agent", "Browser/1")][..], "Browser/1"), (&[], "unknown")]
    {
        let harness = Harness::new();
        let login = request("POST", headers);
        let who = Harness::alice().with_client_info(known.clone());
        let _tokens =
            harness.sign_in_as(who.with_request(login.headers(), &RefreshCookie::host())).await;
        let listed = harness.sessions.list("alice", None).await.unwrap().sessions;
        assert_eq!(listed[0].client_info().user_agent(), Some(user_agent));
        assert_eq!(listed[0].client_info().address(), Some("192.0.2.7"));
    }
}

// A repeated sign-in on the same client leaves no unused session behind.
#[tokio::test]
async fn a_sign_in_can_replace_the_session_of_the_cookie() {
    let harness = Harness::new();
    let first = harness.sign_in().await;
    let second =
        harness.sign_in_as(Harness::alice().replacing_token(first.refresh().as_str())).await;
    assert_dead(&harness.call(first.access().as_str()).await);
    assert_eq!(harness.call(second.access().as_str()).await.status, StatusCode::OK);
    assert_eq!(harness.sessions.list("alice", None).await.unwrap().sessions.len(), 1);
    let third = harness.sign_in_as(Harness::alice().replacing_token("garbage")).await;
    assert_eq!(harness.call(third.access().as_str()).await.status, StatusCode::OK);
}

// Issued tokens are accepted. A sign-in whose tokens would be refused fails at once.
#[tokio::test]
async fn claims_that_cannot_be_read_back_are_refused_at_sign_in() {
    use std::collections::BTreeMap;
    use tower_jwt_auth::{Issuer, MemoryStore, RefreshSecrets, Sessions, SigningKey};
    let issuer = || Issuer::new(ISSUER, "a", SigningKey::generate().unwrap()).unwrap();
    let secrets = || RefreshSecrets::generate().unwrap();

    type Many = BTreeMap<String, u8>;
    let sessions = Sessions::builder(issuer(), secrets(), MemoryStore::new())
        .claims::<Many>()
        .build()
        .unwrap();
    let claims = |n: u32| (0..n).map(|n| (format!("claim-{n}"), 0)).collect::<Many>();
    assert!(sessions.start(SignIn::new("alice").with_claims(claims(128))).await.is_ok());
    let many = sessions.start(SignIn::new("alice").with_claims(claims(129))).await;
    assert!(matches!(many, Err(SessionError::Issue(_))), "{many:?}");

    #[derive(serde::Serialize, serde::Deserialize)]
    enum External {
        Variant { a: u8 },
    }
    let sessions = Sessions::builder(issuer(), secrets(), MemoryStore::new())
        .claims::<External>()
        .build()
        .unwrap();
    let external =
        sessions.start(SignIn::new("alice").with_claims(External::Variant { a: 1 })).await;
    assert!(matches!(external, Err(SessionError::Issue(_))), "{external:?}");
    assert!(sessions.list("alice", None).await.unwrap().sessions.is_empty());

    let nobody = Harness::new().sessions.start(Harness::alice().with_client_id("")).await;
    assert!(matches!(nobody, Err(SessionError::NoClientId)), "{nobody:?}");
}

#[tokio::test]
async fn a_sign_in_that_fails_in_the_store_leaves_nothing() {
    let harness = Harness::new();
    harness.store.fail("insert", Fault::Before);
    assert!(harness.sessions.start(Harness::alice()).await.is_err());
    harness.store.heal();
    assert!(harness.sessions.list("alice", None).await.unwrap().sessions.is_empty());
}

#[tokio::test]
async fn a_sign_in_that_cannot_be_put_into_a_token_is_an_error_and_leaves_nothing() {
    #[derive(Clone, serde::Serialize, serde::Deserialize)]
    struct Shadow {
        scope: String,
    }
    let store = tower_jwt_auth::MemoryStore::new();
    let sessions = Sessions::builder(issuer(), RefreshSecrets::generate().unwrap(), store)
        .claims::<Shadow>()
        .build();
    let sessions = sessions.unwrap();
    let shadow =
        sessions.start(SignIn::new("alice").with_claims(Shadow { scope: "admin".into() })).await;
    assert!(matches!(shadow, Err(SessionError::Issue(_))), "{shadow:?}");
    assert!(sessions.list("alice", None).await.unwrap().sessions.is_empty());

    let harness = Harness::new();
    let long = Profile { name: "x".repeat(9000) };
    let long = harness.sessions.start(SignIn::new("alice").with_claims(long)).await;
    assert!(matches!(long, Err(SessionError::Issue(_))), "{long:?}");
    let empty =
        harness.sessions.start(SignIn::new("").with_claims(Profile { name: String::new() })).await;
    assert!(matches!(empty, Err(SessionError::NoSubject)), "{empty:?}");
    for scope in ["a  b", "a\"b", "ä", "a\nb"] {
        let odd = harness.sessions.start(Harness::alice().with_scope(scope)).await;
        assert!(matches!(odd, Err(SessionError::Scope)), "{odd:?}");
    }
    assert!(harness.sessions.list("alice", None).await.unwrap().sessions.is_empty());
}

//! The application's type of claims: it sees the registered claims that it names, and it runs for signed tokens alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::StatusCode;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use tower_jwt_auth::sessions::{RefreshError, Session, SessionLimit};
use tower_jwt_auth::store::{ManualClock, SessionStore as _};
use tower_jwt_auth::tokens::{ClaimsError, IssueError, TokenError, TokenPart};
use tower_jwt_auth::{
    Algorithm, AuthError, Issuer, JwtAuthLayer, MemoryStore, RefreshSecrets, RevocationList,
    Sessions, SignIn, SigningKey, Verifier,
};
use tower_jwt_auth_tests::harness::{call_behind, reason};
use tower_jwt_auth_tests::token_builder::{TokenBuilder, decode};
use tower_jwt_auth_tests::{AUDIENCE, ISSUER, START, TestResponse};
use tower_jwt_auth_tests::{TokenSigner, log_capture};

const SECRET: [u8; 32] = *b"thirty-two bytes for HMAC-SHA256";

fn issuer() -> Issuer {
    let key = SigningKey::from_secret(Algorithm::HS256, &SECRET).unwrap().with_key_id("key");
    Issuer::new(ISSUER, AUDIENCE, key).unwrap().with_clock(ManualClock::at(START))
}

fn builder() -> TokenBuilder {
    TokenBuilder::access("HS256", "key")
}

/// Calls a layer that reads claims of the type `C`.
async fn call_for<C: DeserializeOwned + Send + Sync + 'static>(token: &str) -> TestResponse {
    log_capture::install();
    let verifier = Verifier::new(&issuer()).with_claims::<C>();
    let auth =
        JwtAuthLayer::new(verifier, RevocationList::none()).with_clock(ManualClock::at(START));
    call_behind(&auth, token).await
}

fn read<C: DeserializeOwned + Send + Sync + Clone + 'static>(token: &str) -> C {
    let verifier = Verifier::new(&issuer()).with_claims::<C>();
    verifier.verify(token, START).unwrap().claims::<C>().unwrap().clone()
}

/// Claims that name registered ones, as most other JWT libraries have them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    #[serde(skip_serializing)]
    sub: String,
    #[serde(skip_serializing)]
    exp: u64,
    #[serde(skip_serializing)]
    jti: String,
    #[serde(skip_serializing)]
    scope: Option<String>,
    name: String,
}

#[tokio::test]
async fn a_type_sees_the_registered_claims_that_it_names() {
    let token = builder().sign(&TokenSigner::hs256(&SECRET));
    assert_eq!(call_for::<User>(&token).await.status, StatusCode::OK);
    let user = User {
        sub: "alice".into(),
        exp: 1_700_000_300,
        jti: "a-token".into(),
        scope: Some("read write".into()),
        name: "Alice".into(),
    };
    assert_eq!(read::<User>(&token), user);
    let all = read::<BTreeMap<String, Value>>(&token);
    assert_eq!((&all["sub"], &all["name"]), (&json!("alice"), &json!("Alice")));
    let all = read::<Value>(&token);
    assert_eq!(all["iss"], ISSUER);
}

fn sessions<C>() -> Sessions<C>
where
    C: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    log_capture::install();
    let secrets = RefreshSecrets::generate().unwrap();
    let clock = ManualClock::at(START);
    Sessions::builder(issuer(), secrets, MemoryStore::with_clock(clock))
        .claims::<C>()
        .build()
        .unwrap()
}

#[tokio::test]
async fn a_session_whose_claims_name_registered_ones_is_refreshed() {
    let sessions = sessions::<User>();
    let user = User {
        sub: "ignored".into(),
        exp: 0,
        jti: "ignored".into(),
        scope: None,
        name: "Alice".into(),
    };
    let first = sessions.start(SignIn::new("alice").with_claims(user).with_scope("read")).await;
    let first = first.unwrap();
    let second = sessions.refresh(first.refresh().as_str()).await.unwrap();
    for tokens in [first, second] {
        let user = read::<User>(tokens.access().as_str());
        assert_eq!((&*user.sub, &*user.name), ("alice", "Alice"));
        assert_eq!(user.exp, 1_700_000_300);
        assert_eq!(user.jti, tokens.access().id().to_string());
        assert_eq!(user.scope.as_deref(), Some("read"));
    }
}

// The store has the claims of the release that signed the user in. The next access token has those of this one.
#[tokio::test]
async fn a_session_of_an_earlier_release_is_refreshed_with_the_claims_of_this_one() {
    #[derive(Clone, Serialize, Deserialize)]
    struct Old {
        name: String,
        dropped: u8,
    }
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct New {
        name: String,
        #[serde(default)]
        added: u8,
    }
    let store = Arc::new(MemoryStore::with_clock(ManualClock::at(START)));
    let secrets = RefreshSecrets::generate().unwrap();
    let builder = || Sessions::builder(issuer(), secrets.clone(), store.clone());
    let old = builder().claims::<Old>().build().unwrap();
    let claims = Old { name: "Alice".into(), dropped: 1 };
    let first = old.start(SignIn::new("alice").with_claims(claims)).await.unwrap();
    let new = builder().claims::<New>().build().unwrap();
    let second = new.refresh(first.refresh().as_str()).await.unwrap();
    let all = decode(second.access().as_str(), 1);
    assert_eq!((&all["name"], &all["added"]), (&json!("Alice"), &json!(0)));
    assert_eq!(all.get("dropped"), None);
}

// The access token would be refused by every verifier.
#[tokio::test]
async fn a_session_with_more_members_than_a_token_may_have_is_not_refreshed() {
    type Many = BTreeMap<String, u8>;
    let store = Arc::new(MemoryStore::with_clock(ManualClock::at(START)));
    let secrets = RefreshSecrets::generate().unwrap();
    let sessions = Sessions::builder(issuer(), secrets, store.clone()).claims::<Many>();
    let sessions = sessions.build().unwrap();
    for (count, is_refreshed) in [(128, true), (129, false)] {
        let claims = Many::from([("claim-0".to_owned(), 0)]);
        let first = sessions.start(SignIn::new("alice").with_claims(claims)).await.unwrap();
        let id = first.refresh().session_id();
        let mut record = store.load(id).await.unwrap().unwrap().session.into_record();
        let members = (0..count).map(|n| format!(r#""claim-{n}":0"#)).collect::<Vec<_>>();
        record.claims = format!("{{{}}}", members.join(","));
        // The record of a session that another release has written.
        let other = Arc::new(MemoryStore::with_clock(ManualClock::at(START)));
        other.insert(&Session::from_record(record), SessionLimit::none()).await.unwrap();
        let secrets = (*sessions.refresh_secrets().load()).clone();
        let others = Sessions::builder(issuer(), secrets, other).claims::<Many>().build().unwrap();
        let result = others.refresh(first.refresh().as_str()).await;
        assert_eq!(result.is_ok(), is_refreshed, "{result:?}");
        if let Err(error) = result {
            assert!(matches!(error, RefreshError::Failed { .. }), "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_session_with_a_map_of_claims_is_refreshed() {
    let sessions = sessions::<BTreeMap<String, String>>();
    let claims = BTreeMap::from([("plan".to_owned(), "basic".to_owned())]);
    let first = sessions.start(SignIn::new("alice").with_claims(claims.clone())).await.unwrap();
    let second = sessions.refresh(first.refresh().as_str()).await.unwrap();
    assert_eq!(read::<BTreeMap<String, String>>(second.access().as_str()), claims);

    // A map of any values could hold registered claims, which must not be issued again.
    let sessions = self::sessions::<BTreeMap<String, Value>>();
    let claims = BTreeMap::from([("plan".to_owned(), json!("basic"))]);
    let first = sessions.start(SignIn::new("alice").with_claims(claims)).await.unwrap();
    let second = sessions.refresh(first.refresh().as_str()).await.unwrap();
    let all = read::<BTreeMap<String, Value>>(second.access().as_str());
    assert_eq!((&all["plan"], &all["sub"]), (&json!("basic"), &json!("alice")));
}

#[tokio::test]
async fn an_application_does_not_write_registered_claims() {
    let sessions = sessions::<Value>();
    let sign_in = SignIn::new("alice").with_claims(json!({ "sub": "alice" }));
    let error = sessions.start(sign_in).await.unwrap_err();
    let tower_jwt_auth::sessions::SessionError::Issue(IssueError::Claims(error)) = error else {
        panic!("{error}");
    };
    assert!(matches!(error, ClaimsError::Registered("sub")));
}

#[tokio::test]
async fn a_type_that_does_not_fit_is_logged_with_the_field_and_no_value() {
    #[derive(Deserialize)]
    struct Strange {
        #[serde(rename = "unusual_member")]
        _unusual: u8,
    }
    log_capture::watch_for("a value for nobody");
    let signer = TokenSigner::hs256(&SECRET);
    let missing = builder().sign(&signer);
    let mistyped = builder().claim("unusual_member", "a value for nobody").sign(&signer);
    for token in [missing, mistyped] {
        let response = call_for::<Strange>(&token).await;
        response.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
        let error = TokenError::Claims { field: Some("unusual_member") };
        assert_eq!(reason(&response), AuthError::Token(error));
        assert!(!error.to_string().contains("nobody"));
    }
    let lines = log_capture::lines_containing("unusual_member");
    let warnings = lines.iter().filter(|line| line.contains("WARN"));
    assert_eq!(warnings.count(), 2, "{lines:?}");
}

#[tokio::test]
async fn the_application_runs_for_signed_tokens_alone() {
    static READ: AtomicUsize = AtomicUsize::new(0);
    struct Counted;
    impl<'de> Deserialize<'de> for Counted {
        fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            READ.fetch_add(1, Ordering::SeqCst);
            Ok(Self)
        }
    }
    let forged = builder().sign(&TokenSigner::hs256(b"another secret of that same kind."));
    let response = call_for::<Counted>(&forged).await;
    assert_eq!(reason(&response), TokenError::Signature.into());
    assert_eq!(READ.load(Ordering::SeqCst), 0);
    let token = builder().sign(&TokenSigner::hs256(&SECRET));
    assert_eq!(call_for::<Counted>(&token).await.status, StatusCode::OK);
    assert_eq!(READ.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_type_that_swallows_errors_hides_no_duplicate() {
    /// Reads all claims, or none if they are not readable.
    struct Forgiving;
    impl<'de> Deserialize<'de> for Forgiving {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let _ = BTreeMap::<String, Value>::deserialize(deserializer);
            Ok(Self)
        }
    }
    let (signer, builder) = (TokenSigner::hs256(&SECRET), builder());
    assert_eq!(call_for::<Forgiving>(&builder.sign(&signer)).await.status, StatusCode::OK);
    for twice in [r#""x":1,"x":1"#, r#""name":"Bob""#, r#""sub":"bob""#, r#""sub":1"#] {
        let claims = builder.claims_json().replacen('{', &format!("{{{twice},"), 1);
        let response = call_for::<Forgiving>(&signer.token(&builder.header_json(), &claims)).await;
        response.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
        assert_eq!(reason(&response), TokenError::Json(TokenPart::Claims).into(), "{twice}");
    }
}

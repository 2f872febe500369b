//! Tokens and JWK sets of the library, judged by other implementations.

use http::Request;
use serde_json::{Value, json};
use tower::ServiceExt;
use tower_jwt_auth::{Issuer, MemoryStore, RefreshSecrets, Sessions, SignIn};
use tower_jwt_auth_tests::{AUDIENCE, ISSUER, TestResponse};

use crate::makers::{Key, Maker};

/// Returns an access token of alice and the JWK set of its issuer.
async fn issue(key: Key) -> (String, Value) {
    let issuer = Issuer::new(ISSUER, AUDIENCE, key.signing_key()).unwrap();
    let jwks = issuer.jwks().oneshot(Request::get("/").body(()).unwrap()).await.unwrap();
    let jwks = serde_json::from_slice(&TestResponse::read(jwks).await.body).unwrap();
    let secrets = RefreshSecrets::generate().unwrap();
    let sessions = Sessions::builder(issuer, secrets, MemoryStore::new()).build().unwrap();
    let tokens = sessions.start(SignIn::new("alice").with_scope("read")).await.unwrap();
    (tokens.access().as_str().to_owned(), jwks)
}

/// Returns the token with another signature, of the same length.
fn forged(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { "B" } else { "A" };
    format!("{signed}.{first}{}", &signature[1..])
}

/// Returns jobs to verify a token of this key, and their results.
async fn jobs(key: Key) -> [(Value, Value); 4] {
    let (token, jwks) = issue(key).await;
    let keys = jwks["keys"].as_array().unwrap();
    assert_eq!(keys.len(), usize::from(!key.is_secret()), "secrets are not published");
    [
        (key.verify(&jwks, &token, ISSUER, AUDIENCE), json!("alice")),
        // The other implementation does check.
        (key.verify(&jwks, &forged(&token), ISSUER, AUDIENCE), Value::Null),
        (key.verify(&jwks, &token, "https://other.example", AUDIENCE), Value::Null),
        (key.verify(&jwks, &token, ISSUER, "https://other.example"), Value::Null),
    ]
}

#[tokio::test]
async fn access_tokens_of_each_algorithm_are_accepted_by_each_implementation() {
    for maker in Maker::all() {
        let mut all = Vec::new();
        for key in maker.keys() {
            all.extend(jobs(key).await);
        }
        let (jobs, expected): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        for ((result, expected), job) in maker.run(&jobs).iter().zip(&expected).zip(&jobs) {
            assert_eq!(result, expected, "{job} by {}", maker.name);
        }
    }
}

//! Tokens of other implementations, judged by the library.

use serde_json::{Value, json};
use tower_jwt_auth::store::{Clock, SystemClock};
use tower_jwt_auth::tokens::TokenError;
use tower_jwt_auth::{KeySet, TrustedIssuer, Verifier};
use tower_jwt_auth_tests::{AUDIENCE, ISSUER};

use crate::makers::{Key, Maker};

/// The claims of a valid token, or those with some replaced. A claim that is replaced by null is removed.
fn claims(replaced: &Value) -> Value {
    let now = SystemClock::new().now().unix_seconds();
    let claims = json!({
        "iss": ISSUER, "sub": "alice", "aud": AUDIENCE, "client_id": "shop", "jti": "a-token",
        "iat": now, "exp": now + 300, "scope": "read",
    });
    replace(claims, replaced)
}

fn header(key: Key, replaced: &Value) -> Value {
    replace(json!({ "typ": "at+jwt", "kid": key.algorithm.as_str() }), replaced)
}

fn replace(mut object: Value, replaced: &Value) -> Value {
    for (name, value) in replaced.as_object().unwrap() {
        object[name] = value.clone();
    }
    object.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    object
}

fn verifier(key: Key) -> Verifier {
    let keys = KeySet::from(key.signing_key().verifying_key().clone());
    Verifier::new(TrustedIssuer::new(ISSUER, AUDIENCE, keys).unwrap())
}

fn verify(key: Key, token: &str) -> Result<String, TokenError> {
    let identity = verifier(key).verify(token, SystemClock::new().now())?;
    Ok(identity.subject().to_owned())
}

#[test]
fn tokens_of_each_maker_and_algorithm_are_accepted() {
    for maker in Maker::all() {
        let keys = maker.keys();
        let jobs = keys.iter().map(|key| key.sign(&header(*key, &json!({})), &claims(&json!({}))));
        let tokens = maker.sign(&jobs.collect::<Vec<_>>());
        for (key, token) in keys.iter().zip(&tokens) {
            let context = format!("{} by {}", key.algorithm, maker.name);
            assert_eq!(verify(*key, token).as_deref(), Ok("alice"), "{context}");
            // The others' keys are not tried.
            for other in keys.iter().filter(|other| other.algorithm != key.algorithm) {
                assert_eq!(verify(*other, token), Err(TokenError::UnknownKey), "{context}");
            }
        }
        // The signature of one token does not fit the other claims.
        let again = json!({ "sub": "mallory" });
        let jobs = keys.iter().map(|key| key.sign(&header(*key, &json!({})), &claims(&again)));
        let others = maker.sign(&jobs.collect::<Vec<_>>());
        for ((key, token), other) in keys.iter().zip(&tokens).zip(&others) {
            assert_eq!(verify(*key, other).as_deref(), Ok("mallory"));
            let (signed, _) = other.rsplit_once('.').unwrap();
            let (_, signature) = token.rsplit_once('.').unwrap();
            let forged = format!("{signed}.{signature}");
            assert_eq!(verify(*key, &forged), Err(TokenError::Signature), "{}", maker.name);
        }
    }
}

#[test]
fn odd_tokens_of_each_maker_are_judged_by_the_rules() {
    let now = SystemClock::new().now().unix_seconds();
    let ok = |_: ()| Ok("alice".to_owned());
    let cases = [
        (json!({}), json!({}), ok(())),
        (json!({ "typ": "application/at+jwt" }), json!({}), ok(())),
        (json!({ "typ": "AT+JWT" }), json!({}), ok(())),
        (json!({ "typ": "JWT" }), json!({}), Err(TokenError::Type)),
        (json!({ "typ": "refresh+jwt" }), json!({}), Err(TokenError::Type)),
        (json!({ "kid": null }), json!({}), ok(())),
        (json!({ "kid": "another" }), json!({}), Err(TokenError::UnknownKey)),
        (json!({}), json!({ "aud": [AUDIENCE, "https://other.example"] }), ok(())),
        (json!({}), json!({ "aud": ["https://other.example"] }), Err(TokenError::Audience)),
        (json!({}), json!({ "aud": "https://other.example" }), Err(TokenError::Audience)),
        (json!({}), json!({ "aud": null }), Err(TokenError::Missing("aud"))),
        (json!({}), json!({ "iss": "https://other.example" }), Err(TokenError::Issuer)),
        (json!({}), json!({ "iss": null }), Err(TokenError::Missing("iss"))),
        (json!({}), json!({ "sub": null }), Err(TokenError::Missing("sub"))),
        (json!({}), json!({ "jti": null }), Err(TokenError::Missing("jti"))),
        (json!({}), json!({ "client_id": null }), Err(TokenError::Missing("client_id"))),
        (json!({}), json!({ "exp": null }), Err(TokenError::Missing("exp"))),
        (json!({}), json!({ "exp": now - 60 }), Err(TokenError::Expired)),
        (json!({}), json!({ "exp": now as f64 + 60.5 }), ok(())),
        (json!({}), json!({ "nbf": now - 60 }), ok(())),
        (json!({}), json!({ "nbf": now + 90 }), Err(TokenError::Early("nbf"))),
        (json!({}), json!({ "iat": now + 90 }), Err(TokenError::Early("iat"))),
        (json!({}), json!({ "nested": { "ü": [1, null, "\u{1f980}"] } }), ok(())),
    ];
    for maker in Maker::all() {
        let key = maker.keys()[0];
        let jobs = cases.iter().map(|(replaced_header, replaced_claims, _)| {
            key.sign(&header(key, replaced_header), &claims(replaced_claims))
        });
        let tokens = maker.sign(&jobs.collect::<Vec<_>>());
        for ((header, claims, expected), token) in cases.iter().zip(tokens) {
            assert_eq!(verify(key, &token), *expected, "{header} {claims} by {}", maker.name);
        }
    }
}

#[test]
fn unsigned_tokens_of_each_maker_are_rejected() {
    for maker in Maker::all() {
        let key = maker.keys()[0];
        let mut job = key.sign(&json!({}), &claims(&json!({})));
        job["sign"]["alg"] = "none".into();
        let [token] = &maker.sign(&[job])[..] else { panic!() };
        assert!(token.ends_with('.'), "{token}");
        assert_eq!(verify(key, token), Err(TokenError::Algorithm), "{}", maker.name);
    }
}

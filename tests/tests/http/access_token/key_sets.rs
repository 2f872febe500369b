//! Sets of keys, and JWK sets (RFC 7517).

use serde_json::{Value, json};
use tower_jwt_auth::{Algorithm, ConfigError, KeySet, VerifyingKey};
use tower_jwt_auth_tests::token_builder::encode;

use super::fixture::KEY_ID;
use super::test_keys::{SECRET, is_hmac, verifying_key};

#[test]
fn ambiguous_and_empty_key_sets_are_refused() {
    let error = KeySet::new([]).unwrap_err();
    assert_eq!(error, ConfigError::NoKey);
    assert!(error.to_string().contains("the set of keys is empty"), "{error}");
    let twice = [verifying_key(Algorithm::HS256), verifying_key(Algorithm::HS256)];
    let error = KeySet::new(twice.map(|key| key.with_key_id(KEY_ID))).unwrap_err();
    let (key_id, algorithm) = (KEY_ID.to_owned(), Algorithm::HS256);
    assert_eq!(error, ConfigError::DuplicateKeyId { key_id, algorithm });
    assert!(error.to_string().contains(r#"the key id "key""#), "{error}");
    for bad in ["", "[]", "{}", r#"{"keys":1}"#, "null"] {
        let error = KeySet::from_jwks(bad).unwrap_err();
        assert!(matches!(error, ConfigError::Jwks { .. }), "{bad}");
        assert!(error.to_string().starts_with("the JWK set is invalid: "), "{error}");
    }
    assert_eq!(KeySet::from_jwks(r#"{"keys":[]}"#).unwrap_err(), ConfigError::NoKey);
}

// A malformed key must not invalidate the others (RFC 7517 §5), and must not be used.
#[test]
fn malformed_keys_and_keys_not_for_signatures_are_skipped() {
    let jwk = |algorithm: Algorithm| {
        let set = KeySet::new([verifying_key(algorithm)]).unwrap().to_jwks();
        serde_json::from_str::<Value>(&set).unwrap()["keys"][0].clone()
    };
    let changed = |algorithm: Algorithm, name: &str, value: Value| {
        let mut key = jwk(algorithm);
        key[name] = value;
        key
    };
    let parse = |keys: &[&Value]| KeySet::from_jwks(&json!({ "keys": keys }).to_string());
    let mut shifted = jwk(Algorithm::ES256);
    let coordinate = |name: &str| {
        let text = shifted[name].as_str().unwrap();
        base64_simd::URL_SAFE_NO_PAD.decode_to_vec(text).unwrap()
    };
    // The concatenated coordinates are those of the point, but split at another position.
    let point = [coordinate("x"), coordinate("y")].concat();
    shifted["x"] = json!(encode(&point[..31]));
    shifted["y"] = json!(encode(&point[31..]));
    let odd = [
        changed(Algorithm::RS256, "alg", json!("ES256")),
        changed(Algorithm::ES256, "alg", json!("ES384")),
        changed(Algorithm::ES384, "alg", json!("ES256")),
        changed(Algorithm::ES256, "alg", json!("RS256")),
        changed(Algorithm::EdDSA, "alg", json!("ES256")),
        // A public key declares itself as a secret.
        changed(Algorithm::EdDSA, "alg", json!("HS256")),
        changed(Algorithm::RS256, "alg", json!("HS256")),
        changed(Algorithm::RS256, "alg", json!("RSA-OAEP")),
        changed(Algorithm::RS256, "alg", json!("none")),
        changed(Algorithm::RS256, "use", json!("enc")),
        changed(Algorithm::RS256, "use", json!("other")),
        changed(Algorithm::RS256, "kty", json!("EC")),
        changed(Algorithm::RS256, "n", json!(encode(&[0xff; 128]))),
        changed(Algorithm::RS256, "n", json!("+/==")),
        changed(Algorithm::ES256, "x", json!(encode(&[1; 32]))),
        changed(Algorithm::ES256, "crv", json!("P-384")),
        changed(Algorithm::ES256, "crv", json!("secp256k1")),
        changed(Algorithm::EdDSA, "x", json!(encode(&[1; 31]))),
        shifted,
        json!({ "kty": "oct", "k": encode(&SECRET), "alg": "HS256", "kid": KEY_ID }),
        json!(null),
        json!("x"),
        json!({}),
    ];
    let good = jwk(Algorithm::PS384);
    for key in &odd {
        let error = parse(&[key]).unwrap_err();
        assert!(matches!(error, ConfigError::NoUsableKey { .. }), "{key}: {error}");
        let set = parse(&[key, &good]).unwrap();
        let left: Vec<_> = set.keys().map(VerifyingKey::algorithm).collect();
        assert_eq!(left, [Algorithm::PS384], "{key}");
    }
    for algorithm in Algorithm::ALL.iter().copied().filter(|algorithm| !is_hmac(*algorithm)) {
        let set = parse(&[&jwk(algorithm)]).unwrap();
        assert_eq!(set.keys().next().map(VerifyingKey::algorithm), Some(algorithm));
    }
}

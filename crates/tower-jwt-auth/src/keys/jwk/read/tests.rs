use serde_json::{Value, json};

use crate::base64url;
use crate::error::ConfigError;
use crate::keys::{Algorithm, KeySet, SigningKey};

fn jwk(algorithm: Algorithm) -> Value {
    let key = SigningKey::generate_for(algorithm).unwrap().with_key_id("key");
    let set = KeySet::from(key.verifying_key().clone()).to_jwks();
    serde_json::from_str::<Value>(&set).unwrap()["keys"][0].take()
}

fn read(keys: &[Value]) -> Result<KeySet, ConfigError> {
    KeySet::from_jwks(&json!({ "keys": keys }).to_string())
}

/// Returns the text of the error of a set with one unusable key.
fn reason(key: Value) -> String {
    match read(&[key]).unwrap_err() {
        ConfigError::NoUsableKey { ignored } => ignored,
        error => panic!("{error}"),
    }
}

fn changed(algorithm: Algorithm, name: &str, value: Value) -> Value {
    let mut key = jwk(algorithm);
    key[name] = value;
    key
}

#[test]
fn a_key_with_key_ops_is_used_if_they_contain_verify() {
    for ops in [json!(["verify"]), json!(["sign", "verify"]), json!(null)] {
        assert!(read(&[changed(Algorithm::ES256, "key_ops", ops)]).is_ok());
    }
    for ops in [json!(["encrypt", "wrapKey"]), json!(["sign"]), json!([]), json!(["Verify"])] {
        let reason = reason(changed(Algorithm::ES256, "key_ops", ops));
        assert_eq!(reason, r#""key": its key_ops lack verify"#);
    }
    let reason = reason(changed(Algorithm::ES256, "key_ops", json!("verify")));
    assert!(reason.contains("another JSON type"), "{reason}");
}

#[test]
fn leading_zero_octets_of_rsa_numbers_do_not_count() {
    let plain = jwk(Algorithm::RS256);
    let expected = read(std::slice::from_ref(&plain)).unwrap();
    let expected = expected.keys().next().unwrap();
    for name in ["n", "e"] {
        for zeros in [1, 2, 300] {
            let octets = base64url::decode(plain[name].as_str().unwrap()).unwrap();
            let mut padded = plain.clone();
            padded[name] = json!(base64url::encode(&[vec![0; zeros], octets].concat()));
            let set = read(&[padded]).unwrap();
            let key = set.keys().next().unwrap();
            assert!(key.is_same(expected), "{name}");
        }
    }
}

#[test]
fn weak_keys_are_ignored_with_their_weakness() {
    let zero = json!(base64url::encode(&[0; 32]));
    assert!(reason(changed(Algorithm::EdDSA, "x", zero)).contains("small order"));
    let exponent = |e: &[u8]| reason(changed(Algorithm::RS256, "e", json!(base64url::encode(e))));
    assert!(exponent(&[1]).contains("exponent is 1"));
    assert!(exponent(&[2]).contains("exponent is even"));
    assert!(exponent(&[1; 9]).contains("64 bits"));
    let even = json!(base64url::encode(&[0x80; 256]));
    assert!(reason(changed(Algorithm::RS256, "n", even)).contains("modulus is even"));
}

#[test]
fn an_ml_dsa_key_is_the_bare_key() {
    let pem = include_str!("../../../../../../tests/keys/mldsa44-public.pem");
    let lines = pem.lines().filter(|line| !line.starts_with("-----"));
    let spki = base64_simd::STANDARD.decode_to_vec(lines.collect::<String>()).unwrap();
    let key = |octets: &[u8]| json!({ "kty": "AKP", "alg": "ML-DSA-44", "pub": base64url::encode(octets), "kid": "key" });
    assert!(read(&[key(&spki[22..])]).is_ok());
    for wrong in [&spki, &spki[23..], &[0; 1952]] {
        assert!(reason(key(wrong)).contains("not valid for ML-DSA-44"));
    }
}

#[test]
fn the_error_of_a_set_names_ignored_keys_and_reasons() {
    let mut keys = vec![
        changed(Algorithm::ES256, "use", json!("enc")),
        changed(Algorithm::EdDSA, "crv", json!("Ed448")),
        json!({ "kty": "oct", "k": "c2VjcmV0", "kid": "a secret" }),
        json!({ "kty": "EC", "crv": "P-256", "x": "AA", "kid": "line\nbreak" }),
        json!(17),
        changed(Algorithm::MlDsa44, "alg", json!(null)),
        changed(Algorithm::MlDsa44, "alg", json!("ML-DSA-65")),
        changed(Algorithm::ES256, "kid", json!("k".repeat(1000))),
    ];
    keys[7]["x"] = json!("not base64url!");
    let error = read(&keys).unwrap_err().to_string();
    for expected in [
        "the JWK set has no key to verify with",
        r#""key": its use is not sig"#,
        r#""key": its crv is missing or not supported"#,
        r#""a secret": it is a secret"#,
        r#""line\nbreak": its y is missing"#,
        "a key without kid: it is not an object",
        r#""key": an AKP key needs alg"#,
        r#""key": the key is not valid for ML-DSA-65"#,
        "its x is not base64url",
    ] {
        assert!(error.contains(expected), "{expected} in {error}");
    }
    assert!(!error.contains("c2VjcmV0") && !error.contains("not base64url!"), "{error}");
    assert!(error.len() < 1000, "{} bytes", error.len());
    let more = vec![json!({}); 20];
    assert!(read(&more).unwrap_err().to_string().ends_with("; and 12 more"));
    assert_eq!(read(&[]).unwrap_err(), ConfigError::NoKey);
}

#[test]
fn a_key_that_comes_twice_is_one_key() {
    let key = jwk(Algorithm::ES256);
    let set = read(&[key.clone(), key]).unwrap();
    assert_eq!(set.keys().count(), 1);
}

use super::*;
use crate::algorithm::AlgorithmSet;
use crate::keys::SigningKey;
use crate::keys::jwk::MAX_CANDIDATES;

fn key(algorithm: Algorithm, key_id: &str) -> SigningKey {
    SigningKey::generate_for(algorithm).unwrap().with_key_id(key_id)
}

/// Returns the set that a JWK set of these keys, without `alg` where said, is read into.
fn published<'k>(keys: impl IntoIterator<Item = (&'k SigningKey, bool)>) -> KeySet {
    let jwks: Vec<serde_json::Value> = keys
        .into_iter()
        .map(|(key, has_algorithm)| {
            let set = KeySet::from(key.verifying_key().clone()).to_jwks();
            let mut set: serde_json::Value = serde_json::from_str(&set).unwrap();
            let mut jwk = set["keys"][0].take();
            if !has_algorithm {
                jwk.as_object_mut().unwrap().remove("alg").unwrap();
            }
            jwk
        })
        .collect();
    KeySet::from_jwks(&serde_json::json!({ "keys": jwks }).to_string()).unwrap()
}

fn count(set: &KeySet, key_id: Option<&str>, algorithm: Algorithm) -> usize {
    set.candidates(key_id, algorithm).count()
}

/// Returns whether a candidate accepts the signature of a key.
fn verifies(set: &KeySet, key: &SigningKey, algorithm: Algorithm) -> bool {
    let signature = key.sign(b"input").unwrap();
    set.candidates(Some(key.key_id()), algorithm)
        .any(|candidate| candidate.verify(algorithm, b"input", &signature).is_ok())
}

#[test]
fn keys_of_one_kid_and_algorithm_are_all_tried() {
    let keys: Vec<_> = (0..MAX_CANDIDATES).map(|_| key(Algorithm::EdDSA, "same")).collect();
    let other = key(Algorithm::ES256, "same");
    let set = published(keys.iter().chain([&other]).map(|key| (key, true)));
    assert_eq!(count(&set, Some("same"), Algorithm::EdDSA), MAX_CANDIDATES);
    assert!(keys.iter().all(|key| verifies(&set, key, Algorithm::EdDSA)));
    assert_eq!(count(&set, Some("same"), Algorithm::ES256), 1);
    assert_eq!(count(&set, Some("another"), Algorithm::EdDSA), 0);
}

#[test]
fn the_number_of_candidates_is_bounded() {
    let keys: Vec<_> = (0..=MAX_CANDIDATES).map(|_| key(Algorithm::EdDSA, "same")).collect();
    // Keys without `alg` count as well.
    let set = published(keys.iter().enumerate().map(|(at, key)| (key, at % 2 == 0)));
    assert_eq!(set.keys().count(), MAX_CANDIDATES);
    assert_eq!(count(&set, Some("same"), Algorithm::EdDSA), MAX_CANDIDATES);
    assert!(!verifies(&set, keys.last().unwrap(), Algorithm::EdDSA));
}

#[test]
fn without_kid_exactly_one_key_must_be_for_the_algorithm() {
    let (one, another) = (key(Algorithm::EdDSA, "one"), key(Algorithm::EdDSA, "another"));
    let ec = key(Algorithm::ES256, "ec");
    let set = published([(&one, true), (&another, true), (&ec, true)]);
    assert_eq!(count(&set, None, Algorithm::EdDSA), 0);
    assert_eq!(count(&set, None, Algorithm::ES256), 1);
    assert_eq!(count(&set, None, Algorithm::Ed25519), 0);
    // The key without `alg` also fits.
    let set = published([(&one, true), (&another, false)]);
    assert_eq!(count(&set, None, Algorithm::EdDSA), 0);
    assert_eq!(count(&set, None, Algorithm::Ed25519), 1);
}

#[test]
fn a_key_without_alg_serves_its_kind_and_a_key_with_alg_that_algorithm_alone() {
    for (own, family) in
        [(Algorithm::PS384, AlgorithmSet::RSA), (Algorithm::Ed25519, AlgorithmSet::ED25519)]
    {
        let signing = key(own, "key");
        let (exact, open) = (published([(&signing, true)]), published([(&signing, false)]));
        for algorithm in Algorithm::ALL.iter().copied() {
            for key_id in [Some("key"), None] {
                assert_eq!(count(&open, key_id, algorithm) == 1, family.contains(algorithm));
                assert_eq!(count(&exact, key_id, algorithm) == 1, algorithm == own);
            }
        }
        assert!(verifies(&open, &signing, own) && verifies(&exact, &signing, own));
        // The published form keeps the difference.
        for set in [open, exact] {
            let again = KeySet::from_jwks(&set.to_jwks()).unwrap();
            let (before, after) = (set.keys().next().unwrap(), again.keys().next().unwrap());
            assert!(before.is_same(after));
        }
    }
}

#[test]
fn a_key_verifies_with_each_of_its_algorithms_as_that_algorithm() {
    // One RSA key signs with all algorithms.
    let pem = include_bytes!("../../../../../tests/keys/rsa.pem");
    let signer = |algorithm| SigningKey::from_pem(algorithm, pem).unwrap().with_key_id("rsa");
    let set = published([(&signer(Algorithm::RS256), false)]);
    let verifying = set.keys().next().unwrap();
    for signed in AlgorithmSet::RSA.iter() {
        let signature = signer(signed).sign(b"input").unwrap();
        for named in Algorithm::ALL.iter().copied() {
            let is_valid = verifying.verify(named, b"input", &signature).is_ok();
            assert_eq!(is_valid, named == signed, "{signed} as {named}");
        }
    }
}

#[test]
fn an_exact_key_verifies_with_its_algorithm_alone() {
    for own in Algorithm::ALL.iter().copied() {
        let signing = key(own, "key");
        let signature = signing.sign(b"input").unwrap();
        for named in Algorithm::ALL.iter().copied() {
            let is_valid = signing.verifying_key().verify(named, b"input", &signature).is_ok();
            assert_eq!(is_valid, named == own, "{own} as {named}");
        }
    }
}

#[test]
fn configured_keys_with_one_kid_and_algorithm_are_an_error() {
    let (one, another) = (key(Algorithm::EdDSA, "same"), key(Algorithm::EdDSA, "same"));
    let verifying = |key: &SigningKey| key.verifying_key().clone();
    for keys in [[verifying(&one), verifying(&one)], [verifying(&one), verifying(&another)]] {
        let error = KeySet::new(keys).unwrap_err();
        assert!(matches!(error, ConfigError::DuplicateKeyId { .. }), "{error}");
    }
    // A key for two algorithms collides with a key for one of them.
    let open = published([(&another, false)]).keys().next().unwrap().clone();
    for algorithm in [Algorithm::EdDSA, Algorithm::Ed25519] {
        let exact = verifying(&key(algorithm, "same"));
        let error = KeySet::new([exact, open.clone()]).unwrap_err();
        assert!(matches!(error, ConfigError::DuplicateKeyId { .. }), "{error}");
    }
}

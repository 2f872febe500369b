//! Keys that are accepted or refused at configuration.

use tower_jwt_auth::{Algorithm, ConfigError, RefreshSecrets, SigningKey, VerifyingKey};

use super::test_keys::{SECRET, der, is_hmac, key, verifying_key};

#[test]
fn secrets_shorter_than_their_hash_are_refused() {
    for (algorithm, min) in [(Algorithm::HS256, 32), (Algorithm::HS384, 48), (Algorithm::HS512, 64)]
    {
        assert!(SigningKey::from_secret(algorithm, &SECRET[..min]).is_ok());
        assert!(VerifyingKey::from_secret(algorithm, &SECRET[..min]).is_ok());
        for length in [0, 1, min / 2, min - 1] {
            let expected = ConfigError::SecretTooShort { algorithm, min, length };
            let secret = &SECRET[..length];
            assert_eq!(SigningKey::from_secret(algorithm, secret).unwrap_err(), expected);
            assert_eq!(VerifyingKey::from_secret(algorithm, secret).unwrap_err(), expected);
            let text = format!(
                "a secret for {algorithm} needs at least {min} bytes, this one has {length}"
            );
            assert_eq!(expected.to_string(), text);
        }
    }
    assert!(RefreshSecrets::new(&SECRET[..32]).is_ok());
    let error = RefreshSecrets::new(&SECRET[..31]).unwrap_err();
    assert!(matches!(error, ConfigError::SecretTooShort { min: 32, length: 31, .. }));
    let secrets = RefreshSecrets::new(&SECRET).unwrap();
    let error = secrets.clone().with_previous(&[0; 31]).unwrap_err();
    assert!(matches!(error, ConfigError::SecretTooShort { min: 32, length: 31, .. }));
    let error = secrets.with_previous(&SECRET).unwrap_err();
    assert!(matches!(error, ConfigError::DuplicateKeyId { .. }), "{error}");
}

#[test]
fn rsa_keys_below_2048_bits_are_refused_with_the_required_size() {
    let algorithms = Algorithm::ALL.iter().copied().filter(|algorithm| kind(*algorithm) == "RSA");
    for algorithm in algorithms {
        let public = VerifyingKey::from_pem(algorithm, key!("rsa-1024-public")).unwrap_err();
        assert_eq!(public, ConfigError::RsaKeySize { bits: 1024 });
        assert_eq!(public.to_string(), "an RSA key needs 2048 to 8192 bits, this one has 1024");
        let in_der = VerifyingKey::from_der(algorithm, &der(key!("rsa-1024-public"))).unwrap_err();
        assert_eq!(in_der, public);
        // The signing library does not report the size of the key.
        for private in [
            SigningKey::from_pem(algorithm, key!("rsa-1024")),
            SigningKey::from_der(algorithm, &der(key!("rsa-1024"))),
        ] {
            let error = private.unwrap_err();
            assert!(error.to_string().contains("2048 to 8192 bits"), "{error}");
        }
    }
}

const PRIVATE: [(&str, &[u8]); 13] = [
    ("RSA", key!("rsa")),
    ("RSA", key!("rsa-pkcs1")),
    ("P-256", key!("p256")),
    ("P-384", key!("p384")),
    ("P-521", key!("p521")),
    ("ML-DSA-44", key!("mldsa44")),
    ("ML-DSA-65", key!("mldsa65")),
    ("ML-DSA-87", key!("mldsa87")),
    ("Ed25519", key!("ed25519")),
    ("Ed448", key!("ed448")),
    ("SEC1", key!("p256-sec1")),
    ("secp256k1", key!("secp256k1")),
    ("none", b"garbage"),
];

const PUBLIC: [(&str, &[u8]); 12] = [
    ("RSA", key!("rsa-public")),
    ("RSA", key!("rsa-public-pkcs1")),
    ("P-256", key!("p256-public")),
    ("P-384", key!("p384-public")),
    ("P-521", key!("p521-public")),
    ("ML-DSA-44", key!("mldsa44-public")),
    ("ML-DSA-65", key!("mldsa65-public")),
    ("ML-DSA-87", key!("mldsa87-public")),
    ("Ed25519", key!("ed25519-public")),
    ("Ed448", key!("ed448-public")),
    ("secp256k1", key!("secp256k1-public")),
    ("none", b""),
];

fn kind(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::ES256 => "P-256",
        Algorithm::ES384 => "P-384",
        Algorithm::ES512 => "P-521",
        Algorithm::EdDSA | Algorithm::Ed25519 => "Ed25519",
        Algorithm::MlDsa44 | Algorithm::MlDsa65 | Algorithm::MlDsa87 => algorithm.as_str(),
        _ if is_hmac(algorithm) => "secret",
        _ => "RSA",
    }
}

/// Checks that the error names the algorithm and the kind of key that it needs.
#[track_caller]
fn assert_wrong_key(error: &ConfigError, wrong_for: Algorithm) {
    assert!(matches!(error, ConfigError::Key { algorithm, .. } if *algorithm == wrong_for));
    let text = error.to_string();
    assert!(text.starts_with(&format!("the key is not valid for {wrong_for}: give a")), "{text}");
    assert!(text.contains(kind(wrong_for)), "{text}");
}

#[test]
fn keys_that_do_not_fit_the_algorithm_are_refused() {
    for algorithm in Algorithm::ALL.iter().copied() {
        for (is, pem) in PRIVATE {
            let in_pem = SigningKey::from_pem(algorithm, pem);
            let key = if pem.starts_with(b"-----") { der(pem) } else { pem.to_vec() };
            let in_der = SigningKey::from_der(algorithm, &key);
            if is == kind(algorithm) {
                assert!(in_pem.is_ok() && in_der.is_ok(), "{is} for {algorithm}");
            } else {
                assert_wrong_key(&in_pem.unwrap_err(), algorithm);
                assert_wrong_key(&in_der.unwrap_err(), algorithm);
            }
            // A private key is not accepted for verification.
            assert_wrong_key(&VerifyingKey::from_pem(algorithm, pem).unwrap_err(), algorithm);
            assert_wrong_key(&VerifyingKey::from_der(algorithm, &key).unwrap_err(), algorithm);
        }
        for (is, pem) in PUBLIC {
            let in_pem = VerifyingKey::from_pem(algorithm, pem);
            let key = if pem.starts_with(b"-----") { der(pem) } else { pem.to_vec() };
            let in_der = VerifyingKey::from_der(algorithm, &key);
            if is == kind(algorithm) {
                assert!(in_pem.is_ok() && in_der.is_ok(), "{is} for {algorithm}");
            } else {
                assert_wrong_key(&in_pem.unwrap_err(), algorithm);
                assert_wrong_key(&in_der.unwrap_err(), algorithm);
            }
            // A public key is not accepted for signing.
            assert_wrong_key(&SigningKey::from_pem(algorithm, pem).unwrap_err(), algorithm);
            assert_wrong_key(&SigningKey::from_der(algorithm, &key).unwrap_err(), algorithm);
        }
        if !is_hmac(algorithm) {
            assert!(SigningKey::from_secret(algorithm, &SECRET).is_err());
            assert!(VerifyingKey::from_secret(algorithm, &SECRET).is_err());
        }
    }
}

const CERTIFICATES: [(Algorithm, &[u8]); 4] = [
    (Algorithm::RS256, key!("rsa-certificate")),
    (Algorithm::PS256, key!("rsa-certificate")),
    (Algorithm::ES256, key!("p256-certificate")),
    (Algorithm::EdDSA, key!("ed25519-certificate")),
];

// The validity and names of the certificate would be ignored.
#[test]
fn a_pem_certificate_is_not_accepted_as_a_key() {
    for (algorithm, pem) in CERTIFICATES {
        assert_wrong_key(&VerifyingKey::from_pem(algorithm, pem).unwrap_err(), algorithm);
        assert_wrong_key(&SigningKey::from_pem(algorithm, pem).unwrap_err(), algorithm);
    }
}

#[test]
fn a_der_certificate_is_not_accepted_as_a_key() {
    for (algorithm, pem) in CERTIFICATES {
        let accepted = VerifyingKey::from_der(algorithm, &der(pem));
        assert_wrong_key(&accepted.unwrap_err(), algorithm);
        assert_wrong_key(&SigningKey::from_der(algorithm, &der(pem)).unwrap_err(), algorithm);
    }
}

#[test]
fn a_certificate_before_a_public_key_is_not_used_as_the_key() {
    let both = [key!("rsa-certificate") as &[u8], key!("rsa-other-public")].concat();
    let alone = VerifyingKey::from_pem(Algorithm::RS256, key!("rsa-other-public")).unwrap();
    if let Ok(key) = VerifyingKey::from_pem(Algorithm::RS256, &both) {
        assert_eq!(key.key_id(), alone.key_id(), "the key of the certificate was used");
    }
}

#[test]
fn a_private_key_before_a_public_key_is_not_used_as_the_key() {
    let both = [key!("rsa") as &[u8], key!("rsa-other-public")].concat();
    let alone = VerifyingKey::from_pem(Algorithm::RS256, key!("rsa-other-public")).unwrap();
    if let Ok(key) = VerifyingKey::from_pem(Algorithm::RS256, &both) {
        assert_eq!(key.key_id(), alone.key_id(), "the private key was used");
    }
}

#[test]
fn an_rsa_key_is_the_same_in_every_encoding() {
    for algorithm in [Algorithm::RS256, Algorithm::PS512] {
        let id = verifying_key(algorithm).key_id().to_owned();
        let pkcs1 = VerifyingKey::from_pem(algorithm, key!("rsa-public-pkcs1")).unwrap();
        assert_eq!(pkcs1.key_id(), id);
        for pem in [key!("rsa") as &[u8], key!("rsa-pkcs1")] {
            let key = SigningKey::from_pem(algorithm, pem).unwrap();
            assert_eq!((key.key_id(), key.algorithm()), (&*id, algorithm));
        }
    }
}

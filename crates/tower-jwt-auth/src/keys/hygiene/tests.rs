use aws_lc_rs::signature::{ED25519, ParsedPublicKey};

use super::*;
use crate::base64url;
use crate::keys::{SigningKey, VerifyingKey};

/// The coordinates `y` of all points whose order divides 8, computed as multiples of `L · (x, y)` for points of the
/// curve, and the two that have another encoding.
const SMALL_ORDER: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

/// Returns the encodings of all points of small order, with both signs.
fn small_order_points() -> Vec<[u8; 32]> {
    let octet = |text: &str, at: usize| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap();
    SMALL_ORDER
        .iter()
        .map(|text| std::array::from_fn(|at| octet(text, at)))
        .flat_map(|point: [u8; 32]| {
            let mut negative = point;
            negative[31] |= 0x80;
            [point, negative]
        })
        .collect()
}

/// Returns a signature without a private key that the library accepts for one of some messages.
fn forge(point: &[u8; 32]) -> Option<(String, [u8; 64])> {
    let key = ParsedPublicKey::new(&ED25519, point).ok()?;
    (0..64).map(|at| format!("message {at}")).find_map(|message| {
        small_order_points().into_iter().find_map(|r| {
            let mut signature = [0; 64];
            signature[..32].copy_from_slice(&r);
            key.verify_sig(message.as_bytes(), &signature).ok()?;
            Some((message.clone(), signature))
        })
    })
}

fn ed25519(x: [u8; 32]) -> Result<(), ConfigError> {
    check_public(Algorithm::EdDSA, &PublicComponents::Ed { x: x.to_vec() })
}

// The library accepts these keys, and anyone can sign for them.
#[test]
fn ed25519_points_of_small_order_are_rejected() {
    let points = small_order_points();
    let forged = points.iter().filter(|point| forge(point).is_some()).count();
    assert!(forged >= 8, "signatures are forged for {forged} encodings");
    assert!(forge(&[0; 32]).is_some());
    for point in points {
        let error = ed25519(point).unwrap_err();
        assert!(error.to_string().contains("small order"), "{error}");
        let spki = [b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00", &point[..]].concat();
        for algorithm in [Algorithm::EdDSA, Algorithm::Ed25519] {
            let error = VerifyingKey::from_der(algorithm, &spki).unwrap_err();
            assert!(matches!(error, ConfigError::WeakKey { .. }), "{error}");
        }
    }
}

#[test]
fn other_ed25519_points_are_accepted() {
    for _ in 0..64 {
        let key = SigningKey::generate().unwrap();
        let Some(PublicComponents::Ed { x }) = key.verifying_key().public_components() else {
            panic!("an Ed25519 key");
        };
        assert!(!is_small_order(x));
    }
    // The smallest difference from a point of small order.
    for mut point in small_order_points() {
        point[16] ^= 1;
        assert!(!is_small_order(&point));
    }
}

/// Returns the problem of an RSA key of 2048 bits with this last octet of the modulus, and this exponent.
fn rsa(last: u8, e: &[u8]) -> Option<&'static str> {
    let n = [&[0x80; 255], &[last][..]].concat();
    match check_public(Algorithm::RS256, &PublicComponents::from_rsa_numbers(&n, e)) {
        Ok(()) => None,
        Err(ConfigError::WeakKey { problem, .. }) => Some(problem),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn rsa_keys_with_an_unusable_modulus_or_exponent_are_rejected() {
    for e in [&[3][..], &[17], &[1, 0, 1], &[0xff; 8], &[0, 0, 1, 0, 1]] {
        assert_eq!(rsa(0x81, e), None, "{e:?}");
    }
    for even in [&[][..], &[0], &[2], &[1, 0, 0], &[0xfe]] {
        assert!(rsa(0x81, even).unwrap().contains("exponent is even"), "{even:?}");
    }
    for one in [&[1][..], &[0, 1], &[0, 0, 0, 1]] {
        assert!(rsa(0x81, one).unwrap().contains("exponent is 1"), "{one:?}");
    }
    for long in [&[1, 0, 0, 0, 0, 0, 0, 0, 1][..], &[0xff; 9], &[0xff; 256]] {
        assert!(rsa(0x81, long).unwrap().contains("64 bits"), "{long:?}");
    }
    assert!(rsa(0x80, &[1, 0, 1]).unwrap().contains("modulus is even"));
}

#[test]
fn secrets_that_are_not_random_are_rejected() {
    let mut almost = [7; 64];
    almost[63] = 8;
    let pem: &[u8] =
        b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        assert!(check_secret(algorithm, &almost).is_ok());
        for byte in [0, 7, b'x', 0xff] {
            let error = check_secret(algorithm, &[byte; 64]).unwrap_err();
            assert!(error.to_string().contains("all bytes of the secret are the same"), "{error}");
        }
        for pem in [pem.to_vec(), [b"\n  ", pem].concat()] {
            let error = check_secret(algorithm, &pem).unwrap_err();
            assert!(error.to_string().contains("PEM"), "{error}");
        }
        let mut text = String::from("the text does not begin with ");
        base64url::append(pem, &mut text);
        assert!(check_secret(algorithm, text.as_bytes()).is_ok());
    }
}

#[test]
fn every_constructor_checks_secrets() {
    use crate::keys::RefreshSecrets;

    let weak = [1; 64];
    let good = b"the current secret of all refresh tokens";
    let errors = [
        SigningKey::from_secret(Algorithm::HS256, &weak).unwrap_err(),
        VerifyingKey::from_secret(Algorithm::HS512, &weak).unwrap_err(),
        RefreshSecrets::new(&weak).unwrap_err(),
        RefreshSecrets::new(good).unwrap().with_previous(&weak).unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, ConfigError::WeakKey { .. }), "{error}");
    }
}

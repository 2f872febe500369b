//! Checks of keys and secrets that are well-formed, but that nobody should use.

use super::crypto::PublicComponents;
use crate::algorithm::Algorithm;
use crate::error::ConfigError;

/// Returns the length of the HMAC's hash in bytes if the secret is at least as long (RFC 7518 §3.2) and may be random.
pub(super) fn check_secret(algorithm: Algorithm, secret: &[u8]) -> Result<usize, ConfigError> {
    let min = algorithm.hmac_length().ok_or(ConfigError::Key {
        algorithm,
        expected: "a key pair: only HS256, HS384 and HS512 take a secret",
    })?;
    if secret.len() < min {
        return Err(ConfigError::SecretTooShort { algorithm, min, length: secret.len() });
    }
    let weak = |problem| Err(ConfigError::WeakKey { algorithm, problem });
    if secret.windows(2).all(|pair| pair[0] == pair[1]) {
        return weak("all bytes of the secret are the same: generate a random one");
    }
    if secret.trim_ascii_start().starts_with(b"-----BEGIN") {
        return weak(
            "the secret is a PEM document, and everyone may know it: generate a random one",
        );
    }
    Ok(min)
}

/// Checks that a public key does not accept the signatures of everyone.
pub(super) fn check_public(
    algorithm: Algorithm,
    components: &PublicComponents,
) -> Result<(), ConfigError> {
    let problem = match components {
        PublicComponents::Rsa { n, e } => {
            let bits = bit_length(n);
            if !(2048..=8192).contains(&bits) {
                return Err(ConfigError::RsaKeySize { bits });
            }
            rsa_problem(n, e)
        }
        PublicComponents::Ed { x } => is_small_order(x)
            .then_some("the public key is a point of small order, for which anyone can sign"),
        // The library rejects the point at infinity and points outside of the curve, whose order is prime.
        PublicComponents::Ec { .. } | PublicComponents::MlDsa { .. } => None,
    };
    problem.map_or(Ok(()), |problem| Err(ConfigError::WeakKey { algorithm, problem }))
}

fn rsa_problem(n: &[u8], e: &[u8]) -> Option<&'static str> {
    let is_even = |number: &[u8]| number.last().is_none_or(|octet| octet % 2 == 0);
    if is_even(n) {
        Some("the RSA modulus is even, and cannot be the product of two large primes")
    } else if is_even(e) {
        Some("the RSA exponent is even, and no private key belongs to it")
    } else if e == [1] {
        Some("the RSA exponent is 1, and anyone can sign")
    } else if bit_length(e) > 64 {
        Some("the RSA exponent has more than 64 bits, and verification is slow")
    } else {
        None
    }
}

/// Returns the number of bits of a big-endian number without leading zero octets.
fn bit_length(number: &[u8]) -> usize {
    number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}

/// Returns whether the order of an Ed25519 point is at most 8. For such a key anyone can make signatures: one of eight
/// candidates matches a message. RFC 8032 §5.1.7 does not reject these keys.
///
/// A point is encoded as its coordinate `y`, with the sign of `x` in the highest bit. Eight points have a small order,
/// with five different `y`. Two of these also have an encoding that is not reduced modulo `p = 2^255 - 19`.
fn is_small_order(encoding: &[u8]) -> bool {
    const MINUS_ONE: [u8; 32] = with_ends(0xec, 0x7f);
    const P: [u8; 32] = with_ends(0xed, 0x7f);
    const P_PLUS_ONE: [u8; 32] = with_ends(0xee, 0x7f);
    const ONE: [u8; 32] = {
        let mut one = [0; 32];
        one[0] = 1;
        one
    };
    // The two coordinates of the points of order 8.
    const EIGHT: [[u8; 32]; 2] = [
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef,
            0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88,
            0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10,
            0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77,
            0x92, 0xac, 0x03, 0x7a,
        ],
    ];
    let Ok(mut y) = <[u8; 32]>::try_from(encoding) else { return false };
    y[31] &= 0x7f;
    [[0; 32], ONE, MINUS_ONE, P, P_PLUS_ONE, EIGHT[0], EIGHT[1]].contains(&y)
}

/// Returns a little-endian number whose octets between the first and the last are all ones.
const fn with_ends(first: u8, last: u8) -> [u8; 32] {
    let mut number = [0xff; 32];
    number[0] = first;
    number[31] = last;
    number
}

#[cfg(test)]
mod tests;

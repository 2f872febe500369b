//! The interface to the cryptographic library. Keys are parsed and checked once, at configuration.

mod algorithms;
mod signer;
mod verifier;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::signature::RsaPublicKeyComponents;
use aws_lc_rs::{digest, hmac};
use zeroize::Zeroizing;

pub(crate) use self::signer::{Signature, Signer};
pub(crate) use self::verifier::VerifierKey;

/// The library rejected the key, or an operation failed.
#[derive(Debug)]
pub(crate) struct CryptoError;

/// The public components of a key, as a JWK contains them (RFC 7518 §6, RFC 8037 §2, RFC 9964 §3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PublicComponents {
    /// Big-endian numbers without leading zero octets.
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    Ec {
        x: Vec<u8>,
        y: Vec<u8>,
    },
    Ed {
        x: Vec<u8>,
    },
    MlDsa {
        public: Vec<u8>,
    },
}

impl PublicComponents {
    /// Creates the components of an RSA key from big-endian numbers, which may have leading zero octets.
    pub(crate) fn from_rsa_numbers(n: &[u8], e: &[u8]) -> Self {
        let number = |octets: &[u8]| {
            let leading = octets.iter().take_while(|octet| **octet == 0).count();
            octets[leading..].to_vec()
        };
        Self::Rsa { n: number(n), e: number(e) }
    }

    /// Returns the length of the key's signatures in bytes.
    pub(crate) fn signature_length(&self) -> usize {
        match self {
            Self::Rsa { n, .. } => n.len(),
            Self::Ec { x, y } => x.len() + y.len(),
            Self::Ed { .. } => 64,
            // The lengths of keys and signatures are those of FIPS 204 §4, table 2.
            Self::MlDsa { public } => match public.len() {
                1312 => 2420,
                1952 => 3309,
                2592 => 4627,
                // `VerifierKey::from_public` rejects the key.
                _ => 0,
            },
        }
    }

    /// Parses an uncompressed point (SEC 1 §2.3.4).
    pub(crate) fn from_point(point: &[u8]) -> Option<Self> {
        let coordinates = point.strip_prefix(&[4])?;
        let (x, y) = coordinates.split_at(coordinates.len() / 2);
        Some(Self::Ec { x: x.to_vec(), y: y.to_vec() })
    }

    /// Parses an RSA public key: SPKI or PKCS#1.
    pub(crate) fn from_rsa_der(der: &[u8]) -> Result<Self, CryptoError> {
        let key = aws_lc_rs::rsa::PublicKey::from_der(der).map_err(|_| CryptoError)?;
        let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(&key);
        Ok(Self::from_rsa_numbers(&n, &e))
    }
}

/// Returns the SHA-256 hash of the concatenated parts.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    // One call for a short input. The parts may be secret.
    let mut input = Zeroizing::new([0; 64]);
    let mut free = input.as_mut_slice();
    for part in parts {
        match free.split_at_mut_checked(part.len()) {
            Some((into, rest)) => {
                into.copy_from_slice(part);
                free = rest;
            }
            None => return sha256_of_long(parts),
        }
    }
    let length = 64 - free.len();
    to_array(&digest::digest(&digest::SHA256, &input[..length]))
}

fn sha256_of_long(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    to_array(&context.finish())
}

fn to_array(digest: &digest::Digest) -> [u8; 32] {
    let mut hash = [0; 32];
    // Both have 32 bytes, the length of SHA-256.
    hash.copy_from_slice(digest.as_ref());
    hash
}

/// Returns the HMAC with SHA-256 of a label, to derive keys and key ids from a secret.
pub(crate) fn hmac_sha256(secret: &[u8], label: &[u8]) -> Result<Zeroizing<[u8; 32]>, CryptoError> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let mut hash = Zeroizing::new([0; 32]);
    // Not `hmac::sign`: its tag is not wiped.
    hmac::sign_to_buffer(&key, label, hash.as_mut_slice()).map_err(|_| CryptoError)?;
    Ok(hash)
}

/// Returns random bytes of a generator that the operating system seeds.
pub(crate) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, CryptoError> {
    let mut bytes = Zeroizing::new([0; N]);
    SystemRandom::new().fill(bytes.as_mut_slice()).map_err(|_| CryptoError)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_does_not_depend_on_the_form_of_its_input() {
        // FIPS 180-4: the hash of the empty text begins with these bytes.
        assert_eq!(sha256(&[])[..4], [0xe3, 0xb0, 0xc4, 0x42]);
        for length in [0, 1, 63, 64, 65, 200] {
            let text = vec![7; length];
            let (begin, end) = text.split_at(length / 3);
            let expected = sha256_of_long(&[&text]);
            assert_eq!(sha256(&[&text]), expected);
            assert_eq!(sha256(&[begin, b"", end]), expected);
        }
    }
}

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ED25519, ParsedPublicKey, RsaPublicKeyComponents};

use super::algorithms::{
    coordinate_length, ec_algorithms, hmac_algorithm, ml_dsa_algorithms, rsa_algorithms,
};
use super::{CryptoError, PublicComponents};
use crate::algorithm::{Algorithm, AlgorithmSet, Family};

/// A public key or secret, prepared to verify signatures of one or several algorithms.
pub(crate) struct VerifierKey {
    prepared: Box<[(Algorithm, Prepared)]>,
}

#[expect(clippy::large_enum_variant, reason = "each algorithm of a key has one, behind an Arc")]
enum Prepared {
    Hmac(hmac::Key),
    Public(ParsedPublicKey),
}

impl VerifierKey {
    /// Creates a key from a shared secret that has been checked.
    pub(crate) fn from_secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, CryptoError> {
        let key = hmac::Key::new(hmac_algorithm(algorithm)?, secret);
        Ok(Self { prepared: [(algorithm, Prepared::Hmac(key))].into() })
    }

    /// Creates a key from public components. A point that is not on the curve, or a key of another kind than that of an
    /// algorithm, is rejected.
    pub(crate) fn from_public(
        algorithms: AlgorithmSet,
        components: &PublicComponents,
    ) -> Result<Self, CryptoError> {
        let prepared = algorithms
            .iter()
            .map(|algorithm| Ok((algorithm, Prepared::Public(parse(algorithm, components)?))))
            .collect::<Result<_, CryptoError>>()?;
        Ok(Self { prepared })
    }

    /// Verifies the signature of a message. An algorithm that the key is not prepared for verifies nothing.
    pub(crate) fn verify(
        &self,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        let prepared = self.prepared.iter().find(|(prepared, _)| *prepared == algorithm);
        match prepared {
            Some((_, Prepared::Hmac(key))) => hmac::verify(key, message, signature),
            Some((_, Prepared::Public(key))) => key.verify_sig(message, signature),
            None => return Err(CryptoError),
        }
        .map_err(|_| CryptoError)
    }
}

fn parse(
    algorithm: Algorithm,
    components: &PublicComponents,
) -> Result<ParsedPublicKey, CryptoError> {
    match components {
        PublicComponents::Rsa { n, e } => {
            let key = RsaPublicKeyComponents { n: n.as_slice(), e: e.as_slice() };
            key.to_parsed_public_key(rsa_algorithms(algorithm)?.1)
        }
        PublicComponents::Ec { x, y } => {
            let length = coordinate_length(algorithm);
            if Some(x.len()) != length || Some(y.len()) != length {
                return Err(CryptoError);
            }
            let point = [&[4][..], x, y].concat();
            ParsedPublicKey::new(ec_algorithms(algorithm)?.1, point)
        }
        PublicComponents::Ed { x } if algorithm.family() == Family::Ed && x.len() == 32 => {
            ParsedPublicKey::new(&ED25519, x)
        }
        PublicComponents::Ed { .. } => return Err(CryptoError),
        PublicComponents::MlDsa { public } => {
            let (signing, verifying) = ml_dsa_algorithms(algorithm)?;
            // The library also parses SPKI.
            if public.len() != signing.public_key_len() {
                return Err(CryptoError);
            }
            ParsedPublicKey::new(verifying, public)
        }
    }
    .map_err(|_| CryptoError)
}

//! Keys of each algorithm, in the forms that the candidates take.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::{self, SystemRandom};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair,
    Ed25519KeyPair, KeyPair, ML_DSA_44, ML_DSA_44_SIGNING, ParsedPublicKey, PqdsaKeyPair,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, VerificationAlgorithm,
};
use tower_jwt_auth::{Algorithm, KeySet, VerifyingKey};

use crate::BoxError;

/// The algorithms of the comparison.
pub(crate) const ALGORITHMS: [Algorithm; 5] =
    [Algorithm::HS256, Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA, Algorithm::MlDsa44];

const KEY_ID: &str = "2026-11";

/// A key that signs tokens, and its public part.
#[derive(Debug)]
pub(crate) struct Key {
    algorithm: Algorithm,
    signer: Signer,
    /// The public key as SubjectPublicKeyInfo (RFC 5280 §4.1), or the secret in ASCII.
    public: Vec<u8>,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "each algorithm has one key")]
enum Signer {
    Hmac(hmac::Key),
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    MlDsa(PqdsaKeyPair),
}

impl Key {
    /// Generates a key; for RSA one of 2048 bits.
    pub(crate) fn generate(algorithm: Algorithm) -> Result<Self, BoxError> {
        let spki = |key: &dyn AsDer<PublicKeyX509Der<'static>>| {
            Ok::<_, BoxError>(key.as_der()?.as_ref().to_vec())
        };
        let (signer, public) = match algorithm {
            Algorithm::HS256 => {
                let mut random = [0; 24];
                rand::fill(&mut random)?;
                let secret = base64(&random).into_bytes();
                (Signer::Hmac(hmac::Key::new(hmac::HMAC_SHA256, &secret)), secret)
            }
            Algorithm::RS256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048)?;
                let public = spki(pair.public_key())?;
                (Signer::Rsa(pair), public)
            }
            Algorithm::ES256 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
                let public = spki(pair.public_key())?;
                (Signer::Ec(pair), public)
            }
            Algorithm::EdDSA => {
                let pair = Ed25519KeyPair::generate()?;
                let public = spki(pair.public_key())?;
                (Signer::Ed(pair), public)
            }
            Algorithm::MlDsa44 => {
                let pair = PqdsaKeyPair::generate(&ML_DSA_44_SIGNING)?;
                let public = spki(pair.public_key())?;
                (Signer::MlDsa(pair), public)
            }
            other => return Err(format!("no key for {other}").into()),
        };
        Ok(Self { algorithm, signer, public })
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(crate) fn id(&self) -> &'static str {
        KEY_ID
    }

    /// Returns the shared secret of an HMAC, as text.
    pub(crate) fn secret(&self) -> Option<&str> {
        match self.signer {
            Signer::Hmac(_) => std::str::from_utf8(&self.public).ok(),
            _ => None,
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BoxError> {
        let random = SystemRandom::new();
        Ok(match &self.signer {
            Signer::Hmac(key) => hmac::sign(key, message).as_ref().to_vec(),
            Signer::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)?;
                signature
            }
            Signer::Ec(pair) => pair.sign(&random, message)?.as_ref().to_vec(),
            Signer::Ed(pair) => pair.try_sign(message)?.as_ref().to_vec(),
            Signer::MlDsa(pair) => {
                let mut signature = vec![0; pair.algorithm().signature_len()];
                pair.sign(message, &mut signature)?;
                signature
            }
        })
    }

    /// Returns the key for the bare signature check.
    pub(crate) fn parsed(&self) -> Result<ParsedKey, BoxError> {
        let algorithm: &'static dyn VerificationAlgorithm = match &self.signer {
            Signer::Hmac(key) => return Ok(ParsedKey::Hmac(key.clone())),
            Signer::Rsa(_) => &RSA_PKCS1_2048_8192_SHA256,
            Signer::Ec(_) => &ECDSA_P256_SHA256_FIXED,
            Signer::Ed(_) => &ED25519,
            Signer::MlDsa(_) => &ML_DSA_44,
        };
        Ok(ParsedKey::Public(ParsedPublicKey::new(algorithm, &self.public)?))
    }

    /// Returns the key for the library's verifier.
    pub(crate) fn verifying(&self) -> Result<VerifyingKey, BoxError> {
        let key = match self.secret() {
            Some(secret) => VerifyingKey::from_secret(self.algorithm, secret.as_bytes())?,
            None => VerifyingKey::from_der(self.algorithm, &self.public)?,
        };
        Ok(key.with_key_id(KEY_ID))
    }

    /// Returns the key as a JWK set (RFC 7517 §5), which contains the secret of an HMAC.
    pub(crate) fn jwks(&self) -> Result<String, BoxError> {
        Ok(match self.secret() {
            Some(secret) => format!(
                r#"{{"keys":[{{"kty":"oct","alg":"HS256","kid":"{KEY_ID}","k":"{}"}}]}}"#,
                base64(secret.as_bytes())
            ),
            None => KeySet::from(self.verifying()?).to_jwks(),
        })
    }
}

/// A key that was parsed once, to verify many signatures.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "each algorithm has one key")]
pub(crate) enum ParsedKey {
    Hmac(hmac::Key),
    Public(ParsedPublicKey),
}

impl ParsedKey {
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Hmac(key) => hmac::verify(key, message, signature).is_ok(),
            Self::Public(key) => key.verify_sig(message, signature).is_ok(),
        }
    }
}

/// Returns base64url without padding (RFC 7515 §2).
pub(crate) fn base64(bytes: &[u8]) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes)
}

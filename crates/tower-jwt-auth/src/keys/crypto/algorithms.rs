use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED,
    ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED, ECDSA_P521_SHA512_FIXED_SIGNING,
    EcdsaSigningAlgorithm, EcdsaVerificationAlgorithm, ML_DSA_44, ML_DSA_44_SIGNING, ML_DSA_65,
    ML_DSA_65_SIGNING, ML_DSA_87, ML_DSA_87_SIGNING, PqdsaSigningAlgorithm,
    PqdsaVerificationAlgorithm, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RSA_PSS_SHA256,
    RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaParameters,
};

use super::CryptoError;
use crate::algorithm::Algorithm;

pub(super) fn hmac_algorithm(algorithm: Algorithm) -> Result<hmac::Algorithm, CryptoError> {
    match algorithm {
        Algorithm::HS256 => Ok(hmac::HMAC_SHA256),
        Algorithm::HS384 => Ok(hmac::HMAC_SHA384),
        Algorithm::HS512 => Ok(hmac::HMAC_SHA512),
        _ => Err(CryptoError),
    }
}

pub(super) fn rsa_algorithms(
    algorithm: Algorithm,
) -> Result<(&'static dyn RsaEncoding, &'static RsaParameters), CryptoError> {
    match algorithm {
        Algorithm::RS256 => Ok((&RSA_PKCS1_SHA256, &RSA_PKCS1_2048_8192_SHA256)),
        Algorithm::RS384 => Ok((&RSA_PKCS1_SHA384, &RSA_PKCS1_2048_8192_SHA384)),
        Algorithm::RS512 => Ok((&RSA_PKCS1_SHA512, &RSA_PKCS1_2048_8192_SHA512)),
        Algorithm::PS256 => Ok((&RSA_PSS_SHA256, &RSA_PSS_2048_8192_SHA256)),
        Algorithm::PS384 => Ok((&RSA_PSS_SHA384, &RSA_PSS_2048_8192_SHA384)),
        Algorithm::PS512 => Ok((&RSA_PSS_SHA512, &RSA_PSS_2048_8192_SHA512)),
        _ => Err(CryptoError),
    }
}

pub(super) fn ec_algorithms(
    algorithm: Algorithm,
) -> Result<(&'static EcdsaSigningAlgorithm, &'static EcdsaVerificationAlgorithm), CryptoError> {
    match algorithm {
        Algorithm::ES256 => Ok((&ECDSA_P256_SHA256_FIXED_SIGNING, &ECDSA_P256_SHA256_FIXED)),
        Algorithm::ES384 => Ok((&ECDSA_P384_SHA384_FIXED_SIGNING, &ECDSA_P384_SHA384_FIXED)),
        Algorithm::ES512 => Ok((&ECDSA_P521_SHA512_FIXED_SIGNING, &ECDSA_P521_SHA512_FIXED)),
        _ => Err(CryptoError),
    }
}

pub(super) fn ml_dsa_algorithms(
    algorithm: Algorithm,
) -> Result<(&'static PqdsaSigningAlgorithm, &'static PqdsaVerificationAlgorithm), CryptoError> {
    match algorithm {
        Algorithm::MlDsa44 => Ok((&ML_DSA_44_SIGNING, &ML_DSA_44)),
        Algorithm::MlDsa65 => Ok((&ML_DSA_65_SIGNING, &ML_DSA_65)),
        Algorithm::MlDsa87 => Ok((&ML_DSA_87_SIGNING, &ML_DSA_87)),
        _ => Err(CryptoError),
    }
}

/// Returns the length in bytes of one coordinate of a point on the algorithm's curve, or `None` if it is not ECDSA.
pub(super) fn coordinate_length(algorithm: Algorithm) -> Option<usize> {
    match algorithm {
        Algorithm::ES256 => Some(32),
        Algorithm::ES384 => Some(48),
        Algorithm::ES512 => Some(66),
        _ => None,
    }
}

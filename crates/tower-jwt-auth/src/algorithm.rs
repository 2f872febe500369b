use std::fmt;
use std::str::FromStr;

use tower_jwt_auth_core::ParseNameError;

/// A signature algorithm for JWTs (RFC 7518 §3.1, RFC 8037 §3.1).
///
/// There is no variant for `none`, so that a token without a signature cannot be accepted.
///
/// `FromStr` and `Display` read and write the name in the `alg` header parameter. With the feature `serde` the
/// algorithm is serialized as that name.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::Algorithm;
///
/// let algorithm: Algorithm = "ES256".parse()?;
/// assert_eq!(algorithm, Algorithm::ES256);
/// assert_eq!(algorithm.to_string(), "ES256");
/// assert!("none".parse::<Algorithm>().is_err());
/// # Ok::<(), tower_jwt_auth_core::ParseNameError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// HMAC with SHA-256.
    HS256,
    /// HMAC with SHA-384.
    HS384,
    /// HMAC with SHA-512.
    HS512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RS384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RS512,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// RSASSA-PSS with SHA-384.
    PS384,
    /// RSASSA-PSS with SHA-512.
    PS512,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// Ed25519.
    EdDSA,
}

/// The kind of key that an algorithm takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Hmac,
    Rsa,
    Ec,
    Ed,
}

impl Algorithm {
    /// All algorithms.
    pub const ALL: &'static [Self] = &[
        Self::HS256,
        Self::HS384,
        Self::HS512,
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::EdDSA,
    ];

    /// Returns the name in the `alg` header parameter (RFC 7515 §4.1.1).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HS256 => "HS256",
            Self::HS384 => "HS384",
            Self::HS512 => "HS512",
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDSA => "EdDSA",
        }
    }

    /// Returns the kind of key.
    pub(crate) const fn family(self) -> Family {
        match self {
            Self::HS256 | Self::HS384 | Self::HS512 => Family::Hmac,
            Self::RS256 | Self::RS384 | Self::RS512 | Self::PS256 | Self::PS384 | Self::PS512 => {
                Family::Rsa
            }
            Self::ES256 | Self::ES384 => Family::Ec,
            Self::EdDSA => Family::Ed,
        }
    }

    /// Returns the length of this HMAC's hash in bytes, which is the minimum length of its secret (RFC 7518 §3.2), or
    /// `None` for another algorithm.
    pub(crate) const fn hmac_length(self) -> Option<usize> {
        match self {
            Self::HS256 => Some(32),
            Self::HS384 => Some(48),
            Self::HS512 => Some(64),
            _ => None,
        }
    }
}

impl FromStr for Algorithm {
    type Err = ParseNameError;

    /// Parses the name in the `alg` header parameter. Names are case-sensitive (RFC 7515 §4.1.1).
    ///
    /// # Errors
    ///
    /// Returns [`ParseNameError`] for any other name, also for `none`.
    fn from_str(name: &str) -> Result<Self, ParseNameError> {
        Self::ALL.iter().copied().find(|algorithm| algorithm.as_str() == name).ok_or(ParseNameError)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Serializes the algorithm as its name in the `alg` header parameter, such as `"EdDSA"`.
#[cfg(feature = "serde")]
impl serde::Serialize for Algorithm {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Deserializes the name in the `alg` header parameter.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::Algorithm;
///
/// #[derive(serde::Deserialize)]
/// struct Config { algorithm: Algorithm }
///
/// let config: Config = serde_json::from_str(r#"{"algorithm":"ES384"}"#)?;
/// assert_eq!(config.algorithm, Algorithm::ES384);
/// assert!(serde_json::from_str::<Config>(r#"{"algorithm":"none"}"#).is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Algorithm {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AlgorithmVisitor;

        impl serde::de::Visitor<'_> for AlgorithmVisitor {
            type Value = Algorithm;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a signature algorithm, such as EdDSA")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Algorithm, E> {
                name.parse().map_err(|_| E::invalid_value(serde::de::Unexpected::Str(name), &self))
            }
        }

        deserializer.deserialize_str(AlgorithmVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "serde")]
    #[test]
    fn serde_reads_and_writes_the_name() {
        for algorithm in Algorithm::ALL {
            let json = serde_json::to_string(algorithm).unwrap();
            assert_eq!(json, format!("\"{algorithm}\""));
            assert_eq!(serde_json::from_str::<Algorithm>(&json).unwrap(), *algorithm);
            let reader = json.as_bytes();
            assert_eq!(serde_json::from_reader::<_, Algorithm>(reader).unwrap(), *algorithm);
        }
        for json in [r#""none""#, r#""hs256""#, r#""""#, "0", "null", "[]"] {
            assert!(serde_json::from_str::<Algorithm>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn names_parse_back_and_none_is_unknown() {
        for algorithm in Algorithm::ALL.iter().copied() {
            assert_eq!(algorithm.as_str().parse(), Ok(algorithm));
        }
        for name in ["none", "None", "NONE", "hs256", "", "HS256 ", "ES256K", "RSA1_5"] {
            assert_eq!(name.parse::<Algorithm>(), Err(ParseNameError), "{name}");
        }
    }
}

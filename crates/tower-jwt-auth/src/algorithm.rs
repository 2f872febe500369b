use std::fmt;
use std::str::FromStr;

use tower_jwt_auth_core::ParseNameError;

/// A signature algorithm for JWTs (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2, RFC 9964).
///
/// There is no variant for `none`, so that a token without a signature cannot be accepted, and none for ES256K.
///
/// [`EdDSA`](Self::EdDSA) and [`Ed25519`](Self::Ed25519) are two names of one algorithm with the same keys. RFC 9864
/// deprecates the former, which more libraries read. A key is for one of the names.
///
/// Signatures of ML-DSA resist quantum computers, and are long: a token with ML-DSA-44 has about 3.7 KB, with ML-DSA-65
/// 4.9 KB and with ML-DSA-87 6.6 KB. Some proxies and servers limit header fields to 4 KB or 8 KB.
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
    /// ECDSA on P-521 with SHA-512.
    ES512,
    /// Ed25519 under the name of RFC 8037, `EdDSA`.
    EdDSA,
    /// Ed25519 under the name of RFC 9864, `Ed25519`.
    Ed25519,
    /// ML-DSA-44 (FIPS 204).
    MlDsa44,
    /// ML-DSA-65 (FIPS 204).
    MlDsa65,
    /// ML-DSA-87 (FIPS 204).
    MlDsa87,
}

/// The kind of key that an algorithm takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Hmac,
    Rsa,
    Ec,
    Ed,
    MlDsa,
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
        Self::ES512,
        Self::EdDSA,
        Self::Ed25519,
        Self::MlDsa44,
        Self::MlDsa65,
        Self::MlDsa87,
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
            Self::ES512 => "ES512",
            Self::EdDSA => "EdDSA",
            Self::Ed25519 => "Ed25519",
            Self::MlDsa44 => "ML-DSA-44",
            Self::MlDsa65 => "ML-DSA-65",
            Self::MlDsa87 => "ML-DSA-87",
        }
    }

    /// Returns the kind of key.
    pub(crate) const fn family(self) -> Family {
        match self {
            Self::HS256 | Self::HS384 | Self::HS512 => Family::Hmac,
            Self::RS256 | Self::RS384 | Self::RS512 | Self::PS256 | Self::PS384 | Self::PS512 => {
                Family::Rsa
            }
            Self::ES256 | Self::ES384 | Self::ES512 => Family::Ec,
            Self::EdDSA | Self::Ed25519 => Family::Ed,
            Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87 => Family::MlDsa,
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

/// A set of algorithms.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct AlgorithmSet {
    /// The bit `1 << algorithm` of each member.
    bits: u32,
}

impl AlgorithmSet {
    /// The algorithms of an RSA key.
    pub(crate) const RSA: Self = Self::of(&[
        Algorithm::RS256,
        Algorithm::RS384,
        Algorithm::RS512,
        Algorithm::PS256,
        Algorithm::PS384,
        Algorithm::PS512,
    ]);
    /// The names of the algorithm of an Ed25519 key.
    pub(crate) const ED25519: Self = Self::of(&[Algorithm::EdDSA, Algorithm::Ed25519]);

    /// The algorithms of ML-DSA. Each has keys of its own.
    pub(crate) const ML_DSA: Self =
        Self::of(&[Algorithm::MlDsa44, Algorithm::MlDsa65, Algorithm::MlDsa87]);

    pub(crate) const fn of(algorithms: &[Algorithm]) -> Self {
        let mut bits = 0;
        let mut at = 0;
        while at < algorithms.len() {
            bits |= 1 << algorithms[at] as u32;
            at += 1;
        }
        Self { bits }
    }

    pub(crate) const fn contains(self, algorithm: Algorithm) -> bool {
        self.bits & (1 << algorithm as u32) != 0
    }

    /// Returns the algorithms that are in both sets.
    pub(crate) const fn intersection(self, other: Self) -> Self {
        Self { bits: self.bits & other.bits }
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.bits == 0
    }

    pub(crate) const fn len(self) -> usize {
        self.bits.count_ones() as usize
    }

    /// Returns the algorithms in the order of [`Algorithm::ALL`].
    pub(crate) fn iter(self) -> impl Iterator<Item = Algorithm> {
        Algorithm::ALL.iter().copied().filter(move |algorithm| self.contains(*algorithm))
    }
}

impl FromIterator<Algorithm> for AlgorithmSet {
    fn from_iter<I: IntoIterator<Item = Algorithm>>(algorithms: I) -> Self {
        let bits = algorithms.into_iter().fold(0, |bits, algorithm| bits | 1 << algorithm as u32);
        Self { bits }
    }
}

impl fmt::Debug for AlgorithmSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
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
        for name in [
            "none",
            "None",
            "NONE",
            "hs256",
            "",
            "HS256 ",
            "ES256K",
            "RSA1_5",
            "ed25519",
            "Ed448",
            "ML-DSA-44 ",
            "MlDsa44",
            "ml-dsa-44",
        ] {
            assert_eq!(name.parse::<Algorithm>(), Err(ParseNameError), "{name}");
        }
    }

    #[test]
    fn each_algorithm_is_listed_once_and_has_a_name_of_its_own() {
        // A new variant follows the last one.
        assert_eq!(Algorithm::ALL.len(), Algorithm::MlDsa87 as usize + 1);
        for (at, algorithm) in Algorithm::ALL.iter().enumerate() {
            assert_eq!(*algorithm as usize, at);
            assert!(Algorithm::ALL[..at].iter().all(|other| other.as_str() != algorithm.as_str()));
        }
    }

    #[test]
    fn a_set_contains_its_members_alone() {
        for one in Algorithm::ALL.iter().copied() {
            let set = AlgorithmSet::of(&[one]);
            assert_eq!(set.iter().collect::<Vec<_>>(), [one]);
            assert_eq!(set, AlgorithmSet::from_iter([one, one]));
            for other in Algorithm::ALL.iter().copied().filter(|other| *other != one) {
                assert!(!set.contains(other));
                assert!(set.intersection(AlgorithmSet::of(&[other])).is_empty());
                let both = AlgorithmSet::of(&[other, one]);
                assert!(both.contains(one) && both.contains(other));
                assert_eq!(both.intersection(set), set);
            }
        }
        assert!(AlgorithmSet::of(&[]).is_empty());
        let family = |family| Algorithm::ALL.iter().copied().filter(move |a| a.family() == family);
        assert_eq!(AlgorithmSet::RSA, family(Family::Rsa).collect());
        assert_eq!(AlgorithmSet::ED25519, family(Family::Ed).collect());
        assert_eq!(AlgorithmSet::ML_DSA, family(Family::MlDsa).collect());
        assert_eq!(AlgorithmSet::ML_DSA.len(), 3);
    }
}

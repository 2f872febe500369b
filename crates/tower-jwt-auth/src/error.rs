use std::time::Duration;

use crate::algorithm::Algorithm;

/// A configuration that cannot be meant, found when it is built.
///
/// The message says what to change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The secret is shorter than the hash (RFC 7518 §3.2).
    #[error("a secret for {algorithm} needs at least {least} bytes, this one has {length}")]
    SecretTooShort {
        /// The algorithm.
        algorithm: Algorithm,
        /// The least number of bytes.
        least: usize,
        /// The number of bytes of the secret given.
        length: usize,
    },
    /// The RSA key is shorter than 2048 bits (RFC 7518 §3.3) or longer than 8192.
    #[error("an RSA key needs 2048 to 8192 bits, this one has {bits}")]
    RsaKeySize {
        /// The number of bits of the key given.
        bits: usize,
    },
    /// The key is not of the kind that the algorithm takes, or cannot be read.
    #[error("this is no usable key for {algorithm}: give {expected}")]
    Key {
        /// The algorithm.
        algorithm: Algorithm,
        /// What is expected instead.
        expected: &'static str,
    },
    /// Two keys of a set go by the same `kid` and algorithm.
    #[error("two keys for {algorithm} go by the key id {key_id:?}: give each an id of its own")]
    DuplicateKeyId {
        /// The key id.
        key_id: String,
        /// The algorithm.
        algorithm: Algorithm,
    },
    /// A JWK set cannot be read.
    #[error("this is no JWK set: {problem}")]
    Jwks {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A set of keys is empty.
    #[error("no key is given: nothing could be verified with an empty set")]
    NoKey,
    /// A name that must not be empty is empty, or has characters that cannot be sent.
    #[error("the {what} is empty or has characters that cannot be sent: {hint}")]
    Name {
        /// What it names.
        what: &'static str,
        /// What to give instead.
        hint: &'static str,
    },
    /// A duration is outside its bounds.
    #[error("the {what} is {given:?}: {hint}")]
    Duration {
        /// What lasts.
        what: &'static str,
        /// The duration given.
        given: Duration,
        /// What to give instead.
        hint: &'static str,
    },
    /// The same issuer is trusted twice.
    #[error("the issuer {issuer:?} is trusted twice: put its keys into one set")]
    DuplicateIssuer {
        /// The issuer.
        issuer: String,
    },
    /// A scope has characters that RFC 6749 §3.3 does not allow, or is empty.
    #[error("{scope:?} is no scope: one or more words of visible ASCII without quote or backslash")]
    Scope {
        /// The scope given.
        scope: String,
    },
    /// Browsers would drop the cookie.
    #[error("browsers would drop this cookie: {problem}")]
    Cookie {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// An origin is not of the form that browsers send.
    #[error(
        "{origin:?} is no origin that browsers send: give one scheme, host and port, as in \
         https://app.example:8443, without wildcards"
    )]
    Origin {
        /// The origin given.
        origin: String,
    },
    /// The type of claims was set after the refresh hook, which is a hook for claims of another type.
    #[error("the refresh hook is for claims of another type: call claims before refresh_hook")]
    ClaimsAfterHook,
    /// There is no tokio runtime for the task that follows the revocation log.
    #[error("there is no tokio runtime here: build this inside #[tokio::main] or Runtime::enter")]
    NoRuntime,
    /// The operating system gave no random numbers.
    #[error("the operating system gave no random numbers")]
    Entropy,
}

/// Why a token is not accepted.
///
/// It is meant for logs and metrics. Clients are told no more than RFC 6750 provides for. Nothing of the
/// token is in it but the names of claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It has not three segments of canonical base64url (RFC 7515 §7.1).
    #[error("the token is not three segments of base64url")]
    Encoding,
    /// A part is no JSON object, or names a member twice (RFC 7515 §4, RFC 7519 §4).
    #[error("the token's {0} is no JSON object with distinct member names")]
    Json(TokenPart),
    /// The header has `crit` (RFC 7515 §4.1.11); no extension is understood here.
    #[error("the token's header has critical extensions")]
    Critical,
    /// The header has no `alg`, or one that is unknown; `none` is.
    #[error("the token's algorithm is missing or unknown")]
    Algorithm,
    /// The `typ` is not that of an access token (RFC 9068 §2.1).
    #[error("the token is of another type")]
    Type,
    /// The `iss` is none of those trusted.
    #[error("the token's issuer is not trusted")]
    Issuer,
    /// None of the `aud` is the expected one.
    #[error("the token is for another audience")]
    Audience,
    /// A claim that must be there is missing.
    #[error("the token's claim {0} is missing")]
    Missing(&'static str),
    /// A claim is of the wrong type, or empty.
    #[error("the token's claim {0} is malformed")]
    Mistyped(&'static str),
    /// The application's own claims are not as it expects them.
    #[error("the token's application claims are malformed")]
    Claims,
    /// The `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// The `nbf`, `iat` or `auth_time` is in the future.
    #[error("the token's claim {0} is in the future")]
    Early(&'static str),
    /// No key of the issuer has this `kid` and `alg`, or there is no `kid` and several keys fit.
    #[error("the token is signed with an unknown key")]
    UnknownKey,
    /// The signature does not match.
    #[error("the token's signature does not match")]
    Signature,
    /// The token, its session, or the older tokens of its subject have been revoked.
    #[error("the token has been revoked")]
    Revoked,
}

/// A part of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenPart {
    /// The first.
    Header,
    /// The second.
    Claims,
}

impl std::fmt::Display for TokenPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Claims => "claims set",
        })
    }
}

/// Why a request's credentials cannot even be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// There are several tokens, or several places for them (RFC 6750 §2).
    #[error("the request carries more than one token")]
    SeveralTokens,
    /// The credentials are not one token (RFC 6750 §2.1).
    #[error("the request's credentials are not of the form Bearer and one token")]
    Malformed,
    /// The token is longer than 8 KiB.
    #[error("the request's token is too long")]
    TooLong,
}

use std::fmt;
use std::time::Duration;

use crate::algorithm::Algorithm;

/// An invalid configuration, detected at build time.
///
/// The message names the value and the change that makes it valid. It never contains a secret.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::{ConfigError, RefreshSecrets};
///
/// let error = RefreshSecrets::new(b"short").unwrap_err();
/// assert!(matches!(error, ConfigError::SecretTooShort { min: 32, length: 5, .. }));
/// assert_eq!(error.to_string(), "a secret for HS256 needs at least 32 bytes, this one has 5");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The secret is shorter than the hash (RFC 7518 §3.2).
    #[error("a secret for {algorithm} needs at least {min} bytes, this one has {length}")]
    SecretTooShort {
        /// The algorithm.
        algorithm: Algorithm,
        /// The minimum number of bytes.
        min: usize,
        /// The number of bytes of the given secret.
        length: usize,
    },
    /// The RSA key is shorter than 2048 bits (RFC 7518 §3.3) or longer than 8192 bits.
    #[error("an RSA key needs 2048 to 8192 bits, this one has {bits}")]
    RsaKeySize {
        /// The number of bits of the given key.
        bits: usize,
    },
    /// The key does not fit the algorithm, or cannot be parsed.
    #[error("the key is not valid for {algorithm}: give {expected}")]
    Key {
        /// The algorithm.
        algorithm: Algorithm,
        /// The kind of key to give instead.
        expected: &'static str,
    },
    /// The key or secret is well-formed, but anyone could sign with it, or verification would be slow: an Ed25519 point
    /// of small order, an RSA key with an even modulus or with an exponent that is even, 1 or longer than 64 bits, or a
    /// secret that is a PEM document or whose bytes are all the same.
    #[error("the key for {algorithm} is weak: {problem}")]
    WeakKey {
        /// The algorithm.
        algorithm: Algorithm,
        /// The weakness.
        problem: &'static str,
    },
    /// Two keys of a set have the same `kid` and algorithm.
    #[error("two keys for {algorithm} have the key id {key_id:?}: give each key its own id")]
    DuplicateKeyId {
        /// The key id.
        key_id: String,
        /// The algorithm.
        algorithm: Algorithm,
    },
    /// The JWK set cannot be parsed.
    #[error("the JWK set is invalid: {problem}")]
    Jwks {
        /// The reason.
        problem: &'static str,
    },
    /// The set of keys is empty.
    #[error("the set of keys is empty: give at least one key to verify with")]
    NoKey,
    /// No key of the JWK set can be used.
    #[error("the JWK set has no key to verify with; its keys are ignored: {ignored}")]
    NoUsableKey {
        /// The `kid`s of ignored keys, each with the reason.
        ignored: String,
    },
    /// A name is empty, or contains characters that cannot be sent.
    #[error("the {what} is empty or contains characters that cannot be sent: {hint}")]
    Name {
        /// The setting.
        what: &'static str,
        /// The value to give instead.
        hint: &'static str,
    },
    /// A duration is outside its bounds.
    #[error("the {what} is {given:?}: {hint}")]
    Duration {
        /// The setting.
        what: &'static str,
        /// The given duration.
        given: Duration,
        /// The value to give instead.
        hint: &'static str,
    },
    /// A number is outside its bounds.
    #[error("the {what} is {given}: {hint}")]
    Number {
        /// The setting.
        what: &'static str,
        /// The given number.
        given: usize,
        /// The value to give instead.
        hint: &'static str,
    },
    /// A list is empty.
    #[error("the list of {what} is empty: give at least one")]
    Empty {
        /// The contents of the list.
        what: &'static str,
    },
    /// A setting has a value that it cannot have.
    #[error("the {what} {given:?} cannot be used: {hint}")]
    Setting {
        /// The setting.
        what: &'static str,
        /// The given value.
        given: String,
        /// The value to give instead.
        hint: &'static str,
    },
    /// Two trusted issuers have the same name.
    #[error("the issuer {issuer:?} is trusted twice: put its keys into one set")]
    DuplicateIssuer {
        /// The issuer.
        issuer: String,
    },
    /// The scope is empty, or contains characters that RFC 6749 §3.3 does not allow.
    #[error(
        "{scope:?} is not a valid scope: give words of visible ASCII without quotes or backslashes, separated by \
         single spaces"
    )]
    Scope {
        /// The given scope.
        scope: String,
    },
    /// Browsers would drop the cookie.
    #[error("browsers would drop the cookie: {problem}")]
    Cookie {
        /// The reason.
        problem: &'static str,
    },
    /// The origin does not have the form that browsers send (RFC 6454 §6.2).
    #[error(
        "{origin:?} is not an origin that browsers send: give one scheme, host and port, as in \
         https://app.example:8443, without wildcards"
    )]
    Origin {
        /// The given origin.
        origin: String,
    },
    /// The type of claims was set after the refresh hook, whose claims have another type.
    #[error("the refresh hook is for claims of another type: call claims before refresh_hook")]
    ClaimsAfterHook,
    /// A URL cannot be used.
    #[error("the {what} cannot be used: {problem}")]
    Url {
        /// The purpose of the URL.
        what: &'static str,
        /// The rule that it breaks.
        problem: &'static str,
    },
    /// A member cannot be added to a metadata document.
    #[error("the metadata member {name:?} cannot be added: {problem}")]
    MetadataMember {
        /// The name of the member.
        name: String,
        /// The rule that it breaks.
        problem: &'static str,
    },
    /// The operating system has no root certificates for TLS.
    #[error(
        "the operating system has no usable root certificates: install ca-certificates, set \
         SSL_CERT_FILE, or give an HTTP client"
    )]
    RootCertificates,
    /// There is no tokio runtime for the task that follows the revocation log.
    #[error("there is no tokio runtime: build this inside #[tokio::main] or Runtime::enter")]
    NoRuntime,
    /// The operating system returned no random bytes.
    #[error("the operating system returned no random bytes")]
    Entropy,
}

/// The reason why an access token is rejected.
///
/// It is for logs and metrics. Clients receive only the error code of RFC 6750 §3.1. The error contains names of claims
/// but no other part of the token.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::tokens::TokenError;
/// use tower_jwt_auth::{Issuer, SigningKey, Timestamp, Verifier};
///
/// let issuer = Issuer::new("https://shop.example", "https://api.shop.example", SigningKey::generate()?)?;
/// let error = Verifier::new(&issuer).verify("a.b", Timestamp::UNIX_EPOCH).unwrap_err();
/// assert_eq!(error, TokenError::Encoding);
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The token does not consist of three segments of canonical base64url (RFC 7515 §7.1).
    #[error("the token does not consist of three canonical base64url segments")]
    Encoding,
    /// The token is longer than the verifier accepts: 8 KiB, unless
    /// [set](crate::Verifier::with_max_token_length). The response is 400, since it is rejected unread.
    #[error("the token is too long")]
    TooLong,
    /// A part is not a JSON object with distinct member names (RFC 7515 §4, RFC 7519 §4).
    #[error("the token's {0} is not a JSON object with distinct member names")]
    Json(TokenPart),
    /// The header has `crit` (RFC 7515 §4.1.11). No extension is supported.
    #[error("the token's header has critical extensions")]
    Critical,
    /// The header has no `alg`, an unknown one, or one that is not among the issuer's
    /// [algorithms](crate::TrustedIssuer::with_algorithms). `none` is unknown.
    #[error("the token's algorithm is missing, unknown or not accepted from its issuer")]
    Algorithm,
    /// The `typ` is not that of an access token (RFC 9068 §2.1), or not among the issuer's
    /// [types](crate::TrustedIssuer::with_types).
    #[error("the token's type is not that of an access token")]
    Type,
    /// The `iss` is not a trusted issuer.
    #[error("the token's issuer is not trusted")]
    Issuer,
    /// The `aud` does not contain an expected audience (RFC 7519 §4.1.3). For a token without `aud`: its client is not
    /// one of the [expected](crate::TrustedIssuer::with_client_ids).
    #[error("the token is for another audience")]
    Audience,
    /// A required claim is missing. Client and scopes are named `client_id` and `scope`, whatever claims the issuer uses.
    #[error("the token's claim {0} is missing")]
    Missing(&'static str),
    /// A claim has the wrong type, or is empty.
    #[error("the token's claim {0} is malformed")]
    Mistyped(&'static str),
    /// The claims do not deserialize into the application's type. The token is valid otherwise, and its signature
    /// matches. The layer logs it as a warning.
    #[error("the token's claims do not fit the application's type{}", in_field(*.field))]
    Claims {
        /// The field that is missing or has another type. `None` if it is not known, as in a type with flattened
        /// fields.
        field: Option<&'static str>,
    },
    /// The `exp` has passed (RFC 7519 §4.1.4).
    #[error("the token has expired")]
    Expired,
    /// The lifetime is longer than the [maximum](crate::TrustedIssuer::with_max_token_lifetime) for the issuer.
    #[error("the token's lifetime is too long")]
    Lifetime,
    /// A claim that the issuer's tokens [must have](crate::TrustedIssuer::with_required_claim) is missing or has another
    /// value.
    #[error("a claim that the issuer's tokens must have is missing or has another value")]
    RequiredClaim,
    /// The `nbf`, `iat` or `auth_time` is in the future.
    #[error("the token's claim {0} is in the future")]
    Early(&'static str),
    /// No key of the issuer has this `kid` and `alg`, or the header has no `kid` and not exactly one key fits.
    #[error("the token is signed with an unknown key")]
    UnknownKey,
    /// The issuer's keys are unavailable: no fetch has brought any, they are too old, or the issuer has withdrawn them.
    #[error("the keys of the token's issuer are unavailable")]
    KeysUnavailable {
        /// The time until the next scheduled fetch.
        retry_after: Duration,
    },
    /// The signature does not match.
    #[error("the token's signature does not match")]
    Signature,
    /// The token, its session, or all older tokens of its subject are revoked.
    #[error("the token has been revoked")]
    Revoked,
}

/// Returns the part of a message that names a field.
fn in_field(field: Option<&'static str>) -> String {
    field.map_or_else(String::new, |field| format!(": {field} is missing or malformed"))
}

/// A part of a token that is JSON.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::tokens::{TokenError, TokenPart};
///
/// let error = TokenError::Json(TokenPart::Header);
/// assert_eq!(error.to_string(), "the token's header is not a JSON object with distinct member names");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenPart {
    /// The header, which is the first segment (RFC 7515 §4).
    Header,
    /// The claims set, which is the second segment (RFC 7519 §4).
    Claims,
}

impl fmt::Display for TokenPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Claims => "claims set",
        })
    }
}

/// The reason why the credentials of a request cannot be read.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::AuthError;
/// use tower_jwt_auth::tokens::RequestError;
///
/// let error = AuthError::from(RequestError::SeveralTokens);
/// assert_eq!((error.status().as_u16(), error.code()), (400, Some("invalid_request")));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The request carries several tokens, or carries them in several places (RFC 6750 §2).
    #[error("the request carries more than one token")]
    SeveralTokens,
    /// The credentials are not a single bearer token (RFC 6750 §2.1).
    #[error("the request's credentials do not have the form Bearer and one token")]
    Malformed,
    /// The token is longer than 8 KiB, or than the verifier's [maximum](crate::Verifier::with_max_token_length).
    #[error("the request's token is too long")]
    TooLong,
}

//! Keys that sign and verify tokens.
//!
//! # Secrets in memory
//!
//! Wiped on drop:
//!
//! - private keys and shared secrets in [`SigningKey`], [`VerifyingKey`] and [`RefreshSecrets`]: aws-lc overwrites them
//!   when it frees them;
//! - the PEM text of [`SigningKey::generate_pem`], the binary form of a key that [`SigningKey::from_pem`] parses,
//!   generated secrets, and keys derived from a secret;
//! - refresh tokens ([`RefreshToken`](crate::tokens::RefreshToken)) and the buffers in which they are encoded and
//!   decoded.
//!
//! Not wiped:
//!
//! - the slices that the application passes to constructors such as [`SigningKey::from_pem`];
//! - access tokens, and the copies of any token in requests, responses and the buffers of the HTTP server;
//! - values that the compiler moves or spills to the stack.

pub(crate) mod crypto;
mod handle;
mod hygiene;
mod jwk;
mod pem;
#[cfg(feature = "jwks")]
mod remote;
mod ring;
mod set;
mod signer;
mod signing;
mod source;
mod spki;
mod stamp;
mod thumbprint;
mod verifying;

pub use self::handle::KeyHandle;
#[cfg(feature = "jwks")]
pub use self::remote::{FetchErrorKind, RemoteKeySet, RemoteKeySetBuilder, RemoteKeySetStatus};
pub use self::ring::KeyRing;
pub use self::set::KeySet;
pub use self::signer::{SIGNER_TIMEOUT, Signer};
pub(crate) use self::signing::SignError;
pub use self::signing::{RefreshSecrets, SigningKey};
pub use self::source::KeySource;
pub(crate) use self::source::{Admission, NewerKeys, SignedMessage, Unlimited, VerifyError};
pub(crate) use self::stamp::KeyStamp;
pub use self::verifying::VerifyingKey;
pub use crate::algorithm::Algorithm;

#[cfg(test)]
mod tests;

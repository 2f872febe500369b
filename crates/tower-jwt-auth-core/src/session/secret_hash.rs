use std::fmt;

use subtle::ConstantTimeEq;

/// The SHA-256 hash of the 128 random bits in a session's refresh tokens.
///
/// The store keeps the hash and never the bits, so a stolen database contains no usable token. `Debug` does not show
/// the hash.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::SecretHash;
///
/// let hash = SecretHash::from_bytes([7; 32]);
/// assert_eq!(hash.as_bytes(), &[7; 32]);
/// assert_eq!(format!("{hash:?}"), "SecretHash(..)");
/// ```
#[derive(Clone, Copy)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// Creates the hash of 32 bytes that were computed or that a store has kept.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the 32 bytes for a store to keep.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for SecretHash {
    /// Compares in constant time.
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for SecretHash {}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_hash() {
        assert_eq!(format!("{:?}", SecretHash::from_bytes([7; 32])), "SecretHash(..)");
    }
}

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use crate::revision::Revision;

/// Keys that can be replaced while requests use them: a [`KeyRing`](super::KeyRing) or
/// [`RefreshSecrets`](super::RefreshSecrets).
///
/// Clones share the keys. Requests read them without a lock: a request that has begun continues with the keys that it
/// has read.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::keys::KeyRing;
/// use tower_jwt_auth::{Issuer, SigningKey};
///
/// let issuer =
///     Issuer::new("https://shop.example", "https://api.shop.example", SigningKey::generate()?)?;
/// let ring = issuer.key_ring().clone();
///
/// let key = SigningKey::generate()?;
/// ring.replace(KeyRing::new(key.clone()));
/// assert_eq!(issuer.key_ring().load().signing_key().key_id(), key.key_id());
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
pub struct KeyHandle<T> {
    current: Arc<ArcSwap<T>>,
    revision: Revision,
}

impl<T> KeyHandle<T> {
    pub(crate) fn new(keys: T) -> Self {
        let current = Arc::new(ArcSwap::from_pointee(keys));
        Self { current, revision: Revision::default() }
    }

    /// Returns the present keys.
    pub fn load(&self) -> Arc<T> {
        self.current.load_full()
    }

    /// Returns the present keys for a moment, without counting the reference. The guard should not be held across an
    /// `await`.
    pub(crate) fn peek(&self) -> impl Deref<Target = Arc<T>> + use<T> {
        let guard: Guard<Arc<T>> = self.current.load();
        guard
    }

    pub(super) fn revision(&self) -> &Revision {
        &self.revision
    }
}

impl<T: fmt::Debug> KeyHandle<T> {
    /// Replaces the keys, for every request from now on.
    ///
    /// Nodes replace their keys one after the other, so each step must be valid beside the one before: publish a key on
    /// every node before one of them signs with it, and accept the previous key until its tokens have expired. The page
    /// [`key_rotation`](crate::guide::key_rotation) has the steps.
    pub fn replace(&self, keys: T) {
        tracing::info!(?keys, "keys were replaced");
        let before = self.current.swap(Arc::new(keys));
        self.revision.raise();
        // Last, because it may run code of the application, which may panic.
        drop(before);
    }
}

impl<T> Clone for KeyHandle<T> {
    fn clone(&self) -> Self {
        Self { current: Arc::clone(&self.current), revision: self.revision.clone() }
    }
}

impl<T: fmt::Debug> fmt::Debug for KeyHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyHandle").field(&*self.current.load()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    /// Keys of the application whose destructor panics.
    #[derive(Debug)]
    struct Fragile(bool);

    impl Drop for Fragile {
        fn drop(&mut self) {
            assert!(!self.0, "a destructor of the application");
        }
    }

    #[test]
    fn keys_that_are_replaced_end_their_stamps_also_if_their_destructor_panics() {
        let handle = KeyHandle::new(Fragile(true));
        let before = handle.revision().current();
        assert!(catch_unwind(AssertUnwindSafe(|| handle.replace(Fragile(false)))).is_err());
        assert!(!handle.load().0);
        assert_ne!(handle.revision().current(), before);
    }
}

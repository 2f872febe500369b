//! Private keys in PEM by algorithm, and a provider with all of them.

use std::sync::OnceLock;

use tower_jwt_auth_tests::servers::{OidcProvider, ProviderKey};

pub(crate) const ED25519: &str = include_str!("../../keys/ed25519.pem");
pub(crate) const ED25519_OTHER: &str = include_str!("../../keys/ed25519-other.pem");
pub(crate) const P256: &str = include_str!("../../keys/p256.pem");
pub(crate) const P256_OTHER: &str = include_str!("../../keys/p256-other.pem");
pub(crate) const RSA: &str = include_str!("../../keys/rsa.pem");
const P384: &str = include_str!("../../keys/p384.pem");
const P521: &str = include_str!("../../keys/p521.pem");

/// The algorithms of key pairs that the provider and the library have, with a key for each.
pub(crate) const SUPPORTED: [(&str, &str); 11] = [
    ("ES256", P256),
    ("ES384", P384),
    ("ES512", P521),
    ("EdDSA", ED25519),
    ("Ed25519", ED25519),
    ("RS256", RSA),
    ("RS384", RSA),
    ("RS512", RSA),
    ("PS256", RSA),
    ("PS384", RSA),
    ("PS512", RSA),
];

/// The algorithms that the provider has in new versions of Node.js alone.
pub(crate) const ML_DSA: [(&str, &str); 3] = [
    ("ML-DSA-44", include_str!("../../keys/mldsa44.pem")),
    ("ML-DSA-65", include_str!("../../keys/mldsa65.pem")),
    ("ML-DSA-87", include_str!("../../keys/mldsa87.pem")),
];

/// Returns the provider that the tests share. The id of each key is its algorithm.
pub(crate) fn provider() -> Option<&'static OidcProvider> {
    static SHARED: OnceLock<Option<OidcProvider>> = OnceLock::new();
    let keys = || {
        let keys =
            SUPPORTED.into_iter().map(|(alg, pem)| ProviderKey::new(alg, pem).with_algorithm(alg));
        OidcProvider::start(&keys.collect::<Vec<_>>())
    };
    SHARED.get_or_init(keys).as_ref()
}

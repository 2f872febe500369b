use serde_json::Value;
use tower_jwt_auth_tests::servers::{OidcProvider, ProviderKey};
use tower_jwt_auth_tests::token_builder::decode;

use crate::client::{client_token, jwks, resource};
use crate::service::{Service, discover};
use crate::test_keys::{P256, RSA, SUPPORTED, provider};

#[tokio::test]
async fn tokens_of_each_algorithm_are_accepted() {
    let Some(provider) = provider() else { return };
    let keys = discover(provider).await;
    for (algorithm, _) in SUPPORTED {
        let audience = resource(algorithm);
        let service = Service::new(provider, &audience, keys.clone());
        let token = client_token(provider, &audience).await;
        let header = decode(&token, 0);
        assert_eq!((&header["alg"], &header["typ"]), (&algorithm.into(), &"at+jwt".into()));
        assert_eq!(service.accepts(&token).await, "service: read");
    }
    assert_eq!(keys.status().fetches(), 1);
}

/// The JWK of an RSA key may have no `alg` (RFC 7517 §4.4).
#[tokio::test]
async fn tokens_of_each_rsa_algorithm_are_accepted_with_one_key_without_alg() {
    let keys = [ProviderKey::new("rsa", RSA), ProviderKey::new("other", P256)];
    let Some(provider) = OidcProvider::start(&keys) else { return };
    let set: Value = serde_json::from_str(&jwks(&provider).await).unwrap();
    let key = &set["keys"][0];
    assert_eq!((&key["kid"], key.get("alg")), (&"rsa".into(), None));
    let keys = discover(&provider).await;
    for algorithm in ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] {
        let audience = resource(algorithm);
        let service = Service::new(&provider, &audience, keys.clone());
        let token = client_token(&provider, &audience).await;
        let header = decode(&token, 0);
        assert_eq!((&header["alg"], &header["kid"]), (&algorithm.into(), &"rsa".into()));
        assert_eq!(service.accepts(&token).await, "service: read");
    }
    assert_eq!(keys.status().fetches(), 1);
}

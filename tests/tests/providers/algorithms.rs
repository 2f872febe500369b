use tower_jwt_auth::tokens::TokenError;
use tower_jwt_auth_tests::token_builder::decode;

use crate::client::{client_token, resource};
use crate::service::{Service, discover};
use crate::test_keys::{SUPPORTED, UNSUPPORTED, provider};

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

#[tokio::test]
async fn tokens_of_unsupported_algorithms_are_rejected_without_a_fetch() {
    let Some(provider) = provider() else { return };
    let keys = discover(provider).await;
    for (algorithm, _) in UNSUPPORTED {
        let audience = resource(algorithm);
        let service = Service::new(provider, &audience, keys.clone());
        let token = client_token(provider, &audience).await;
        assert_eq!(decode(&token, 0)["alg"], algorithm);
        assert_eq!(service.rejects(&token).await, TokenError::Algorithm);
    }
    assert_eq!(keys.status().fetches(), 1);
}

use std::net::{SocketAddr, TcpStream};

use serde_json::Value;
use tower_jwt_auth_tests::servers::{OidcProvider, ProviderKey};

use crate::is_alive;

const ONE: &str = include_str!("../../keys/ed25519.pem");
const OTHER: &str = include_str!("../../keys/ed25519-other.pem");

/// Returns the ids of the published keys.
fn key_ids(provider: &OidcProvider) -> Vec<String> {
    let set: Value = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.get(format!("{}/jwks", provider.issuer()));
        request.send().await.unwrap().json().await.unwrap()
    });
    let keys = set["keys"].as_array().unwrap();
    assert!(keys.iter().all(|key| key["d"].is_null()), "a private key is published");
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn is_up(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_ok()
}

#[test]
fn a_provider_changes_its_keys_and_comes_back_at_the_same_address() {
    let Some(mut provider) = OidcProvider::start(&[ProviderKey::new("one", ONE)]) else { return };
    assert_eq!(key_ids(&provider), ["one"]);
    provider.rotate(&[ProviderKey::new("two", OTHER), ProviderKey::new("one", ONE)]);
    assert_eq!(key_ids(&provider), ["two", "one"]);

    let (pid, address) = (provider.pid(), provider.address());
    provider.kill();
    assert!(!is_alive(pid) && !is_up(address));
    provider.start_again(&[ProviderKey::new("three", OTHER)]);
    assert_eq!((provider.address(), key_ids(&provider)), (address, vec!["three".to_owned()]));
    assert_ne!(provider.pid(), pid);

    let (pid, directory) = (provider.pid(), provider.dir().parent().unwrap().to_owned());
    drop(provider);
    assert!(!is_alive(pid) && !directory.exists());
}

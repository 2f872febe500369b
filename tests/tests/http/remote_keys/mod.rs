//! Tokens of issuers whose keys are fetched.

mod flood;
mod issuers;
mod unavailable;
mod unknown_key;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use jsonwebtoken::EncodingKey;
use tower::{BoxError, service_fn};
use tower_jwt_auth::keys::{RemoteKeySet, RemoteKeySetBuilder};
use tower_jwt_auth::store::ManualClock;
use tower_jwt_auth::{
    Algorithm, JwtAuthLayer, KeySet, RevocationList, SigningKey, TrustedIssuer, Verifier,
};
use tower_jwt_auth_tests::harness::START;
use tower_jwt_auth_tests::token_builder::TokenBuilder;
use tower_jwt_auth_tests::{AUDIENCE, TokenSigner};

/// An issuer with a key pair that can change, and a JWK set URL.
#[derive(Clone)]
struct Provider {
    name: String,
    shared: Arc<Shared>,
}

struct Shared {
    keys: Mutex<Vec<ProviderKey>>,
    /// Whether the provider responds at all.
    is_up: Mutex<bool>,
    fetches: AtomicUsize,
    /// The time until a response, under paused time.
    delay: Mutex<Duration>,
}

struct ProviderKey {
    id: String,
    signing_key: SigningKey,
    signer: Arc<TokenSigner>,
}

impl Provider {
    fn new(name: &str) -> Self {
        let shared = Shared {
            keys: Mutex::default(),
            is_up: Mutex::new(true),
            fetches: AtomicUsize::new(0),
            delay: Mutex::default(),
        };
        let provider = Self { name: name.to_owned(), shared: Arc::new(shared) };
        provider.add_key("first");
        provider
    }

    /// Publishes another key.
    fn add_key(&self, id: &str) {
        let pem = SigningKey::generate_pem().unwrap();
        let signing_key = SigningKey::from_pem(Algorithm::EdDSA, pem.as_bytes()).unwrap();
        let key = EncodingKey::from_ed_pem(pem.as_bytes()).unwrap();
        let signer = TokenSigner::new(jsonwebtoken::Algorithm::EdDSA, key);
        let key = ProviderKey { id: id.to_owned(), signing_key, signer: Arc::new(signer) };
        self.shared.keys.lock().unwrap().push(key);
    }

    /// Withdraws all keys.
    fn withdraw_keys(&self) {
        self.shared.keys.lock().unwrap().clear();
    }

    fn set_up(&self, is_up: bool) {
        *self.shared.is_up.lock().unwrap() = is_up;
    }

    fn set_delay(&self, delay: Duration) {
        *self.shared.delay.lock().unwrap() = delay;
    }

    fn fetches(&self) -> usize {
        self.shared.fetches.load(Ordering::SeqCst)
    }

    fn jwks(&self) -> String {
        let keys = self.shared.keys.lock().unwrap();
        let published =
            keys.iter().map(|key| key.signing_key.verifying_key().clone().with_key_id(&key.id));
        KeySet::new(published).map_or_else(|_| r#"{"keys":[]}"#.to_owned(), |set| set.to_jwks())
    }

    /// Returns the builder of a remote key set that reaches the provider without a network.
    fn remote(&self) -> RemoteKeySetBuilder {
        let provider = self.clone();
        let client = service_fn(move |_: Request<Full<Bytes>>| {
            let provider = provider.clone();
            async move {
                provider.shared.fetches.fetch_add(1, Ordering::SeqCst);
                let delay = *provider.shared.delay.lock().unwrap();
                tokio::time::sleep(delay).await;
                if !*provider.shared.is_up.lock().unwrap() {
                    return Err(BoxError::from("the provider is down"));
                }
                Ok(Response::new(Full::<Bytes>::from(provider.jwks())))
            }
        });
        RemoteKeySet::from_jwks_url(&format!("{}/jwks", self.name)).client(client)
    }

    /// Returns the signer of a key and the header and claims of a good token of this provider.
    fn token(&self, key_id: &str) -> Token {
        let keys = self.shared.keys.lock().unwrap();
        let key = keys.iter().find(|key| key.id == key_id).expect("a key of the provider");
        let builder = TokenBuilder::access("EdDSA", key_id).claim("iss", self.name.as_str());
        Token { builder, signer: Arc::clone(&key.signer) }
    }
}

struct Token {
    builder: TokenBuilder,
    signer: Arc<TokenSigner>,
}

impl Token {
    fn sign(&self) -> String {
        self.builder.sign(&self.signer)
    }

    /// Returns a token with another key id and the same signature key.
    fn with_key_id(&self, key_id: &str) -> String {
        self.builder.clone().header("kid", key_id).sign(&self.signer)
    }
}

fn trust(provider: &Provider, keys: RemoteKeySet) -> TrustedIssuer {
    TrustedIssuer::new(provider.name.as_str(), AUDIENCE, keys).unwrap()
}

fn layer(verifier: Verifier) -> JwtAuthLayer {
    JwtAuthLayer::new(verifier, RevocationList::none()).with_clock(ManualClock::at(START))
}

/// The status for an honest token that is verified.
const OK: StatusCode = StatusCode::OK;
const UNAUTHORIZED: StatusCode = StatusCode::UNAUTHORIZED;
const UNAVAILABLE: StatusCode = StatusCode::SERVICE_UNAVAILABLE;

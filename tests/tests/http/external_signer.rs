//! A signing key outside of the process.

use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::StatusCode;
use jsonwebtoken::EncodingKey;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tower_jwt_auth::auth::AuthError;
use tower_jwt_auth::keys::{SIGNER_TIMEOUT, Signer};
use tower_jwt_auth::sessions::SessionError;
use tower_jwt_auth::tokens::IssueError;
use tower_jwt_auth::{Algorithm, SigningKey, async_trait};
use tower_jwt_auth_tests::{Harness, TokenSigner};

/// The behaviour of the task that signs.
#[derive(Clone, Copy)]
enum Mode {
    Sign,
    SignAfter(Duration),
    Fail,
    /// Signs with another key.
    OtherKey,
    /// Ends without an answer.
    Leave,
}

type Request = (Vec<u8>, oneshot::Sender<Result<Vec<u8>, String>>);

/// A key that a task has, as a key service would.
#[derive(Clone)]
struct KeyService {
    requests: mpsc::UnboundedSender<Request>,
    mode: Arc<Mutex<Mode>>,
    calls: Arc<AtomicUsize>,
}

impl KeyService {
    /// Starts the task, and returns a harness that signs with it.
    fn harness() -> (Self, Harness) {
        let generate = || SigningKey::generate_pem().unwrap();
        let (pem, other) = (generate(), generate());
        let signer = |pem: &str| {
            let key = EncodingKey::from_ed_pem(pem.as_bytes()).unwrap();
            TokenSigner::new(jsonwebtoken::Algorithm::EdDSA, key)
        };
        let (signer, other_signer) = (signer(&pem), signer(&other));
        let (requests, mut incoming) = mpsc::unbounded_channel::<Request>();
        let mode = Arc::new(Mutex::new(Mode::Sign));
        let present = Arc::clone(&mode);
        tokio::spawn(async move {
            while let Some((message, response)) = incoming.recv().await {
                let mode = *present.lock().unwrap();
                if let Mode::SignAfter(delay) = mode {
                    tokio::time::sleep(delay).await;
                }
                let message = std::str::from_utf8(&message).unwrap();
                let _ = response.send(match mode {
                    Mode::Sign | Mode::SignAfter(_) => Ok(signer.signature(message)),
                    Mode::OtherKey => Ok(other_signer.signature(message)),
                    Mode::Fail => Err("the key service is down".to_owned()),
                    Mode::Leave => continue,
                });
            }
        });
        let public = SigningKey::from_pem(Algorithm::EdDSA, pem.as_bytes()).unwrap();
        let service = Self { requests, mode, calls: Arc::default() };
        let key = SigningKey::from_signer(public.verifying_key().clone(), service.clone());
        (service, Harness::with_key(key))
    }

    fn set(&self, mode: Mode) {
        *self.mode.lock().unwrap() = mode;
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Signer for KeyService {
    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let (response, signature) = oneshot::channel();
        self.requests.send((message.to_owned(), response))?;
        Ok(signature.await??)
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_service_signs_access_tokens_and_verifies_none() {
    let (service, harness) = KeyService::harness();
    let tokens = harness.sign_in().await;
    assert_eq!(service.calls(), 1);
    assert_eq!(harness.call(tokens.access().as_str()).await.status, StatusCode::OK);
    let response = harness.refresh(tokens.refresh().as_str()).await;
    assert_eq!(harness.call(&response.access_token()).await.status, StatusCode::OK);
    assert_eq!(service.calls(), 2, "one call for each access token");
}

#[tokio::test(start_paused = true)]
async fn a_signature_may_be_late_within_the_timeout() {
    let (service, harness) = KeyService::harness();
    service.set(Mode::SignAfter(SIGNER_TIMEOUT - Duration::from_millis(1)));
    let tokens = harness.sign_in().await;
    assert_eq!(harness.call(tokens.access().as_str()).await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_sign_in_fails_with_503_while_the_signer_is_unavailable_and_leaves_no_session() {
    let (service, harness) = KeyService::harness();
    for mode in [Mode::Fail, Mode::Leave, Mode::SignAfter(SIGNER_TIMEOUT * 2)] {
        service.set(mode);
        let begun = Instant::now();
        let error = harness.sessions.start(Harness::alice()).await.unwrap_err();
        assert!(begun.elapsed() <= SIGNER_TIMEOUT);
        assert!(
            matches!(error, SessionError::Issue(IssueError::SignerUnavailable(_))),
            "{error:?}"
        );
        assert_eq!(AuthError::from(&error).status(), StatusCode::SERVICE_UNAVAILABLE);
        let page = harness.sessions.list("alice", None).await.unwrap();
        assert!(page.sessions.is_empty());
        tokio::time::sleep(SIGNER_TIMEOUT * 2).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_refresh_returns_the_successor_while_the_signer_is_unavailable() {
    let (service, harness) = KeyService::harness();
    let tokens = harness.sign_in().await;
    for mode in [Mode::Fail, Mode::SignAfter(SIGNER_TIMEOUT * 2)] {
        service.set(mode);
        harness.advance(60);
        let response = harness.refresh(tokens.refresh().as_str()).await;
        response.assert_refused(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable");
        assert_eq!(response.header("retry-after"), Some("1"));
        let successor = response.cookie_value().unwrap().to_owned();

        tokio::time::sleep(SIGNER_TIMEOUT * 2).await;
        service.set(Mode::Sign);
        // Both the successor and the token before it are accepted.
        for token in [&successor, tokens.refresh().as_str()] {
            let response = harness.refresh(token).await;
            assert_eq!(response.status, StatusCode::OK);
            assert_eq!(harness.call(&response.access_token()).await.status, StatusCode::OK);
        }
        if matches!(mode, Mode::Fail) {
            // The next round presents the same token again, within its late retry.
            harness.advance(1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_logout_needs_no_signer() {
    let (service, harness) = KeyService::harness();
    let tokens = harness.sign_in().await;
    service.set(Mode::Fail);
    let calls = service.calls();
    assert_eq!(harness.logout(tokens.refresh().as_str()).await.status, StatusCode::NO_CONTENT);
    let response = harness.call(tokens.access().as_str()).await;
    response.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
    assert_eq!(service.calls(), calls);
}

#[tokio::test(start_paused = true)]
async fn a_token_with_the_signature_of_another_key_is_not_issued() {
    let (service, harness) = KeyService::harness();
    let tokens = harness.sign_in().await;
    service.set(Mode::OtherKey);
    let error = harness.sessions.start(Harness::alice()).await.unwrap_err();
    assert!(matches!(error, SessionError::Issue(IssueError::SignerMismatch)), "{error:?}");
    assert_eq!(AuthError::from(&error).status(), StatusCode::INTERNAL_SERVER_ERROR);
    let response = harness.refresh(tokens.refresh().as_str()).await;
    response.assert_refused(StatusCode::INTERNAL_SERVER_ERROR, "server_error");
    let successor = response.cookie_value().unwrap().to_owned();
    service.set(Mode::Sign);
    assert_eq!(harness.refresh(&successor).await.status, StatusCode::OK);
}

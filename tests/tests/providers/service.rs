//! A service that requires the tokens of a provider.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::keys::{KeySource, RemoteKeySet, RemoteKeySetBuilder};
use tower_jwt_auth::tokens::TokenError;
use tower_jwt_auth::{AuthError, Identity, JwtAuthLayer, RevocationList, TrustedIssuer, Verifier};
use tower_jwt_auth_tests::servers::OidcProvider;
use tower_jwt_auth_tests::{TestResponse, log_capture};

/// The minimum of all intervals.
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// A service behind a [`JwtAuthLayer`]. It responds with the subject and the scope.
#[derive(Clone)]
pub(crate) struct Service {
    auth: JwtAuthLayer,
}

impl Service {
    /// Creates a service that trusts the tokens of the provider for one audience.
    pub(crate) fn new(provider: &OidcProvider, audience: &str, keys: impl Into<KeySource>) -> Self {
        Self::trusting(TrustedIssuer::new(provider.issuer(), audience, keys).unwrap())
    }

    pub(crate) fn trusting(trusted: TrustedIssuer) -> Self {
        log_capture::install();
        Self { auth: JwtAuthLayer::new(Verifier::new(trusted), RevocationList::none()) }
    }

    /// Sends a request with a token.
    pub(crate) async fn call(&self, token: &str) -> TestResponse {
        let request = Request::get("/").header("authorization", format!("Bearer {token}"));
        let request = request.body(()).unwrap();
        TestResponse::read(self.auth.layer(service_fn(respond)).oneshot(request).await.unwrap())
            .await
    }

    /// Checks that a token is accepted, and returns the text of the service.
    #[track_caller]
    pub(crate) fn accepts(&self, token: &str) -> impl Future<Output = String> {
        let caller = std::panic::Location::caller();
        async move {
            let response = self.call(token).await;
            let reason = response.extensions.get::<AuthError>();
            assert_eq!(response.status, StatusCode::OK, "{reason:?} at {caller}");
            String::from_utf8(response.body.to_vec()).unwrap()
        }
    }

    /// Checks that a token is rejected, and returns the reason.
    #[track_caller]
    pub(crate) fn rejects(&self, token: &str) -> impl Future<Output = TokenError> {
        let caller = std::panic::Location::caller();
        async move {
            let mut response = self.call(token).await;
            assert_eq!(response.status, StatusCode::UNAUTHORIZED, "at {caller}");
            match response.extensions.remove::<AuthError>() {
                Some(AuthError::Token(error)) => error,
                other => panic!("{other:?} at {caller}"),
            }
        }
    }
}

async fn respond(request: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
    let identity = request.extensions().get::<Identity>().unwrap();
    let text = format!("{}: {}", identity.subject(), identity.scope());
    Ok(Response::new(Full::from(text)))
}

/// Discovers the keys of a provider, which must be up.
pub(crate) async fn discover(provider: &OidcProvider) -> RemoteKeySet {
    discover_with(provider, |builder| builder).await
}

/// Discovers the keys of a provider, which must be up, with other settings.
pub(crate) async fn discover_with(
    provider: &OidcProvider,
    set: impl FnOnce(RemoteKeySetBuilder) -> RemoteKeySetBuilder,
) -> RemoteKeySet {
    log_capture::install();
    let keys = set(RemoteKeySet::discover(&provider.issuer())).build().unwrap();
    tokio::time::timeout(30 * SECOND, keys.ready()).await.expect("the provider is up");
    keys
}

//! A layer that checks tokens, and tokens for it.

use std::sync::Arc;

use http::StatusCode;
use tower_jwt_auth::store::ManualClock;
use tower_jwt_auth::tokens::TokenError;
use tower_jwt_auth::{
    Algorithm, AuthError, JwtAuthLayer, KeySet, RevocationList, Timestamp, TrustedIssuer, Verifier,
};
use tower_jwt_auth_tests::harness::{Profile, call_behind, reason};
use tower_jwt_auth_tests::token_builder::TokenBuilder;
use tower_jwt_auth_tests::{AUDIENCE, Harness, ISSUER, START, TokenSigner, log_capture};

use super::test_keys::{signer, signing_key, verifying_key};

pub(crate) const KEY_ID: &str = "key";

/// A layer with a manual clock, and the signer and builder of tokens for it.
pub(crate) struct Fixture {
    pub(crate) auth: JwtAuthLayer<Profile>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) signer: TokenSigner,
    pub(crate) builder: TokenBuilder,
}

impl Fixture {
    /// Creates a layer for its own issuer.
    pub(crate) async fn own() -> Self {
        Self::own_for(Algorithm::HS256).await
    }

    pub(crate) async fn own_for(algorithm: Algorithm) -> Self {
        let harness = Harness::with_key(signing_key(algorithm).with_key_id(KEY_ID));
        let builder = TokenBuilder::access(algorithm.as_str(), KEY_ID);
        let signer = signer(algorithm);
        Self { auth: harness.auth, clock: harness.clock, signer, builder }.checked().await
    }

    /// Creates a layer that trusts another issuer with this configuration.
    pub(crate) async fn foreign(trust: impl FnOnce(TrustedIssuer) -> TrustedIssuer) -> Self {
        let keys = KeySet::new([verifying_key(Algorithm::HS256).with_key_id(KEY_ID)]).unwrap();
        Self::trusting(Verifier::new(trust(TrustedIssuer::new(ISSUER, AUDIENCE, keys).unwrap())))
            .checked()
            .await
    }

    pub(crate) fn trusting(verifier: Verifier) -> Self {
        log_capture::install();
        let clock = Arc::new(ManualClock::at(START));
        let auth = JwtAuthLayer::new(verifier.with_claims::<Profile>(), RevocationList::none())
            .with_clock(clock.clone());
        let builder = TokenBuilder::access("HS256", KEY_ID);
        Self { auth, clock, signer: signer(Algorithm::HS256), builder }
    }

    /// Checks that the unchanged token is accepted, so that a later refusal is due to the change of the test.
    pub(crate) async fn checked(self) -> Self {
        self.accepts(&self.builder).await;
        self
    }

    pub(crate) fn builder(&self) -> TokenBuilder {
        self.builder.clone()
    }

    /// Sets the clock to this number of milliseconds after [`START`].
    pub(crate) fn at_millis(&self, millis: i64) {
        self.clock.set(Timestamp::from_unix_millis(START.unix_millis() + millis));
    }

    pub(crate) async fn accepts(&self, builder: &TokenBuilder) {
        self.accepts_token(&builder.sign(&self.signer)).await;
    }

    pub(crate) async fn refuses(&self, builder: &TokenBuilder, error: TokenError) {
        let token = format!("{} {}", builder.header_json(), builder.claims_json());
        assert_eq!(self.refusal(&builder.sign(&self.signer)).await, error, "{token}");
    }

    pub(crate) async fn accepts_token(&self, token: &str) {
        let response = call_behind(&self.auth, token).await;
        let error = response.extensions.get::<AuthError>();
        assert_eq!((response.status, error), (StatusCode::OK, None));
        assert_eq!(response.body, "alice is Alice");
    }

    /// Returns the reason of a refusal, which is a 401 with `invalid_token` and does not show the reason to the client.
    pub(crate) async fn refusal(&self, token: &str) -> TokenError {
        let response = call_behind(&self.auth, token).await;
        response.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
        match reason(&response) {
            AuthError::Token(error) => error,
            other => panic!("{other}"),
        }
    }

    /// Checks that a token is refused. Unlike [`Self::refuses`], the token need not be JSON or base64url.
    pub(crate) async fn refuses_token(&self, token: &str, error: TokenError) {
        assert_eq!(self.refusal(token).await, error, "{token}");
    }
}

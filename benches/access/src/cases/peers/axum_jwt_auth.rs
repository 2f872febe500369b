//! `axum-jwt-auth` with jsonwebtoken 10. It is an extractor of axum, and has the backend `rust_crypto` unless the
//! application installs another one.

use std::cell::Cell;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use axum_jwt_auth::{Claims, Decoder, LocalDecoder};
use jsonwebtoken_10::crypto::{CryptoProvider, aws_lc, rust_crypto};
use jsonwebtoken_10::jwk::JwkSet;
use jsonwebtoken_10::{Algorithm, DecodingKey, Validation};

use crate::BoxError;
use crate::case::{Case, ServiceCase};
use crate::keys::Key;
use crate::tokens::{AUDIENCE, AccessClaims, ISSUER, Token};

thread_local! {
    static USES_AWS_LC: Cell<bool> = const { Cell::new(false) };
}

/// The provider of this process, which decides by thread.
static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: rust_crypto::DEFAULT_PROVIDER.signer_factory,
    verifier_factory: |algorithm, key| {
        let provider = match USES_AWS_LC.get() {
            true => &aws_lc::DEFAULT_PROVIDER,
            false => &rust_crypto::DEFAULT_PROVIDER,
        };
        (provider.verifier_factory)(algorithm, key)
    },
    jwk_utils: jsonwebtoken_10::crypto::JwkUtils::new_unimplemented(),
};

pub(super) fn router(key: &Key) -> Result<Option<Router>, BoxError> {
    let Ok(algorithm) = key.algorithm().as_str().parse::<Algorithm>() else { return Ok(None) };
    // An error means that it is installed already.
    let _ = PROVIDER.install_default();
    let jwks: JwkSet = serde_json::from_str(&key.jwks()?)?;
    let keys = jwks.keys.iter().map(DecodingKey::from_jwk).collect::<Result<_, _>>()?;
    let mut validation = Validation::new(algorithm);
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&[ISSUER]);
    let decoder: Decoder<AccessClaims> = Arc::new(LocalDecoder::new(keys, validation)?);
    let handler = async |_: Claims<AccessClaims>| {};
    Ok(Some(Router::new().route("/", get(handler)).with_state(decoder)))
}

/// Chooses the backend before each run.
struct WithBackend<C> {
    inner: C,
    uses_aws_lc: bool,
}

impl<C: Case> Case for WithBackend<C> {
    fn prepare(&mut self, tokens: &[Token]) {
        self.inner.prepare(tokens);
    }

    fn run(&mut self) -> usize {
        USES_AWS_LC.set(self.uses_aws_lc);
        self.inner.run()
    }
}

pub(super) fn case(key: &Key, uses_aws_lc: bool) -> Result<Option<Box<dyn Case>>, BoxError> {
    let Some(router) = router(key)? else { return Ok(None) };
    Ok(Some(Box::new(WithBackend { inner: ServiceCase::new(router), uses_aws_lc })))
}

//! Tokens of issuers that do not follow RFC 9068, and the settings that accept them.

mod audience;
mod header;
mod length;
mod lifetime;
mod malformed;
mod partner;
mod providers;
mod scopes;
mod settings;

use tower_jwt_auth::{Algorithm, KeySet, TrustedIssuer, Verifier};
use tower_jwt_auth_tests::{AUDIENCE, ISSUER};

use super::access_token::fixture::{Fixture, KEY_ID};
use super::access_token::test_keys::verifying_key;

fn trusted() -> TrustedIssuer {
    let keys = KeySet::new([verifying_key(Algorithm::HS256).with_key_id(KEY_ID)]).unwrap();
    TrustedIssuer::new(ISSUER, AUDIENCE, keys).unwrap()
}

/// Creates a layer for the issuer with these rules.
fn fixture(rules: impl FnOnce(TrustedIssuer) -> TrustedIssuer) -> Fixture {
    Fixture::trusting(Verifier::new(rules(trusted())))
}

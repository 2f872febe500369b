//! Invalid configurations are errors that say what to change.

use std::time::Duration;

use tower_jwt_auth::{
    Algorithm, ConfigError, Issuer, KeySet, RefreshSecrets, RequireScopeLayer, RotationPolicy,
    SigningKey, TrustedIssuer,
};
use tower_jwt_auth_tests::harness::REFRESH_SECRET;
use tower_jwt_auth_tests::{AUDIENCE, Harness, ISSUER};

use crate::access_token::test_keys::{signing_key, verifying_key};

pub(crate) fn issuer() -> Issuer {
    Issuer::new(ISSUER, AUDIENCE, SigningKey::generate().unwrap()).unwrap()
}

#[tokio::test]
async fn an_invalid_configuration_is_an_error_that_says_what_to_change() {
    let harness = Harness::new();
    let policy = |policy| harness.builder.clone().rotation(policy).build().map(|_| ());
    let day = Duration::from_secs(24 * 3600);
    let errors = [
        policy(RotationPolicy::default().with_idle(100 * day)),
        policy(RotationPolicy::default().with_idle(Duration::ZERO)),
        policy(RotationPolicy::default().with_absolute(Duration::MAX)),
        policy(RotationPolicy::default().with_grace(Duration::from_secs(300))),
        issuer().with_access_lifetime(Duration::ZERO).map(|_| ()),
        issuer().with_access_lifetime(2 * day).map(|_| ()),
        issuer().with_access_lifetime(Duration::from_millis(1500)).map(|_| ()),
        issuer().with_client_id("").map(|_| ()),
        Issuer::new("", AUDIENCE, SigningKey::generate().unwrap()).map(|_| ()),
        Issuer::new(ISSUER, "", SigningKey::generate().unwrap()).map(|_| ()),
        RefreshSecrets::new(&[1; 31]).map(|_| ()),
        RefreshSecrets::new(&[1; 32]).map(|_| ()),
        RefreshSecrets::new(&REFRESH_SECRET).unwrap().with_previous(&REFRESH_SECRET).map(|_| ()),
        harness.auth.clone().with_realm("").map(|_| ()),
        RequireScopeLayer::new("").map(|_| ()),
        RequireScopeLayer::new("a\"b").map(|_| ()),
    ];
    for error in errors {
        let error = error.expect_err("the configuration should be invalid").to_string();
        assert!(error.len() > 30, "{error}");
    }
}

#[test]
fn invalid_names_and_times_are_refused() {
    let key = || signing_key(Algorithm::HS256);
    let keys = || KeySet::new([verifying_key(Algorithm::HS256)]).unwrap();
    for bad in ["", "a\nb", "\0"] {
        for error in [
            Issuer::new(bad, AUDIENCE, key()).unwrap_err(),
            Issuer::new(ISSUER, bad, key()).unwrap_err(),
            TrustedIssuer::new(bad, AUDIENCE, keys()).unwrap_err(),
            TrustedIssuer::new(ISSUER, bad, keys()).unwrap_err(),
        ] {
            assert!(matches!(error, ConfigError::Name { .. }), "{error}");
            let text = error.to_string();
            assert!(text.contains("issuer") || text.contains("audience"), "{text}");
        }
    }
    let issuer = || Issuer::new(ISSUER, AUDIENCE, key()).unwrap();
    for given in [0, 999, 1500, 24 * 3600 * 1000 + 1000].map(Duration::from_millis) {
        let error = issuer().with_access_lifetime(given).unwrap_err();
        assert!(matches!(error, ConfigError::Duration { .. }), "{given:?}");
    }
}

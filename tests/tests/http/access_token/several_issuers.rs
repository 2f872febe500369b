//! A verifier that trusts several issuers.

use std::time::Duration;

use tower_jwt_auth::tokens::TokenError;
use tower_jwt_auth::{Algorithm, ConfigError, KeySet, TrustedIssuer, Verifier};
use tower_jwt_auth_tests::harness::Profile;
use tower_jwt_auth_tests::{AUDIENCE, ISSUER, TokenSigner};

use super::fixture::{Fixture, KEY_ID};
use super::header::secret_key;
use super::test_keys::{OTHER_SECRET, SECRET};

const OTHER_ISSUER: &str = "https://other.example";

#[tokio::test]
async fn each_of_several_issuers_has_its_own_keys_audience_and_leeway() {
    let trust = |issuer: &str, audience: &str, secret: &[u8]| {
        let keys = KeySet::new([secret_key(Algorithm::HS256, secret, KEY_ID)]).unwrap();
        TrustedIssuer::new(issuer, audience, keys).unwrap()
    };
    let own = trust(ISSUER, AUDIENCE, &SECRET).with_leeway(Duration::ZERO).unwrap();
    let other = trust(OTHER_ISSUER, "other", &OTHER_SECRET);
    let verifier = Verifier::new(own.clone()).and_trust(other).unwrap();
    let fixture = Fixture::trusting(verifier).checked().await;
    let others = TokenSigner::hs256(&OTHER_SECRET);
    let builder = fixture.builder().claim("iss", OTHER_ISSUER).claim("aud", "other");
    fixture.accepts_token(&builder.sign(&others)).await;
    // With the same key id or without one, the key of one issuer never verifies tokens of the other.
    for (right, wrong, builder) in
        [(&fixture.signer, &others, fixture.builder()), (&others, &fixture.signer, builder.clone())]
    {
        fixture.refuses_token(&builder.sign(wrong), TokenError::Signature).await;
        let nameless = builder.without_header("kid");
        fixture.accepts_token(&nameless.sign(right)).await;
        fixture.refuses_token(&nameless.sign(wrong), TokenError::Signature).await;
    }
    let crossed = builder.clone().claim("aud", AUDIENCE).sign(&others);
    fixture.refuses_token(&crossed, TokenError::Audience).await;
    fixture.refuses(&fixture.builder().claim("aud", "other"), TokenError::Audience).await;
    fixture.at_millis(300_000);
    fixture.refuses(&fixture.builder(), TokenError::Expired).await;
    fixture.accepts_token(&builder.sign(&others)).await;

    let error = Verifier::new(own.clone()).with_claims::<Profile>().and_trust(own).unwrap_err();
    assert_eq!(error, ConfigError::DuplicateIssuer { issuer: ISSUER.to_owned() });
    assert!(error.to_string().contains("trusted twice"), "{error}");
}

#[tokio::test]
async fn a_key_of_another_issuer_is_unknown() {
    let trust = |issuer: &str, secret: &[u8], key_id: &str| {
        let keys = KeySet::new([secret_key(Algorithm::HS256, secret, key_id)]).unwrap();
        TrustedIssuer::new(issuer, AUDIENCE, keys).unwrap()
    };
    let verifier = Verifier::new(trust(OTHER_ISSUER, &OTHER_SECRET, "others"))
        .and_trust(trust(ISSUER, &SECRET, KEY_ID))
        .unwrap();
    let fixture = Fixture::trusting(verifier).checked().await;
    let named = fixture.builder().header("kid", "others");
    fixture
        .refuses_token(&named.sign(&TokenSigner::hs256(&OTHER_SECRET)), TokenError::UnknownKey)
        .await;
    let others = named.claim("iss", OTHER_ISSUER);
    fixture.accepts_token(&others.sign(&TokenSigner::hs256(&OTHER_SECRET))).await;
}

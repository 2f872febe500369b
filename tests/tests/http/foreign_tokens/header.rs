//! The accepted types and algorithms.

use tower_jwt_auth::tokens::TokenError;
use tower_jwt_auth::{Algorithm, KeySet, TrustedIssuer, Verifier};
use tower_jwt_auth_tests::{AUDIENCE, ISSUER};

use super::super::access_token::fixture::{Fixture, KEY_ID};
use super::super::access_token::test_keys::{signer, verifying_key};
use super::fixture;

#[tokio::test]
async fn the_configured_types_are_accepted_in_any_case_and_no_others() {
    let types = ["application/Access+JWT", "jwt+at"];
    let fixture = fixture(|trusted| trusted.with_types(types).unwrap());
    for good in ["access+jwt", "ACCESS+JWT", "application/access+jwt", "Application/JWT+AT"] {
        fixture.accepts(&fixture.builder().header("typ", good)).await;
    }
    for bad in ["at+jwt", "JWT", "", "access", "text/access+jwt"] {
        fixture.refuses(&fixture.builder().header("typ", bad), TokenError::Type).await;
    }
    fixture.refuses(&fixture.builder().without_header("typ"), TokenError::Type).await;
}

#[tokio::test]
async fn a_plain_type_is_accepted_beside_the_configured_ones_and_concerns_the_type_alone() {
    let fixture = fixture(|trusted| {
        trusted.with_types(["access+jwt"]).unwrap().dangerous_allow_plain_jwt_type()
    });
    for good in ["JWT", "access+jwt"] {
        fixture.accepts(&fixture.builder().header("typ", good)).await;
    }
    fixture.refuses(&fixture.builder(), TokenError::Type).await;
    let plain = fixture.builder().without_header("typ");
    fixture.accepts(&plain).await;
    for (claim, error) in [
        ("client_id", TokenError::Missing("client_id")),
        ("iat", TokenError::Missing("iat")),
        ("jti", TokenError::Missing("jti")),
    ] {
        fixture.refuses(&plain.clone().without_claim(claim), error).await;
    }
}

#[tokio::test]
async fn only_the_configured_algorithms_are_accepted_and_before_a_key_is_chosen() {
    let keys = || {
        let key = |algorithm| verifying_key(algorithm).with_key_id(KEY_ID);
        KeySet::new([key(Algorithm::HS256), key(Algorithm::EdDSA)]).unwrap()
    };
    let trusted = || TrustedIssuer::new(ISSUER, AUDIENCE, keys()).unwrap();
    let signed = |fixture: &Fixture, algorithm: Algorithm| {
        fixture.builder().header("alg", algorithm.as_str()).sign(&signer(algorithm))
    };
    let all = Fixture::trusting(Verifier::new(trusted()));
    for algorithm in [Algorithm::HS256, Algorithm::EdDSA] {
        all.accepts_token(&signed(&all, algorithm)).await;
    }
    all.refuses_token(&signed(&all, Algorithm::ES256), TokenError::UnknownKey).await;
    let one = trusted().with_algorithms([Algorithm::EdDSA, Algorithm::RS256]).unwrap();
    let one = Fixture::trusting(Verifier::new(one));
    one.accepts_token(&signed(&one, Algorithm::EdDSA)).await;
    one.refuses_token(&signed(&one, Algorithm::HS256), TokenError::Algorithm).await;
    one.refuses_token(&signed(&one, Algorithm::ES256), TokenError::Algorithm).await;
    one.refuses_token(&signed(&one, Algorithm::RS256), TokenError::UnknownKey).await;
}

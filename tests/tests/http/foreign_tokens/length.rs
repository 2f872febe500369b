//! The maximum length of a token.

use http::StatusCode;
use tower_jwt_auth::tokens::{RequestError, TokenError};
use tower_jwt_auth::{AuthError, TokenSource, Verifier};
use tower_jwt_auth_tests::START;
use tower_jwt_auth_tests::harness::{call_behind, reason, request, send_to};

use super::super::access_token::fixture::Fixture;
use super::trusted;

fn token_of_length(length: usize, fixture: &Fixture) -> String {
    let with = |pad: usize, more: usize| {
        let builder = fixture.builder().header("pad", "h".repeat(more));
        builder.claim("pad", "c".repeat(pad)).sign(&fixture.signer)
    };
    (0..8)
        .flat_map(|more| {
            let about = (length - with(0, more).len()) / 4 * 3;
            (0..8).map(move |rest| (about + rest, more))
        })
        .map(|(pad, more)| with(pad, more))
        .find(|token| token.len() == length)
        .expect("a token of this length")
}

#[tokio::test]
async fn the_layer_and_the_verifier_have_the_same_maximum() {
    for max in [2000, 65_536] {
        let verifier = Verifier::new(trusted()).with_max_token_length(max).unwrap();
        let mut fixture = Fixture::trusting(verifier.clone());
        let source = TokenSource::authorization_header().or_cookie("token").unwrap();
        fixture.auth = fixture.auth.with_source(source);
        let (longest, long) = (token_of_length(max, &fixture), token_of_length(max + 1, &fixture));
        fixture.accepts_token(&longest).await;
        assert!(verifier.verify(&longest, START).is_ok());
        assert_eq!(verifier.verify(&long, START).unwrap_err(), TokenError::TooLong);
        let in_cookie = request("GET", &[("cookie", &format!("token={long}"))]);
        let inner = tower::service_fn(tower_jwt_auth_tests::harness::echo);
        // Its characters are not read either: these are not those of a token.
        let garbage = "\"".repeat(max + 1);
        for response in [
            call_behind(&fixture.auth, &long).await,
            call_behind(&fixture.auth, &garbage).await,
            send_to(tower::Layer::layer(&fixture.auth, inner), in_cookie).await,
        ] {
            response.assert_refused(StatusCode::BAD_REQUEST, "invalid_request");
            assert_eq!(reason(&response), RequestError::TooLong.into());
        }
    }
}

#[tokio::test]
async fn the_default_is_8_kib() {
    let fixture = Fixture::trusting(Verifier::new(trusted()));
    fixture.accepts_token(&token_of_length(8192, &fixture)).await;
    let long = token_of_length(8193, &fixture);
    let error = Verifier::new(trusted()).verify(&long, START).unwrap_err();
    assert_eq!(error, TokenError::TooLong);
    // A handler that verifies tokens itself gives the same response as the layer.
    let error = AuthError::from(error);
    assert_eq!(error, RequestError::TooLong.into());
    assert_eq!(error.status(), StatusCode::BAD_REQUEST);
}

//! The size of a token.

use tower_jwt_auth::tokens::RequestError;
use tower_jwt_auth::{SigningKey, TokenSource};
use tower_jwt_auth_tests::token_builder::TokenBuilder;
use tower_jwt_auth_tests::{Harness, TokenSigner};

use super::{ALICE, COOKIE, assert_accepted, assert_bad_request, at, bearer, send_optional};

/// Returns a valid token of exactly this length.
fn token_of_length(length: usize, harness: &Harness, signer: &TokenSigner) -> String {
    for padding in 0..8 {
        let builder =
            TokenBuilder::access("HS256", harness.key.key_id()).header("pad", "h".repeat(padding));
        let bare = builder.clone().claim("pad", "").sign(signer).len();
        let about = (length - bare) / 4 * 3;
        for more in 0..8 {
            let token = builder.clone().claim("pad", "c".repeat(about + more)).sign(signer);
            if token.len() == length {
                return token;
            }
        }
    }
    panic!("no token has {length} bytes");
}

#[tokio::test]
async fn an_otherwise_valid_token_beyond_8_kib_is_a_bad_request() {
    let secret = *b"the secret of some access tokens";
    let key = SigningKey::from_secret(tower_jwt_auth::Algorithm::HS256, &secret).unwrap();
    let (mut harness, signer) = (Harness::with_key(key), TokenSigner::hs256(&secret));
    assert_accepted(&harness.call(&token_of_length(8192, &harness, &signer)).await, ALICE);
    for length in [8193, 9 * 1024] {
        let token = token_of_length(length, &harness, &signer);
        assert_bad_request(&harness.call(&token).await, RequestError::TooLong);
        let response =
            send_optional(&harness, at("/", &[("authorization", &bearer(&token))])).await;
        assert_bad_request(&response, RequestError::TooLong);
    }
    let source = TokenSource::authorization_header().or_cookie(COOKIE).unwrap();
    harness.auth = harness.auth.with_source(source.dangerous_or_query());
    let (longest, token) =
        (token_of_length(8192, &harness, &signer), token_of_length(8193, &harness, &signer));
    for (token, fits) in [(longest, true), (token, false)] {
        for request in [
            at(&format!("/?access_token={token}"), &[]),
            at("/", &[("cookie", &format!("{COOKIE}={token}"))]),
        ] {
            let response = harness.send(request).await;
            if fits {
                assert_accepted(&response, ALICE);
            } else {
                assert_bad_request(&response, RequestError::TooLong);
            }
        }
    }
}

#[tokio::test]
async fn an_oversized_header_is_refused_before_it_is_decoded() {
    let harness = Harness::new();
    for huge in ["a".repeat(1 << 20), ".".repeat(1 << 20), "é".repeat(1 << 16)] {
        assert_bad_request(&harness.call(&huge).await, RequestError::TooLong);
    }
}

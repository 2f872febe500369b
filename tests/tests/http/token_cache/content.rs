//! A token is found by all of its bytes, and only one that was accepted is found.

use tower_jwt_auth::tokens::TokenError;
use tower_jwt_auth::{AuthError, RevocationList, Verifier};
use tower_jwt_auth_tests::ISSUER;

use super::{accepts, keeps, layer, rejection, signer, token, trusted, verifications};

#[tokio::test]
async fn a_token_that_differs_in_any_byte_is_verified() {
    let (auth, _) = layer(Verifier::new(trusted(ISSUER)), RevocationList::none());
    let good = token().sign(&signer());
    keeps(&auth, &good).await;
    for at in 0..good.len() {
        let mut other = good.clone().into_bytes();
        other[at] = if other[at] == b'A' { b'B' } else { b'A' };
        let other = String::from_utf8(other).unwrap();
        rejection(&auth, &other).await;
    }
    assert_eq!(verifications(), 0);
    accepts(&auth, &good).await;
    assert_eq!(verifications(), 0, "the good token is still in the cache");
}

/// The end of the signature, which is hashed, is that of a token in the cache.
#[tokio::test]
async fn other_claims_with_the_signature_of_a_cached_token_are_rejected() {
    let (auth, _) = layer(Verifier::new(trusted(ISSUER)), RevocationList::none());
    let good = token().sign(&signer());
    keeps(&auth, &good).await;
    let signature = good.rsplit('.').next().unwrap();
    let forged = token().claim("sub", "mallory").with_signature(signature);
    assert_eq!(rejection(&auth, &forged).await, AuthError::Token(TokenError::Signature));
    assert_eq!(rejection(&auth, &format!("x{good}")).await, AuthError::Token(TokenError::Encoding));
    assert_eq!(rejection(&auth, &good[1..]).await, AuthError::Token(TokenError::Encoding));
}

#[tokio::test]
async fn a_token_that_was_rejected_is_verified_when_it_comes_again() {
    let (auth, clock) = layer(Verifier::new(trusted(ISSUER)), RevocationList::none());
    let early = token().claim("nbf", super::START.unix_seconds() + 60).sign(&signer());
    for _ in 0..2 {
        assert_eq!(rejection(&auth, &early).await, AuthError::Token(TokenError::Early("nbf")));
    }
    clock.advance(std::time::Duration::from_secs(60));
    accepts(&auth, &early).await;
    assert_eq!(verifications(), 1);
}

//! Issuers that the application resolves, and that give their place to others.

use tower_jwt_auth::{RevocationList, Verifier};
use tower_jwt_auth_tests::ISSUER;

use super::{accepts, keeps, layer, signer, token, trusted, verifications};

fn tenant(name: &str) -> String {
    let iss = format!("https://login.example/{name}");
    token().claim("iss", iss).sign(&signer())
}

#[tokio::test]
async fn a_cached_token_is_verified_again_once_its_issuer_has_lost_its_place() {
    // Of four places, three are for issuers that have verified a token.
    let verifier =
        Verifier::new(trusted(ISSUER)).and_trust_where(4, |iss| Some(trusted(iss))).unwrap();
    let (auth, _) = layer(verifier, RevocationList::none());
    let tokens = ["a", "b", "c", "d"].map(tenant);
    for token in &tokens[..3] {
        keeps(&auth, token).await;
    }
    // A request with a cached token is a use of its issuer: b is the least recently used.
    for token in [&tokens[0], &tokens[2]] {
        accepts(&auth, token).await;
    }
    assert_eq!(verifications(), 0);
    accepts(&auth, &tokens[3]).await;
    assert_eq!(verifications(), 1);
    for token in [&tokens[0], &tokens[2]] {
        accepts(&auth, token).await;
    }
    assert_eq!(verifications(), 0, "their issuers kept their places");
    accepts(&auth, &tokens[1]).await;
    assert_eq!(verifications(), 1, "b had lost its place");
}

#[tokio::test]
async fn a_listed_issuer_takes_precedence_over_a_resolved_one_of_its_name() {
    let verifier =
        Verifier::new(trusted(ISSUER)).and_trust_where(4, |iss| Some(trusted(iss))).unwrap();
    let issuers = verifier.issuers().clone();
    let (auth, _) = layer(verifier, RevocationList::none());
    let token = tenant("a");
    keeps(&auth, &token).await;
    let other = tower_jwt_auth::TrustedIssuer::new(
        "https://login.example/a",
        "https://other.example",
        super::keys("key"),
    );
    issuers.insert(other.unwrap()).unwrap();
    super::rejection(&auth, &token).await;
}

#[tokio::test]
async fn a_resolved_issuer_that_is_removed_is_resolved_again_for_a_cached_token() {
    let verifier =
        Verifier::new(trusted(ISSUER)).and_trust_where(4, |iss| Some(trusted(iss))).unwrap();
    let issuers = verifier.issuers().clone();
    let (auth, _) = layer(verifier, RevocationList::none());
    let token = tenant("a");
    keeps(&auth, &token).await;
    assert!(issuers.remove("https://login.example/a"));
    accepts(&auth, &token).await;
    assert_eq!(verifications(), 1);
}

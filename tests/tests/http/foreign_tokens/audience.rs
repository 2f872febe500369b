//! Audiences, and clients in the place of a missing audience.

use serde_json::json;
use tower_jwt_auth::TrustedIssuer;
use tower_jwt_auth::tokens::TokenError;
use tower_jwt_auth_tests::AUDIENCE;

use super::fixture;

#[tokio::test]
async fn one_of_several_audiences_is_enough() {
    let fixture = fixture(|trusted| trusted.with_audiences(["one", "two"]).unwrap());
    for good in [json!("one"), json!("two"), json!(["x", "two"]), json!(["one", "two"])] {
        fixture.accepts(&fixture.builder().claim("aud", good)).await;
    }
    // The list takes the place of the audience of the constructor.
    for bad in [json!(AUDIENCE), json!("on"), json!("one two"), json!([]), json!(["x"])] {
        fixture.refuses(&fixture.builder().claim("aud", bad), TokenError::Audience).await;
    }
    fixture.refuses(&fixture.builder().without_claim("aud"), TokenError::Missing("aud")).await;
}

fn with_clients(trusted: TrustedIssuer) -> TrustedIssuer {
    trusted.with_client_ids(["web", "cli"]).unwrap()
}

#[tokio::test]
async fn a_listed_client_takes_the_place_of_a_missing_audience() {
    let fixture = fixture(with_clients);
    let bare = fixture.builder().without_claim("aud");
    for client in ["web", "cli"] {
        fixture.accepts(&bare.clone().claim("client_id", client)).await;
    }
    // `azp` does not count beside a client id.
    let other = bare.claim("client_id", "other").claim("azp", "web");
    fixture.refuses(&other, TokenError::Audience).await;
    // A present audience must match, whoever the client is.
    let listed = fixture.builder().claim("client_id", "web");
    fixture.accepts(&listed).await;
    for bad in [json!("other"), json!([]), json!("web")] {
        fixture.refuses(&listed.clone().claim("aud", bad), TokenError::Audience).await;
    }
    fixture.refuses(&listed.claim("aud", json!(null)), TokenError::Mistyped("aud")).await;
}

#[tokio::test]
async fn azp_takes_the_place_of_a_missing_client_id() {
    let fixture = fixture(|trusted| with_clients(trusted).allow_missing_profile_claims());
    let bare = fixture.builder().without_claim("aud").without_claim("client_id");
    fixture.accepts(&bare.clone().claim("azp", "cli")).await;
    for bad in ["other", "", "web cli"] {
        fixture.refuses(&bare.clone().claim("azp", bad), TokenError::Audience).await;
    }
    fixture.refuses(&bare.clone().claim("azp", 1), TokenError::Mistyped("azp")).await;
    fixture.refuses(&bare, TokenError::Missing("aud")).await;
}

#[tokio::test]
async fn a_malformed_client_id_is_not_ignored_where_it_stands_for_the_audience() {
    let fixture = fixture(|trusted| {
        with_clients(trusted).allow_missing_profile_claims().ignore_malformed_optional_claims()
    });
    let malformed = fixture.builder().claim("client_id", 1).claim("azp", "web");
    fixture.accepts(&malformed).await;
    let error = TokenError::Mistyped("client_id");
    fixture.refuses(&malformed.without_claim("aud"), error).await;
}

#[tokio::test]
async fn the_client_may_be_in_another_claim() {
    let fixture = fixture(|trusted| trusted.with_client_id_claim("azp").unwrap());
    let by_azp = fixture.builder().without_claim("client_id").claim("azp", "web");
    fixture.accepts(&by_azp).await;
    let missing = TokenError::Missing("client_id");
    fixture.refuses(&fixture.builder(), missing).await;
    for bad in [json!(""), json!(1), json!(null)] {
        let error = TokenError::Mistyped("client_id");
        fixture.refuses(&by_azp.clone().claim("azp", bad), error).await;
    }
    // The claim of the RFC has no meaning then.
    fixture.accepts(&by_azp.claim("client_id", 1)).await;
}

#[tokio::test]
async fn the_identity_has_the_client_of_the_configured_claim() {
    use tower_jwt_auth::{Timestamp, Verifier};
    use tower_jwt_auth_tests::START;

    let trusted = super::trusted().with_client_id_claim("azp").unwrap();
    let fixture = fixture(|_| trusted.clone());
    let token = fixture.builder().claim("azp", "web").sign(&fixture.signer);
    let now: Timestamp = START;
    let identity = Verifier::new(trusted).verify(&token, now).unwrap();
    assert_eq!(identity.client_id(), Some("web"));
}

//! The maximum lifetime.

use std::time::Duration;

use tower_jwt_auth::TrustedIssuer;
use tower_jwt_auth::tokens::TokenError;
use tower_jwt_auth_tests::START;
use tower_jwt_auth_tests::harness::DAY;

use super::super::access_token::fixture::Fixture;
use super::fixture;

fn seconds(after: u64) -> i64 {
    START.unix_seconds() + i64::try_from(after).unwrap()
}

#[tokio::test]
async fn a_token_of_another_issuer_is_valid_for_a_day_at_most() {
    let fixture = fixture(|trusted| trusted);
    fixture.accepts(&fixture.builder().claim("exp", seconds(DAY))).await;
    let long = fixture.builder().claim("exp", seconds(DAY + 1));
    fixture.refuses(&long, TokenError::Lifetime).await;
    // The lifetime counts, not the remaining time.
    fixture.at_millis(i64::try_from(DAY).unwrap() * 1000);
    fixture.refuses(&long, TokenError::Lifetime).await;
    fixture.refuses(&fixture.builder().claim("exp", 1e300), TokenError::Lifetime).await;
}

#[tokio::test]
async fn the_maximum_lifetime_can_be_set() {
    let fixture =
        fixture(|trusted| trusted.with_max_token_lifetime(Duration::from_secs(300)).unwrap());
    fixture.accepts(&fixture.builder()).await;
    let long = fixture.builder().claim("exp", seconds(301));
    fixture.refuses(&long, TokenError::Lifetime).await;
}

#[tokio::test]
async fn without_iat_the_lifetime_counts_from_now_with_the_leeway() {
    let fixture = fixture(TrustedIssuer::allow_missing_profile_claims);
    let bare = fixture.builder().without_claim("iat");
    fixture.accepts(&bare.clone().claim("exp", seconds(DAY + 30))).await;
    let long = bare.claim("exp", seconds(DAY + 31));
    fixture.refuses(&long, TokenError::Lifetime).await;
    fixture.at_millis(1000);
    fixture.accepts(&long).await;
}

#[tokio::test]
async fn own_tokens_have_the_lifetime_that_the_service_gives_them() {
    let fixture = Fixture::own().await;
    fixture.accepts(&fixture.builder().claim("exp", seconds(10 * DAY))).await;
}

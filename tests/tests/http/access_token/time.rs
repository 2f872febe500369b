//! `exp`, `nbf` and `iat`, to the millisecond.

use std::time::Duration;

use http::StatusCode;
use serde_json::Value;
use tower_jwt_auth::tokens::{TokenError, TokenPart};
use tower_jwt_auth::{Algorithm, ConfigError, KeySet, TrustedIssuer};
use tower_jwt_auth_tests::harness::reason;
use tower_jwt_auth_tests::{AUDIENCE, Harness, ISSUER, START};

use super::fixture::Fixture;
use super::test_keys::verifying_key;

const START_SECONDS: i64 = 1_700_000_000;

#[tokio::test]
async fn an_own_token_expires_five_seconds_after_its_exp_to_the_millisecond() {
    let fixture = Fixture::own().await;
    for millis in [0, 299_999, 300_000, 304_999] {
        fixture.at_millis(millis);
        fixture.accepts(&fixture.builder()).await;
    }
    for millis in [305_000, 305_001, 306_000, 1 << 40] {
        fixture.at_millis(millis);
        fixture.refuses(&fixture.builder(), TokenError::Expired).await;
    }
}

#[tokio::test]
async fn an_issued_token_expires_at_its_reported_time_plus_the_leeway() {
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    let exp = tokens.access().expires_at();
    assert_eq!(exp, START + Duration::from_secs(300));
    harness.clock.set(exp + Duration::from_millis(4999));
    assert_eq!(harness.call(tokens.access().as_str()).await.status, StatusCode::OK);
    harness.clock.set(exp + Duration::from_secs(5));
    let response = harness.call(tokens.access().as_str()).await;
    assert_eq!(reason(&response), TokenError::Expired.into());
}

#[tokio::test]
async fn the_configured_leeway_of_a_foreign_issuer_applies() {
    let with = |seconds| {
        move |trusted: TrustedIssuer| trusted.with_leeway(Duration::from_secs(seconds)).unwrap()
    };
    for (fixture, leeway) in [
        (Fixture::foreign(|trusted| trusted).await, 30_000),
        (Fixture::foreign(with(0)).await, 0),
        (Fixture::foreign(with(10)).await, 10_000),
        (Fixture::foreign(with(300)).await, 300_000),
    ] {
        fixture.at_millis(300_000 + leeway - 1);
        fixture.accepts(&fixture.builder()).await;
        fixture.at_millis(300_000 + leeway);
        fixture.refuses(&fixture.builder(), TokenError::Expired).await;
        let named = fixture.builder().claim("nbf", START_SECONDS);
        fixture.at_millis(-leeway);
        fixture.accepts(&named).await;
        fixture.at_millis(-leeway - 1);
        fixture.refuses(&named, TokenError::Early("nbf")).await;
        fixture.refuses(&fixture.builder(), TokenError::Early("iat")).await;
        let issued_early = fixture.builder().claim("iat", START_SECONDS - 400);
        fixture.refuses(&issued_early, TokenError::Early("auth_time")).await;
    }
}

#[tokio::test]
async fn leeway_is_bounded() {
    let trusted = || {
        let keys = KeySet::new([verifying_key(Algorithm::HS256)]).unwrap();
        TrustedIssuer::new(ISSUER, AUDIENCE, keys).unwrap()
    };
    assert!(trusted().with_leeway(Duration::from_secs(300)).is_ok());
    for given in [Duration::from_nanos(300_000_000_001), Duration::from_secs(301), Duration::MAX] {
        let error = trusted().with_leeway(given).unwrap_err();
        assert!(matches!(error, ConfigError::Duration { what: "leeway", .. }));
        assert!(error.to_string().contains("five minutes"), "{error}");
    }
}

#[tokio::test]
async fn a_missing_or_non_numeric_exp_is_refused() {
    let fixture = Fixture::own().await;
    fixture.refuses(&fixture.builder().without_claim("exp"), TokenError::Missing("exp")).await;
    for bad in NO_DATES {
        let bad: Value = serde_json::from_str(bad).unwrap();
        fixture.refuses(&fixture.builder().claim("exp", bad), TokenError::Mistyped("exp")).await;
    }
}

const NO_DATES: [&str; 8] =
    ["null", "true", r#""1700000300""#, r#""2030-01-01""#, r#""""#, "[1700000300]", "{}", "[]"];

#[tokio::test]
async fn fractional_dates_count_to_the_millisecond() {
    let fixture = Fixture::own().await;
    for (exp, last) in [(300.5, 305_499), (300.25, 305_249), (299.75, 304_749)] {
        #[allow(clippy::cast_precision_loss)]
        let builder = fixture.builder().claim("exp", START_SECONDS as f64 + exp);
        fixture.at_millis(last);
        fixture.accepts(&builder).await;
        fixture.at_millis(last + 1);
        fixture.refuses(&builder, TokenError::Expired).await;
    }
    // Fractions of a millisecond are truncated, so they do not extend the lifetime.
    let builder = fixture.builder().claim("exp", 1_700_000_300.000_5);
    fixture.at_millis(304_999);
    fixture.accepts(&builder).await;
    fixture.at_millis(305_000);
    fixture.refuses(&builder, TokenError::Expired).await;
    // These are other spellings of the number.
    let (header, claims) = (fixture.builder.header_json(), fixture.builder.claims_json());
    for (number, last) in
        [("1.7000003e9", 304_999), ("17000003E2", 304_999), ("1700000300.0", 304_999)]
    {
        let claims = claims.replace("1700000300", number);
        let token = fixture.signer.token(&header, &claims);
        fixture.at_millis(last);
        fixture.accepts_token(&token).await;
        fixture.at_millis(last + 1);
        fixture.refuses_token(&token, TokenError::Expired).await;
    }
}

#[tokio::test]
async fn dates_of_any_size_are_checked_without_a_panic() {
    let fixture = Fixture::own().await;
    let (header, claims) = (fixture.builder.header_json(), fixture.builder.claims_json());
    let with = |name: &str, number: &str| {
        let claims = fixture.builder().without_claim_if_any(name).claims_json();
        fixture.signer.token(&header, &claims.replacen('{', &format!(r#"{{"{name}":{number},"#), 1))
    };
    let huge = [
        "9223372036854775",
        "9223372036854776",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "99999999999999999999999999999999999999",
        "1e300",
        "1.7976931348623157e308",
    ];
    let low = ["0", "-0", "-1", "-0.5", "-9223372036854775808", "-9223372036854775809", "-1e300"];
    for number in huge {
        fixture.accepts_token(&with("exp", number)).await;
        for name in ["nbf", "iat", "auth_time"] {
            let error = fixture.refusal(&with(name, number)).await;
            assert!(matches!(error, TokenError::Early(early) if early == name), "{number}");
        }
    }
    for number in low {
        fixture.refuses_token(&with("exp", number), TokenError::Expired).await;
        for name in ["nbf", "iat", "auth_time"] {
            fixture.accepts_token(&with(name, number)).await;
        }
    }
    for number in ["1e309", "-1e309", "NaN", "Infinity", "01", "+1", "1.", ".5", "0x10", "1e"] {
        for name in ["exp", "nbf", "iat", "auth_time"] {
            let error = fixture.refusal(&with(name, number)).await;
            let fits =
                matches!(error, TokenError::Json(TokenPart::Claims) | TokenError::Mistyped(_));
            assert!(fits, "{name} {number}: {error}");
        }
    }
    fixture.accepts_token(&fixture.signer.token(&header, &claims)).await;
}

#[tokio::test]
async fn dates_in_the_future_are_refused_beyond_five_seconds_to_the_millisecond() {
    let fixture = Fixture::own().await;
    for name in ["nbf", "iat", "auth_time"] {
        let builder = fixture.builder().claim(name, START_SECONDS + 100);
        for millis in [95_000, 95_001, 100_000] {
            fixture.at_millis(millis);
            fixture.accepts(&builder).await;
        }
        for millis in [94_999, 94_000, 0, -1_000_000] {
            fixture.at_millis(millis);
            let error = fixture.refusal(&builder.sign(&fixture.signer)).await;
            // Before START, the other dates are also in the future.
            let fits = matches!(error, TokenError::Early(early) if early == name || millis < 0);
            assert!(fits, "{name} at {millis}: {error}");
        }
    }
}

#[tokio::test]
async fn non_numeric_dates_are_refused() {
    let fixture = Fixture::own().await;
    for bad in NO_DATES {
        let bad: Value = serde_json::from_str(bad).unwrap();
        for name in ["nbf", "iat", "auth_time"] {
            let builder = fixture.builder().claim(name, bad.clone());
            let error = fixture.refusal(&builder.sign(&fixture.signer)).await;
            assert!(matches!(error, TokenError::Mistyped(claim) if claim == name), "{name} {bad}");
        }
    }
}

#[tokio::test]
async fn nbf_is_optional_and_iat_is_required() {
    let fixture = Fixture::own().await;
    fixture.accepts(&fixture.builder().claim("nbf", START_SECONDS)).await;
    fixture.refuses(&fixture.builder().without_claim("iat"), TokenError::Missing("iat")).await;
    let plain = Fixture::foreign(TrustedIssuer::allow_missing_profile_claims).await;
    plain.accepts(&plain.builder().without_claim("iat")).await;
}

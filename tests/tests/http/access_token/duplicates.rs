//! Duplicate member names.

use http::StatusCode;
use serde_json::{Value, json};
use tower_jwt_auth::tokens::{TokenError, TokenPart};
use tower_jwt_auth::{Algorithm, JwtAuthLayer, Verifier};
use tower_jwt_auth_tests::Harness;
use tower_jwt_auth_tests::harness::{call_behind, reason};
use tower_jwt_auth_tests::token_builder::TokenBuilder;

use super::fixture::{Fixture, KEY_ID};
use super::test_keys::{signer, signing_key};

#[tokio::test]
async fn a_duplicate_member_in_the_header_is_refused() {
    let fixture = Fixture::own().await;
    let (header, claims) = (fixture.builder.header_json(), fixture.builder.claims_json());
    let with = |members: &str| header.replacen('{', &format!("{{{members},"), 1);
    fixture.accepts_token(&fixture.signer.token(&with(r#""x":1,"y":1"#), &claims)).await;
    for twice in [
        r#""typ":"at+jwt""#,
        r#""typ":"JWT""#,
        r#""alg":"HS256""#,
        r#""alg":"none""#,
        r#""kid":"key""#,
        r#""kid":"other""#,
        r#""x":1,"x":1"#,
        r#""x":1,"x":2"#,
        r#""":1,"":1"#,
        r#""x":{"y":1},"z":0,"x":{"y":1}"#,
        r#""\u0061lg":"HS256""#,
        r#""\u0074\u0079\u0070":"at+jwt""#,
        r#""x":1,"\u0078":1"#,
        r#""jwk":{},"jwk":{}"#,
        r#""crit":["x"],"crit":["x"]"#,
    ] {
        let token = fixture.signer.token(&with(twice), &claims);
        assert_eq!(fixture.refusal(&token).await, TokenError::Json(TokenPart::Header), "{twice}");
    }
    // The duplicate is at the end, and at the beginning.
    let last = header.replacen('}', r#","alg":"HS256"}"#, 1);
    let token = fixture.signer.token(&last, &claims);
    fixture.refuses_token(&token, TokenError::Json(TokenPart::Header)).await;
}

#[tokio::test]
async fn a_duplicate_member_in_the_claims_is_refused() {
    let fixture = Fixture::own().await;
    let (header, claims) = (fixture.builder.header_json(), fixture.builder.claims_json());
    let with = |members: &str| claims.replacen('{', &format!("{{{members},"), 1);
    fixture.accepts_token(&fixture.signer.token(&header, &with(r#""x":1,"y":1"#))).await;
    // Names that differ in case are different.
    fixture
        .accepts_token(&fixture.signer.token(&header, &with(r#""EXP":1,"Sub":"bob","x":1,"X":2"#)))
        .await;
    let of_each = fixture.builder.claims_json();
    let of_each: serde_json::Map<String, Value> = serde_json::from_str(&of_each).unwrap();
    let known = of_each.iter().map(|(name, value)| format!("{}:{value}", json!(name)));
    let others = [
        r#""exp":9999999999"#,
        r#""sub":"bob""#,
        r#""name":"Bob""#,
        r#""nbf":1,"nbf":1"#,
        r#""x":1,"x":1"#,
        r#""x":1,"x":2"#,
        r#""":1,"":1"#,
        r#""x":[{}],"y":0,"x":[{}]"#,
        r#""\u0065xp":9999999999"#,
        r#""\u0073\u0075\u0062":"bob""#,
        r#""n\u0061me":"Bob""#,
        r#""x":1,"\u0078":1"#,
        r#""é":1,"\u00e9":1"#,
    ];
    for twice in known.chain(others.map(str::to_owned)) {
        let token = fixture.signer.token(&header, &with(&twice));
        assert_eq!(fixture.refusal(&token).await, TokenError::Json(TokenPart::Claims), "{twice}");
    }
    let last = claims.replacen('}', r#","sub":"bob"}"#, 1);
    let token = fixture.signer.token(&header, &last);
    fixture.refuses_token(&token, TokenError::Json(TokenPart::Claims)).await;
}

#[tokio::test]
async fn a_duplicate_member_is_refused_without_application_claims() {
    let harness = Harness::with_key(signing_key(Algorithm::HS256).with_key_id(KEY_ID));
    let auth = JwtAuthLayer::new(
        Verifier::new(harness.sessions.issuer()),
        harness.sessions.revocations().clone(),
    )
    .with_clock(harness.clock.clone());
    let (signer, builder) = (signer(Algorithm::HS256), TokenBuilder::access("HS256", KEY_ID));
    let response = call_behind(&auth, &builder.sign(&signer)).await;
    assert_eq!(response.status, StatusCode::OK);
    for twice in [r#""x":1,"x":1"#, r#""name":"Bob""#, r#""sub":"bob""#] {
        let claims = builder.claims_json().replacen('{', &format!("{{{twice},"), 1);
        let response = call_behind(&auth, &signer.token(&builder.header_json(), &claims)).await;
        response.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
        assert_eq!(reason(&response), TokenError::Json(TokenPart::Claims).into());
    }
}

/// Claims of an application that reads the first member and stops.
struct Careless;

impl<'de> serde::Deserialize<'de> for Careless {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct First;
        impl<'de> serde::de::Visitor<'de> for First {
            type Value = Careless;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a claim")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Careless, A::Error> {
                map.next_entry::<String, serde::de::IgnoredAny>()?;
                Ok(Careless)
            }
        }
        deserializer.deserialize_map(First)
    }
}

#[tokio::test]
async fn a_claims_type_that_stops_reading_early_hides_no_claim_from_validation() {
    let harness = Harness::with_key(signing_key(Algorithm::HS256).with_key_id(KEY_ID));
    let revocations = harness.sessions.revocations().clone();
    let auth = JwtAuthLayer::new(
        Verifier::new(harness.sessions.issuer()).with_claims::<Careless>(),
        revocations,
    )
    .with_clock(harness.clock.clone());
    let (signer, builder) = (signer(Algorithm::HS256), TokenBuilder::access("HS256", KEY_ID));
    let judge = async |members: &str, builder: TokenBuilder| {
        // The application reads the first member only.
        let claims = builder.claims_json().replacen('{', r#"{"a":1,"#, 1);
        let claims = claims.replacen('}', &format!("{members}}}"), 1);
        call_behind(&auth, &signer.token(&builder.header_json(), &claims)).await
    };
    assert_eq!(judge("", builder.clone()).await.status, StatusCode::OK);
    assert_eq!(judge(r#","b":1"#, builder.clone()).await.status, StatusCode::OK);
    for twice in [r#","a":1"#, r#","b":1,"b":1"#, r#","sub":"bob""#, r#","exp":9999999999"#] {
        let response = judge(twice, builder.clone()).await;
        response.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
        assert_eq!(reason(&response), TokenError::Json(TokenPart::Claims).into(), "{twice}");
    }
    let expired = builder.clone().without_claim("exp");
    let response = judge(r#","exp":1"#, expired).await;
    assert_eq!(reason(&response), TokenError::Expired.into());
    let early = judge(r#","nbf":9999999999"#, builder).await;
    assert_eq!(reason(&early), TokenError::Early("nbf").into());
}

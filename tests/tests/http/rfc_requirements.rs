//! Requirements of the RFCs in docs/rfc-requirements.md that no test of a feature shows.

use http::StatusCode;
use serde_json::json;
use tower::{Layer, service_fn};
use tower_jwt_auth::tokens::{RequestError, TokenError, TokenPart};
use tower_jwt_auth::{
    Algorithm, AuthError, Identity, KeySet, RequireLayer, TrustedIssuer, Verifier,
};
use tower_jwt_auth_tests::harness::{echo, reason, request, send_to};
use tower_jwt_auth_tests::token_builder::{decode, encode};
use tower_jwt_auth_tests::{AUDIENCE, Harness, ISSUER};

use crate::access_token::fixture::{Fixture, KEY_ID};
use crate::access_token::test_keys::{signer, signing_key, verifying_key};

// RFC 9068 §2.1, §2.2 and §3.
#[tokio::test]
async fn an_issued_access_token_has_the_type_and_claims_of_the_profile() {
    for algorithm in Algorithm::ALL.iter().copied() {
        let harness = Harness::with_key(signing_key(algorithm).with_key_id(KEY_ID));
        let tokens = harness.sign_in().await;
        let refreshed = harness.refresh(tokens.refresh().as_str()).await.access_token();
        let without_scope = harness.sign_in_as(Harness::alice().with_scope("")).await;
        let issued =
            [tokens.access().as_str(), &refreshed, without_scope.access().as_str()].map(|token| {
                assert_eq!(
                    decode(token, 0),
                    json!({ "typ": "at+jwt", "alg": algorithm.as_str(), "kid": KEY_ID })
                );
                decode(token, 1)
            });
        for claims in &issued {
            // The audience is a single text: a token is for one resource, so its scope is not ambiguous.
            for (name, expected) in [
                ("iss", json!(ISSUER)),
                ("sub", json!("alice")),
                ("aud", json!(AUDIENCE)),
                ("client_id", json!(AUDIENCE)),
            ] {
                assert_eq!(claims[name], expected, "{name}");
            }
            assert!(claims["iat"].as_i64().unwrap() < claims["exp"].as_i64().unwrap());
            assert!(claims["jti"].as_str().unwrap().len() >= 22, "{}", claims["jti"]);
        }
        let ids = issued.each_ref().map(|claims| &claims["jti"]);
        assert!(ids[0] != ids[1] && ids[0] != ids[2] && ids[1] != ids[2], "{ids:?}");
        assert_eq!(issued[2].get("scope"), None);
    }
}

// RFC 8725bis §3.1: the algorithms of an issuer are its own, even if another issuer has the same key under the same id.
#[tokio::test]
async fn an_algorithm_of_one_issuer_is_not_accepted_from_another() {
    const OTHER_ISSUER: &str = "https://other.example";
    let trust = |issuer: &str, algorithm: Algorithm| {
        let keys = KeySet::new([verifying_key(algorithm).with_key_id(KEY_ID)]).unwrap();
        TrustedIssuer::new(issuer, AUDIENCE, keys).unwrap()
    };
    let verifier = Verifier::new(trust(ISSUER, Algorithm::RS256))
        .and_trust(trust(OTHER_ISSUER, Algorithm::PS256))
        .unwrap();
    let fixture = Fixture::trusting(verifier);
    for (issuer, own, other) in [
        (ISSUER, Algorithm::RS256, Algorithm::PS256),
        (OTHER_ISSUER, Algorithm::PS256, Algorithm::RS256),
    ] {
        let token = |algorithm: Algorithm| {
            let builder = fixture.builder().claim("iss", issuer);
            builder.header("alg", algorithm.as_str()).sign(&signer(algorithm))
        };
        fixture.accepts_token(&token(own)).await;
        fixture.refuses_token(&token(other), TokenError::UnknownKey).await;
    }
}

// RFC 8725bis §3.2 and §3.3: only signed tokens are accepted.
#[tokio::test]
async fn encrypted_and_nested_tokens_are_refused() {
    let fixture = Fixture::own().await;
    let token = fixture.builder().sign(&fixture.signer);
    for algorithm in [
        "dir",
        "RSA1_5",
        "RSA-OAEP",
        "RSA-OAEP-256",
        "A256KW",
        "A256GCMKW",
        "ECDH-ES",
        "ECDH-ES+A256KW",
        "PBES2-HS256+A128KW",
    ] {
        let builder = fixture
            .builder()
            .header("alg", algorithm)
            .header("enc", "A256GCM")
            .header("zip", "DEF")
            .header("p2c", u32::MAX);
        // The header is that of an encrypted token, with the three segments of a signed one and with its own five.
        fixture.refuses(&builder, TokenError::Algorithm).await;
        let header = encode(builder.header_json().as_bytes());
        let encrypted = format!("{header}.a2V5.aXY.{}.dGFn", encode(token.as_bytes()));
        fixture.refuses_token(&encrypted, TokenError::Encoding).await;
    }
    for content_type in ["JWT", "application/jwt"] {
        let header = fixture.builder().header("cty", content_type).header_json();
        let nested = fixture.signer.token(&header, &token);
        fixture.refuses_token(&nested, TokenError::Json(TokenPart::Claims)).await;
        let nested = fixture.signer.token(&header, &json!(token).to_string());
        fixture.refuses_token(&nested, TokenError::Json(TokenPart::Claims)).await;
    }
}

// RFC 8725bis §3.7.
#[tokio::test]
async fn signed_json_in_utf_16_or_utf_32_is_refused() {
    let fixture = Fixture::own().await;
    let (header, claims) = (fixture.builder.header_json(), fixture.builder.claims_json());
    let encodings: [fn(char) -> Vec<u8>; 4] = [
        |c| u16::try_from(u32::from(c)).unwrap().to_be_bytes().to_vec(),
        |c| u16::try_from(u32::from(c)).unwrap().to_le_bytes().to_vec(),
        |c| u32::from(c).to_be_bytes().to_vec(),
        |c| u32::from(c).to_le_bytes().to_vec(),
    ];
    for in_encoding in encodings {
        for mark in ["", "\u{feff}"] {
            let odd = |json: &str| {
                let text = format!("{mark}{json}");
                encode(&text.chars().flat_map(in_encoding).collect::<Vec<_>>())
            };
            let token = fixture.signer.segments(&odd(&header), &encode(claims.as_bytes()));
            fixture.refuses_token(&token, TokenError::Json(TokenPart::Header)).await;
            let token = fixture.signer.segments(&encode(header.as_bytes()), &odd(&claims));
            fixture.refuses_token(&token, TokenError::Json(TokenPart::Claims)).await;
        }
    }
}

// RFC 8725bis §3.8: whether a verified subject is valid is known to the application alone.
#[tokio::test]
async fn a_subject_that_the_application_does_not_know_is_refused() {
    let harness = Harness::new();
    let known = RequireLayer::new(|identity: &Identity| identity.subject() == "alice");
    let service = harness.auth.layer(known.layer(service_fn(echo)));
    let call = async |subject: &str| {
        let who = tower_jwt_auth::SignIn::new(subject)
            .with_claims(tower_jwt_auth_tests::Profile { name: "Alice".into() });
        let tokens = harness.sign_in_as(who).await;
        let header = format!("Bearer {}", tokens.access().as_str());
        send_to(service.clone(), request("GET", &[("authorization", &header)])).await
    };
    assert_eq!(call("alice").await.status, StatusCode::OK);
    for unknown in ["bob", "Alice", "alice "] {
        let response = call(unknown).await;
        response.assert_refused(StatusCode::FORBIDDEN, "access_denied");
        assert_eq!(reason(&response), AuthError::Forbidden);
    }
}

// RFC 8725bis §3.10: a key id is compared byte by byte with those of the keys in memory. No store is queried with it.
#[tokio::test]
async fn a_key_id_is_compared_and_never_interpreted() {
    let harness = Harness::with_key(signing_key(Algorithm::HS256).with_key_id(KEY_ID));
    let fixture = Fixture::own().await;
    harness.sessions.revocations().ready().await;
    let calls = harness.store.session_calls();
    for odd in [
        "' OR '1'='1",
        "key' --",
        "key'; DROP TABLE sessions; --",
        "key' UNION SELECT 'x",
        "*)(uid=*",
        "key)(&",
        "key\\2a",
        "../../../../dev/null",
        "/proc/self/environ",
        "file:///dev/null",
        "https://issuer.example/jwks.json#key",
        "${key}",
        "%6b%65%79",
        "k?y",
        "ke[y]",
        "^key$",
        "key\r\nx: y",
    ] {
        let builder = fixture.builder().header("kid", odd);
        fixture.refuses(&builder, TokenError::UnknownKey).await;
        let response = harness.call(&builder.sign(&fixture.signer)).await;
        assert_eq!(reason(&response), AuthError::Token(TokenError::UnknownKey), "{odd}");
        // A key whose id has these characters is found by them.
        let keys = KeySet::new([verifying_key(Algorithm::HS256).with_key_id(odd)]).unwrap();
        let trusted = TrustedIssuer::new(ISSUER, AUDIENCE, keys).unwrap();
        let odd = Fixture::trusting(Verifier::new(trusted));
        odd.accepts(&builder).await;
        odd.refuses(&fixture.builder(), TokenError::UnknownKey).await;
    }
    assert_eq!(harness.store.session_calls(), calls, "the store was called");
}

/// Returns a valid token in the JSON serializations of RFC 7515 §7.2, which are not serializations of a JWT.
fn in_json(token: &str) -> [String; 4] {
    let segments: Vec<_> = token.split('.').collect();
    let [protected, payload, signature] = segments[..] else { panic!() };
    let flattened =
        json!({ "protected": protected, "payload": payload, "signature": signature }).to_string();
    let general = json!({
        "payload": payload,
        "signatures": [{ "protected": protected, "signature": signature }],
    });
    // The last two are split into three segments with the claims in the middle.
    let hidden = format!(r#"{{"x":".{payload}.","protected":"{protected}"}}"#);
    let beside = format!(r#"{flattened}.{payload}.{signature}"#);
    [flattened, general.to_string(), hidden, beside]
}

// RFC 8725bis §3.14: a token consists of letters, digits, `-`, `_` and dots.
#[tokio::test]
async fn any_character_outside_of_the_compact_serialization_is_refused() {
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    let token = tokens.access().as_str();
    let verifier = Verifier::new(harness.sessions.issuer());
    assert!(verifier.verify(token, harness.now()).is_ok());
    let is_legal = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let middle = token.find('.').unwrap() + 3;
    for c in ('\0'..='\u{ff}').filter(|c| !is_legal(*c)) {
        for at in [0, 1, middle, token.len() - 1, token.len()] {
            let mut changed = token.to_owned();
            changed.insert(at, c);
            let error = verifier.verify(&changed, harness.now()).unwrap_err();
            assert_eq!(error, TokenError::Encoding, "{c:?} at {at}");
        }
    }
    for json in in_json(token) {
        let error = verifier.verify(&json, harness.now()).unwrap_err();
        assert_eq!(error, TokenError::Encoding, "{json}");
        let response = harness.call(&json).await;
        response.assert_refused(StatusCode::BAD_REQUEST, "invalid_request");
        assert_eq!(reason(&response), AuthError::Request(RequestError::Malformed));
    }
}

// RFC 9700 §4.13: fields that a proxy may pass through from outside decide nothing.
#[tokio::test]
async fn forwarded_headers_do_not_count_as_the_host_or_scheme() {
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    let cookie = format!("{}={}", harness.cookie.name(), tokens.refresh().as_str());
    let post = async |origin: &str, forwarded: (&str, &str)| {
        let headers =
            [("cookie", &*cookie), ("host", "api.example"), ("origin", origin), forwarded];
        send_to(harness.refresh_service(), request("POST", &headers)).await
    };
    for forwarded in [
        ("x-forwarded-host", "evil.example"),
        ("x-original-host", "evil.example"),
        ("forwarded", "host=evil.example;proto=https"),
        ("x-http-method-override", "GET"),
    ] {
        let response = post("https://evil.example", forwarded).await;
        response.assert_refused(StatusCode::FORBIDDEN, "cross_site_request");
        assert_eq!(post("https://api.example", forwarded).await.status, StatusCode::OK);
    }
    let response = post("http://api.example", ("x-forwarded-proto", "http")).await;
    response.assert_refused(StatusCode::FORBIDDEN, "cross_site_request");
}

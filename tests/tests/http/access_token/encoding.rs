//! Segments, base64url and JSON.

use http::StatusCode;
use tower_jwt_auth::Algorithm;
use tower_jwt_auth::tokens::{TokenError, TokenPart};
use tower_jwt_auth_tests::harness::call_behind;
use tower_jwt_auth_tests::token_builder::{TokenBuilder, encode};

use super::fixture::Fixture;
use super::signatures::{decode_signature, resigned};

#[tokio::test]
async fn a_token_of_other_than_three_segments_is_refused() {
    let fixture = Fixture::own().await;
    let token = fixture.builder().sign(&fixture.signer);
    let segments: Vec<_> = token.split('.').collect();
    let [header, claims, signature] = segments[..] else { panic!() };
    for bad in [
        "x".to_owned(),
        header.to_owned(),
        format!("{header}.{claims}"),
        format!("{header}{claims}.{signature}"),
        format!("{header}.{claims}{signature}"),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.{signature}"),
        format!("{header}.{claims}..{signature}"),
        format!("{header}..{claims}.{signature}"),
        format!("{token}.{claims}.{signature}"),
        format!("{header}.{claims}.{claims}.{claims}.{signature}"),
        format!("{token}.{token}"),
        "....".to_owned(),
        ".".to_owned(),
    ] {
        fixture.refuses_token(&bad, TokenError::Encoding).await;
    }
}

#[tokio::test]
async fn an_empty_segment_is_refused() {
    let fixture = Fixture::own().await;
    let token = fixture.builder().sign(&fixture.signer);
    let segments: Vec<_> = token.split('.').collect();
    let [header, claims, signature] = segments[..] else { panic!() };
    fixture.refuses_token("..", TokenError::Json(TokenPart::Header)).await;
    fixture
        .refuses_token(&format!(".{claims}.{signature}"), TokenError::Json(TokenPart::Header))
        .await;
    fixture
        .refuses_token(&format!("{header}..{signature}"), TokenError::Json(TokenPart::Claims))
        .await;
    fixture.refuses_token(&format!("{header}.{claims}."), TokenError::Signature).await;
    fixture
        .refuses_token(&fixture.signer.segments(header, ""), TokenError::Json(TokenPart::Claims))
        .await;
    fixture
        .refuses_token(&fixture.signer.segments("", claims), TokenError::Json(TokenPart::Header))
        .await;
}

/// Returns header and claims whose base64url contains both special characters and ends with a group of one byte.
fn special_texts(builder: &TokenBuilder) -> (String, String) {
    let fill = |json: String| {
        // "~~~" and "???" at the three possible positions in a group give both `-` and `_`.
        let json = json.replacen('{', r#"{"?":"~~~>>> ~~~>>>  ~~~>>>???","#, 1);
        let spaces = (4 - json.len() % 3) % 3;
        format!("{json}{}", " ".repeat(spaces))
    };
    (fill(builder.header_json()), fill(builder.claims_json()))
}

#[tokio::test]
async fn signed_padding_and_other_alphabets_are_refused() {
    let fixture = Fixture::own().await;
    let (header, claims) = special_texts(&fixture.builder);
    let (header, claims) = (encode(header.as_bytes()), encode(claims.as_bytes()));
    for text in [&header, &claims] {
        assert!(text.len() % 4 == 2 && text.contains('-'), "{text}");
    }
    fixture.accepts_token(&fixture.signer.segments(&header, &claims)).await;
    for change in [
        &|text: &str| format!("{text}=="),
        &|text: &str| format!("{text}="),
        &|text: &str| format!("={text}"),
        &|text: &str| text.replace('-', "+"),
        &|text: &str| text.replacen('-', "/", 1),
        &|text: &str| text.replacen('e', "!", 1),
        &|text: &str| format!("{text}~"),
        // The last character alone does not encode a whole byte.
        &|text: &str| text[..text.len() - 1].to_owned(),
        &|text: &str| format!("{text}IIA"),
    ] as [&dyn Fn(&str) -> String; 9]
    {
        let token = fixture.signer.segments(&change(&header), &claims);
        fixture.refuses_token(&token, TokenError::Encoding).await;
        let token = fixture.signer.segments(&header, &change(&claims));
        fixture.refuses_token(&token, TokenError::Encoding).await;
    }
    let token = fixture.signer.segments(&header, &claims);
    fixture.refuses_token(&format!("{token}="), TokenError::Encoding).await;
    fixture.refuses_token(&format!("{token}A="), TokenError::Encoding).await;
}

/// Returns the segment with an unused bit set in its last character, which decodes to the same bytes.
fn non_canonical(segment: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    assert_ne!(segment.len() % 4, 0, "the segment has no unused bits");
    let (rest, last) = segment.split_at(segment.len() - 1);
    let value = ALPHABET.iter().position(|one| *one == last.as_bytes()[0]).unwrap();
    format!("{rest}{}", char::from(ALPHABET[value + 1]))
}

#[tokio::test]
async fn signed_non_canonical_trailing_bits_are_refused() {
    let fixture = Fixture::own().await;
    let (header, claims) = special_texts(&fixture.builder);
    let (header, claims) = (encode(header.as_bytes()), encode(claims.as_bytes()));
    let token = fixture.signer.segments(&header, &claims);
    fixture.accepts_token(&token).await;
    let changed = fixture.signer.segments(&non_canonical(&header), &claims);
    fixture.refuses_token(&changed, TokenError::Encoding).await;
    let changed = fixture.signer.segments(&header, &non_canonical(&claims));
    fixture.refuses_token(&changed, TokenError::Encoding).await;
    fixture.refuses_token(&non_canonical(&token), TokenError::Encoding).await;
}

#[tokio::test]
async fn a_signed_segment_that_is_not_a_json_object_is_refused() {
    let fixture = Fixture::own().await;
    let (header, claims) = (fixture.builder.header_json(), fixture.builder.claims_json());
    let spaced = |json: &str| format!(" \n\t{json}\r\n ");
    fixture.accepts_token(&fixture.signer.token(&spaced(&header), &spaced(&claims))).await;
    let change = |json: &str| {
        [
            String::new(),
            " ".to_owned(),
            "null".to_owned(),
            "true".to_owned(),
            "1".to_owned(),
            "[]".to_owned(),
            "{".to_owned(),
            "\"x\"".to_owned(),
            "not json".to_owned(),
            format!("[{json}]"),
            format!("[[{json}]]"),
            serde_json::to_string(json).unwrap(),
            format!("{json}{json}"),
            format!("{json}x"),
            format!("{json},"),
            format!("{json}\0"),
            format!("\u{feff}{json}"),
            format!("//\n{json}"),
            json.replacen('{', "{,", 1),
            json.replacen('}', ",}", 1),
            json.replacen('"', "'", 2),
            json.replacen(':', "=", 1),
            json[..json.len() - 1].to_owned(),
            json.replacen('{', "{\"x\":\"\n\",", 1),
            json.replacen('{', r#"{"x":"\x",""#, 1),
            json.replacen('{', r#"{"x":NaN,"#, 1),
            json.replacen('{', "{1:1,", 1),
        ]
    };
    for bad in change(&header) {
        let error = fixture.refusal(&fixture.signer.token(&bad, &claims)).await;
        assert_eq!(error, TokenError::Json(TokenPart::Header), "{bad:?}");
    }
    for bad in change(&claims) {
        let error = fixture.refusal(&fixture.signer.token(&header, &bad)).await;
        assert_eq!(error, TokenError::Json(TokenPart::Claims), "{bad:?}");
    }
}

#[tokio::test]
async fn signed_bytes_that_are_not_utf_8_are_refused() {
    let fixture = Fixture::own().await;
    let (header, claims) = (fixture.builder.header_json(), fixture.builder.claims_json());
    for bad in [&b"\xff"[..], b"\xc3", b"\xed\xa0\x80", b"\xc0\xaf"] {
        let odd = |json: &str| {
            let (start, end) = json.split_at(1);
            encode(&[start.as_bytes(), b"\"x\":\"", bad, b"\",", end.as_bytes()].concat())
        };
        let token = fixture.signer.segments(&odd(&header), &encode(claims.as_bytes()));
        fixture.refuses_token(&token, TokenError::Json(TokenPart::Header)).await;
        let token = fixture.signer.segments(&encode(header.as_bytes()), &odd(&claims));
        fixture.refuses_token(&token, TokenError::Json(TokenPart::Claims)).await;
    }
    let lone = claims.replacen('{', r#"{"x":"\ud800","#, 1);
    let status = call_behind(&fixture.auth, &fixture.signer.token(&header, &lone)).await.status;
    assert!(
        [StatusCode::OK, StatusCode::UNAUTHORIZED].contains(&status),
        "the token must be refused or accepted"
    );
}

#[tokio::test]
async fn deeply_nested_json_is_refused_without_a_stack_overflow() {
    let fixture = Fixture::own().await;
    let (header, claims) = (fixture.builder.header_json(), fixture.builder.claims_json());
    for open in ["[", r#"{"a":"#] {
        let deep = format!(r#"{{"x":{}"#, open.repeat(5000 / open.len()));
        fixture.refusal(&fixture.signer.token(&deep, &claims)).await;
        fixture.refusal(&fixture.signer.token(&header, &deep)).await;
        fixture.refusal(&fixture.signer.token(&open.repeat(5000 / open.len()), &claims)).await;
    }
}

#[tokio::test]
async fn a_token_with_any_character_replaced_is_refused() {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/";
    let fixture = Fixture::own().await;
    let token = fixture.builder().sign(&fixture.signer);
    let mut changed = token.clone().into_bytes();
    for at in 0..token.len() {
        let original = changed[at];
        for other in ALPHABET.iter().filter(|other| **other != original) {
            changed[at] = *other;
            let response = call_behind(&fixture.auth, std::str::from_utf8(&changed).unwrap()).await;
            assert_eq!(response.status, StatusCode::UNAUTHORIZED, "{at}: {}", char::from(*other));
        }
        changed[at] = original;
    }
    fixture.accepts_token(std::str::from_utf8(&changed).unwrap()).await;
}

#[tokio::test]
async fn a_token_with_any_bit_flipped_is_refused_with_every_kind_of_key() {
    for algorithm in [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA] {
        let fixture = Fixture::own_for(algorithm).await;
        let token = fixture.builder().sign(&fixture.signer);
        fixture.accepts_token(&token).await;
        let signature = decode_signature(&token);
        for bit in 0..signature.len() * 8 {
            let mut changed = signature.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            fixture.refuses_token(&resigned(&token, &changed), TokenError::Signature).await;
        }
        let signed = token.rsplit_once('.').unwrap().0;
        for at in 0..signed.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            fixture.refusal(std::str::from_utf8(&changed).unwrap()).await;
        }
    }
}

#[tokio::test]
async fn a_truncated_or_extended_token_is_refused() {
    let fixture = Fixture::own().await;
    let token = fixture.builder().sign(&fixture.signer);
    fixture.accepts_token(&token).await;
    for end in 1..token.len() {
        fixture.refusal(&token[..end]).await;
        fixture.refusal(&token[end..]).await;
    }
    for more in ["A", "AA", "AAA", "AAAA", "_", ".", "=", "=="] {
        fixture.refusal(&format!("{token}{more}")).await;
        fixture.refusal(&format!("{more}{token}")).await;
    }
}

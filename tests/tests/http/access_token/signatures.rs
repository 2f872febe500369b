//! Signatures, compared with another implementation.

use http::StatusCode;
use tower_jwt_auth::tokens::TokenError;
use tower_jwt_auth::{Algorithm, Issuer, KeySet, TrustedIssuer, Verifier};
use tower_jwt_auth_tests::harness::{request, send_to};
use tower_jwt_auth_tests::token_builder::{TokenBuilder, encode};
use tower_jwt_auth_tests::{AUDIENCE, Harness, ISSUER};

use super::fixture::{Fixture, KEY_ID};
use super::test_keys::{is_hmac, signer, signer_of_another, signing_key, verifier};

pub(crate) fn decode_signature(token: &str) -> Vec<u8> {
    let (_, signature) = token.rsplit_once('.').unwrap();
    base64_simd::URL_SAFE_NO_PAD.decode_to_vec(signature).unwrap()
}

/// Returns the token with another signature.
pub(crate) fn resigned(token: &str, signature: &[u8]) -> String {
    format!("{}.{}", token.rsplit_once('.').unwrap().0, encode(signature))
}

#[tokio::test]
async fn another_implementation_verifies_our_tokens_with_every_algorithm() {
    for algorithm in Algorithm::ALL.iter().copied() {
        let harness = Harness::with_key(signing_key(algorithm));
        let tokens = harness.sign_in().await;
        let token = tokens.access().as_str();
        assert!(verifier(algorithm).verifies(token), "{algorithm}");
        assert_eq!(harness.call(token).await.status, StatusCode::OK, "{algorithm}");
        let changed = token.replacen("eyJ", "eyK", 1);
        assert!(!verifier(algorithm).verifies(&changed), "{algorithm}");
    }
}

#[tokio::test]
async fn tokens_of_another_implementation_are_accepted_and_those_of_another_key_are_not() {
    for algorithm in Algorithm::ALL.iter().copied() {
        // The unchanged token is accepted.
        let fixture = Fixture::own_for(algorithm).await;
        let forged = fixture.builder().sign(&signer_of_another(algorithm));
        fixture.refuses_token(&forged, TokenError::Signature).await;
        let token = fixture.builder().sign(&fixture.signer);
        fixture.refuses_token(&resigned(&token, &[]), TokenError::Signature).await;
    }
}

#[tokio::test]
async fn published_keys_are_enough_for_another_service() {
    for algorithm in Algorithm::ALL.iter().copied().filter(|algorithm| !is_hmac(*algorithm)) {
        let issuer = Issuer::new(ISSUER, AUDIENCE, signing_key(algorithm).with_key_id(KEY_ID));
        let response = send_to(issuer.unwrap().jwks(), request("GET", &[])).await;
        let keys = KeySet::from_jwks(std::str::from_utf8(&response.body).unwrap()).unwrap();
        let trusted = TrustedIssuer::new(ISSUER, AUDIENCE, keys).unwrap();
        let mut fixture = Fixture::trusting(Verifier::new(trusted));
        fixture.builder = TokenBuilder::access(algorithm.as_str(), KEY_ID);
        fixture.signer = signer(algorithm);
        let fixture = fixture.checked().await;
        let forged = fixture.builder().sign(&signer_of_another(algorithm));
        fixture.refuses_token(&forged, TokenError::Signature).await;
    }
    let issuer = Issuer::new(ISSUER, AUDIENCE, signing_key(Algorithm::HS256)).unwrap();
    let response = send_to(issuer.jwks(), request("GET", &[])).await;
    assert_eq!(response.body, r#"{"keys":[]}"#, "a secret is not published");
}

#[tokio::test]
async fn the_signature_of_another_token_or_of_other_text_is_refused() {
    let fixture = Fixture::own().await;
    let token = fixture.builder().sign(&fixture.signer);
    let another = fixture.builder().claim("jti", "another").sign(&fixture.signer);
    fixture.accepts_token(&another).await;
    let refuses = async |signature: &[u8]| {
        fixture.refuses_token(&resigned(&token, signature), TokenError::Signature).await;
    };
    refuses(&decode_signature(&another)).await;
    let (signed, _) = token.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    for text in ["", header, claims, &format!("{signed}."), &signed.to_lowercase()] {
        refuses(&fixture.signer.signature(text)).await;
    }
    let decoded = format!("{}.{}", fixture.builder.header_json(), fixture.builder.claims_json());
    refuses(&fixture.signer.signature(&decoded)).await;
}

#[tokio::test]
async fn a_signature_of_the_wrong_length_is_refused() {
    for algorithm in [
        Algorithm::HS256,
        Algorithm::RS256,
        Algorithm::ES256,
        Algorithm::ES512,
        Algorithm::EdDSA,
        Algorithm::MlDsa44,
    ] {
        let fixture = Fixture::own_for(algorithm).await;
        let token = fixture.builder().sign(&fixture.signer);
        let signature = decode_signature(&token);
        for changed in [
            vec![],
            vec![0],
            signature[..1].to_vec(),
            signature[..signature.len() / 2].to_vec(),
            signature[..signature.len() - 1].to_vec(),
            signature[1..].to_vec(),
            [&[0], &signature[..]].concat(),
            [&signature[..], &[0]].concat(),
            [&signature[..], &signature].concat(),
            vec![0; signature.len()],
            vec![0xff; signature.len()],
        ] {
            fixture.refuses_token(&resigned(&token, &changed), TokenError::Signature).await;
        }
    }
}

/// Returns a DER integer from big-endian bytes.
fn der_integer(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let mut value = bytes[zeros..].to_vec();
    if value.first().is_none_or(|first| *first >= 0x80) {
        value.insert(0, 0);
    }
    [&[2, u8::try_from(value.len()).unwrap()], &value[..]].concat()
}

#[tokio::test]
async fn an_ecdsa_signature_in_der_is_refused() {
    for algorithm in [Algorithm::ES256, Algorithm::ES384, Algorithm::ES512] {
        let fixture = Fixture::own_for(algorithm).await;
        let token = fixture.builder().sign(&fixture.signer);
        let signature = decode_signature(&token);
        let (r, s) = signature.split_at(signature.len() / 2);
        let integers = [der_integer(r), der_integer(s)].concat();
        let length = u8::try_from(integers.len()).unwrap();
        // Lengths from 128 on have another octet before them.
        let head = if length < 128 { vec![0x30, length] } else { vec![0x30, 0x81, length] };
        let der = [head, integers].concat();
        fixture.refuses_token(&resigned(&token, &der), TokenError::Signature).await;
        let swapped = [s, r].concat();
        fixture.refuses_token(&resigned(&token, &swapped), TokenError::Signature).await;
    }
}

#[tokio::test]
async fn an_ed25519_signature_with_the_group_order_added_is_refused() {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let fixture = Fixture::own_for(Algorithm::EdDSA).await;
    let token = fixture.builder().sign(&fixture.signer);
    let mut signature = decode_signature(&token);
    let mut carry = 0;
    for (byte, order) in signature[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    fixture.refuses_token(&resigned(&token, &signature), TokenError::Signature).await;
}

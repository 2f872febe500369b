//! Which access tokens are accepted. Every test begins with one that is, and changes one thing.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use jsonwebtoken::{DecodingKey, EncodingKey};
use serde_json::{Value, json};
use tower::{Layer, service_fn};
use tower_jwt_auth::{
    Algorithm, AuthError, ConfigError, Issuer, JwtAuthLayer, KeySet, ManualClock, RefreshSecrets,
    RequestError, RevocationList, SignIn, SigningKey, Timestamp, TokenError, TokenPart,
    TrustedIssuer, Verifier, VerifyingKey,
};
use tower_jwt_auth_tests::forge::{Draft, encode, verifies};
use tower_jwt_auth_tests::world::{Profile, call_behind, echo, reason, request, send_to};
use tower_jwt_auth_tests::{AUDIENCE, Answer, Forge, ISSUER, START, World, logs};

macro_rules! key {
    ($name:literal) => {
        include_bytes!(concat!("keys/", $name, ".pem"))
    };
}

const SECRET: [u8; 64] = *b"sixty-four bytes that only the issuer and its verifiers ever see";
const OTHER_SECRET: [u8; 64] = [9; 64];
const KEY_ID: &str = "key";

/// A layer that judges on a clock that stands still, and what makes tokens for it.
struct Bench {
    auth: JwtAuthLayer<Profile>,
    clock: Arc<ManualClock>,
    forge: Forge,
    draft: Draft,
}

impl Bench {
    /// Tokens of our own.
    async fn own() -> Self {
        Self::own_for(Algorithm::HS256).await
    }

    async fn own_for(algorithm: Algorithm) -> Self {
        let world = World::with_key(signing_key(algorithm).with_key_id(KEY_ID));
        let draft = Draft::access(algorithm.as_str(), KEY_ID);
        let forge = forge(algorithm);
        Self { auth: world.auth, clock: world.clock, forge, draft }.checked().await
    }

    /// Tokens of someone else's issuer, which is trusted in this way.
    async fn foreign(trust: impl FnOnce(TrustedIssuer) -> TrustedIssuer) -> Self {
        let keys = KeySet::new([verifying_key(Algorithm::HS256).with_key_id(KEY_ID)]).unwrap();
        Self::trusting(Verifier::new(trust(TrustedIssuer::new(ISSUER, AUDIENCE, keys).unwrap())))
            .checked()
            .await
    }

    fn trusting(verifier: Verifier<Profile>) -> Self {
        logs::capture();
        let clock = Arc::new(ManualClock::at(START));
        let auth = JwtAuthLayer::new(verifier, RevocationList::none()).with_clock(clock.clone());
        let draft = Draft::access("HS256", KEY_ID);
        Self { auth, clock, forge: forge(Algorithm::HS256), draft }
    }

    /// What is refused hereafter is refused for its one change.
    async fn checked(self) -> Self {
        self.accepts(&self.draft).await;
        self
    }

    fn draft(&self) -> Draft {
        self.draft.clone()
    }

    /// Moves the clock to this many milliseconds after the beginning.
    fn at_millis(&self, millis: i64) {
        self.clock.set(Timestamp::from_unix_millis(START.unix_millis() + millis));
    }

    async fn accepts(&self, draft: &Draft) {
        self.accepts_token(&draft.sign(&self.forge)).await;
    }

    async fn refuses(&self, draft: &Draft, error: TokenError) {
        let what = format!("{} {}", draft.header_json(), draft.claims_json());
        assert_eq!(self.refusal(&draft.sign(&self.forge)).await, error, "{what}");
    }

    async fn accepts_token(&self, token: &str) {
        let answer = call_behind(&self.auth, token).await;
        let error = answer.extensions.get::<AuthError>();
        assert_eq!((answer.status, error), (StatusCode::OK, None));
        assert_eq!(answer.body, "alice is Alice");
    }

    /// Why a token is refused: with 401, and without telling the client more than that.
    async fn refusal(&self, token: &str) -> TokenError {
        let answer = call_behind(&self.auth, token).await;
        answer.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
        match reason(&answer) {
            AuthError::Token(error) => error,
            other => panic!("{other}"),
        }
    }

    /// For tokens that are not of JSON or not of base64url.
    async fn refuses_token(&self, token: &str, error: TokenError) {
        assert_eq!(self.refusal(token).await, error, "{token}");
    }
}

fn is_hmac(algorithm: Algorithm) -> bool {
    matches!(algorithm, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512)
}

/// The private key of an algorithm, and another one of the same kind.
fn private_pems(algorithm: Algorithm) -> [&'static [u8]; 2] {
    match algorithm {
        Algorithm::ES256 => [key!("p256"), key!("p256-other")],
        Algorithm::ES384 => [key!("p384"), key!("p384-other")],
        Algorithm::EdDSA => [key!("ed25519"), key!("ed25519-other")],
        _ => [key!("rsa"), key!("rsa-other")],
    }
}

fn public_pem(algorithm: Algorithm) -> &'static [u8] {
    match algorithm {
        Algorithm::ES256 => key!("p256-public"),
        Algorithm::ES384 => key!("p384-public"),
        Algorithm::EdDSA => key!("ed25519-public"),
        _ => key!("rsa-public"),
    }
}

fn signing_key(algorithm: Algorithm) -> SigningKey {
    if is_hmac(algorithm) {
        return SigningKey::from_secret(algorithm, &SECRET).unwrap();
    }
    SigningKey::from_pem(algorithm, private_pems(algorithm)[0]).unwrap()
}

fn verifying_key(algorithm: Algorithm) -> VerifyingKey {
    if is_hmac(algorithm) {
        return VerifyingKey::from_secret(algorithm, &SECRET).unwrap();
    }
    VerifyingKey::from_pem(algorithm, public_pem(algorithm)).unwrap()
}

/// The same algorithm as the other implementation names it.
fn named(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    algorithm.as_str().parse().unwrap()
}

fn forge(algorithm: Algorithm) -> Forge {
    forge_with(algorithm, &SECRET, private_pems(algorithm)[0])
}

fn forge_of_another(algorithm: Algorithm) -> Forge {
    forge_with(algorithm, &OTHER_SECRET, private_pems(algorithm)[1])
}

fn forge_with(algorithm: Algorithm, secret: &[u8], pem: &[u8]) -> Forge {
    let key = match algorithm {
        _ if is_hmac(algorithm) => EncodingKey::from_secret(secret),
        Algorithm::ES256 | Algorithm::ES384 => EncodingKey::from_ec_pem(pem).unwrap(),
        Algorithm::EdDSA => EncodingKey::from_ed_pem(pem).unwrap(),
        _ => EncodingKey::from_rsa_pem(pem).unwrap(),
    };
    Forge::new(named(algorithm), key)
}

/// The key for the other implementation to verify with.
fn decoding_key(algorithm: Algorithm) -> DecodingKey {
    let pem = public_pem(algorithm);
    match algorithm {
        _ if is_hmac(algorithm) => DecodingKey::from_secret(&SECRET),
        Algorithm::ES256 | Algorithm::ES384 => DecodingKey::from_ec_pem(pem).unwrap(),
        Algorithm::EdDSA => DecodingKey::from_ed_pem(pem).unwrap(),
        _ => DecodingKey::from_rsa_pem(pem).unwrap(),
    }
}

/// The binary content of a PEM.
fn der(pem: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(pem).unwrap();
    let base64: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
    base64_simd::STANDARD.decode_to_vec(base64).unwrap()
}

fn decode_signature(token: &str) -> Vec<u8> {
    let (_, signature) = token.rsplit_once('.').unwrap();
    base64_simd::URL_SAFE_NO_PAD.decode_to_vec(signature).unwrap()
}

/// The token with another signature.
fn resigned(token: &str, signature: &[u8]) -> String {
    format!("{}.{}", token.rsplit_once('.').unwrap().0, encode(signature))
}

// ---------------------------------------------------------------- Encoding

#[tokio::test]
async fn a_token_of_other_than_three_segments_is_refused() {
    let bench = Bench::own().await;
    let token = bench.draft().sign(&bench.forge);
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
        bench.refuses_token(&bad, TokenError::Encoding).await;
    }
}

#[tokio::test]
async fn an_empty_segment_is_refused() {
    let bench = Bench::own().await;
    let token = bench.draft().sign(&bench.forge);
    let segments: Vec<_> = token.split('.').collect();
    let [header, claims, signature] = segments[..] else { panic!() };
    bench.refuses_token("..", TokenError::Json(TokenPart::Header)).await;
    bench
        .refuses_token(&format!(".{claims}.{signature}"), TokenError::Json(TokenPart::Header))
        .await;
    bench
        .refuses_token(&format!("{header}..{signature}"), TokenError::Json(TokenPart::Claims))
        .await;
    bench.refuses_token(&format!("{header}.{claims}."), TokenError::Signature).await;
    bench
        .refuses_token(&bench.forge.segments(header, ""), TokenError::Json(TokenPart::Claims))
        .await;
    bench
        .refuses_token(&bench.forge.segments("", claims), TokenError::Json(TokenPart::Header))
        .await;
}

/// Header and claims as text whose base64url has all of: a rest of one byte, and both special characters.
fn special_texts(draft: &Draft) -> (String, String) {
    let fill = |json: String| {
        // "~~~" and "???" at the three possible places in a group give both `-` and `_`.
        let json = json.replacen('{', r#"{"?":"~~~>>> ~~~>>>  ~~~>>>???","#, 1);
        let spaces = (4 - json.len() % 3) % 3;
        format!("{json}{}", " ".repeat(spaces))
    };
    (fill(draft.header_json()), fill(draft.claims_json()))
}

#[tokio::test]
async fn padding_and_other_alphabets_are_refused_though_the_signature_is_over_them() {
    let bench = Bench::own().await;
    let (header, claims) = special_texts(&bench.draft);
    let (header, claims) = (encode(header.as_bytes()), encode(claims.as_bytes()));
    for text in [&header, &claims] {
        assert!(text.len() % 4 == 2 && text.contains('-'), "{text}");
    }
    bench.accepts_token(&bench.forge.segments(&header, &claims)).await;
    for change in [
        &|text: &str| format!("{text}=="),
        &|text: &str| format!("{text}="),
        &|text: &str| format!("={text}"),
        &|text: &str| text.replace('-', "+"),
        &|text: &str| text.replacen('-', "/", 1),
        &|text: &str| text.replacen('e', "!", 1),
        &|text: &str| format!("{text}~"),
        // What is left over is no whole byte.
        &|text: &str| text[..text.len() - 1].to_owned(),
        &|text: &str| format!("{text}IIA"),
    ] as [&dyn Fn(&str) -> String; 9]
    {
        let token = bench.forge.segments(&change(&header), &claims);
        bench.refuses_token(&token, TokenError::Encoding).await;
        let token = bench.forge.segments(&header, &change(&claims));
        bench.refuses_token(&token, TokenError::Encoding).await;
    }
    let token = bench.forge.segments(&header, &claims);
    bench.refuses_token(&format!("{token}="), TokenError::Encoding).await;
    bench.refuses_token(&format!("{token}A="), TokenError::Encoding).await;
}

/// The same bytes in base64url whose last character has a bit set that belongs to none of them.
fn non_canonical(segment: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    assert_ne!(segment.len() % 4, 0, "there are no bits to spare");
    let (rest, last) = segment.split_at(segment.len() - 1);
    let value = ALPHABET.iter().position(|one| *one == last.as_bytes()[0]).unwrap();
    format!("{rest}{}", char::from(ALPHABET[value + 1]))
}

#[tokio::test]
async fn non_canonical_trailing_bits_are_refused_though_the_signature_is_over_them() {
    let bench = Bench::own().await;
    let (header, claims) = special_texts(&bench.draft);
    let (header, claims) = (encode(header.as_bytes()), encode(claims.as_bytes()));
    let token = bench.forge.segments(&header, &claims);
    bench.accepts_token(&token).await;
    let changed = bench.forge.segments(&non_canonical(&header), &claims);
    bench.refuses_token(&changed, TokenError::Encoding).await;
    let changed = bench.forge.segments(&header, &non_canonical(&claims));
    bench.refuses_token(&changed, TokenError::Encoding).await;
    bench.refuses_token(&non_canonical(&token), TokenError::Encoding).await;
}

#[tokio::test]
async fn what_is_no_json_object_is_refused_though_it_is_signed() {
    let bench = Bench::own().await;
    let (header, claims) = (bench.draft.header_json(), bench.draft.claims_json());
    let spaced = |json: &str| format!(" \n\t{json}\r\n ");
    bench.accepts_token(&bench.forge.token(&spaced(&header), &spaced(&claims))).await;
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
        let error = bench.refusal(&bench.forge.token(&bad, &claims)).await;
        assert_eq!(error, TokenError::Json(TokenPart::Header), "{bad:?}");
    }
    for bad in change(&claims) {
        let error = bench.refusal(&bench.forge.token(&header, &bad)).await;
        assert_eq!(error, TokenError::Json(TokenPart::Claims), "{bad:?}");
    }
}

#[tokio::test]
async fn bytes_that_are_no_utf_8_are_refused_though_they_are_signed() {
    let bench = Bench::own().await;
    let (header, claims) = (bench.draft.header_json(), bench.draft.claims_json());
    for bad in [&b"\xff"[..], b"\xc3", b"\xed\xa0\x80", b"\xc0\xaf"] {
        let odd = |json: &str| {
            let (start, end) = json.split_at(1);
            encode(&[start.as_bytes(), b"\"x\":\"", bad, b"\",", end.as_bytes()].concat())
        };
        let token = bench.forge.segments(&odd(&header), &encode(claims.as_bytes()));
        bench.refuses_token(&token, TokenError::Json(TokenPart::Header)).await;
        let token = bench.forge.segments(&encode(header.as_bytes()), &odd(&claims));
        bench.refuses_token(&token, TokenError::Json(TokenPart::Claims)).await;
    }
    let lone = claims.replacen('{', r#"{"x":"\ud800","#, 1);
    let status = call_behind(&bench.auth, &bench.forge.token(&header, &lone)).await.status;
    assert!([StatusCode::OK, StatusCode::UNAUTHORIZED].contains(&status), "judged somehow");
}

#[tokio::test]
async fn json_that_is_nested_deeply_is_judged_and_breaks_nothing() {
    let bench = Bench::own().await;
    let (header, claims) = (bench.draft.header_json(), bench.draft.claims_json());
    for open in ["[", r#"{"a":"#] {
        let deep = format!(r#"{{"x":{}"#, open.repeat(5000 / open.len()));
        bench.refusal(&bench.forge.token(&deep, &claims)).await;
        bench.refusal(&bench.forge.token(&header, &deep)).await;
        bench.refusal(&bench.forge.token(&open.repeat(5000 / open.len()), &claims)).await;
    }
}

#[tokio::test]
async fn no_character_can_be_exchanged_for_any_other() {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/";
    let bench = Bench::own().await;
    let token = bench.draft().sign(&bench.forge);
    let mut changed = token.clone().into_bytes();
    for at in 0..token.len() {
        let original = changed[at];
        for other in ALPHABET.iter().filter(|other| **other != original) {
            changed[at] = *other;
            let answer = call_behind(&bench.auth, std::str::from_utf8(&changed).unwrap()).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{at}: {}", char::from(*other));
        }
        changed[at] = original;
    }
    bench.accepts_token(std::str::from_utf8(&changed).unwrap()).await;
}

#[tokio::test]
async fn no_bit_can_be_flipped_whatever_the_key() {
    for algorithm in [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA] {
        let bench = Bench::own_for(algorithm).await;
        let token = bench.draft().sign(&bench.forge);
        bench.accepts_token(&token).await;
        let signature = decode_signature(&token);
        for bit in 0..signature.len() * 8 {
            let mut changed = signature.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            bench.refuses_token(&resigned(&token, &changed), TokenError::Signature).await;
        }
        let signed = token.rsplit_once('.').unwrap().0;
        for at in 0..signed.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            bench.refusal(std::str::from_utf8(&changed).unwrap()).await;
        }
    }
}

#[tokio::test]
async fn a_token_that_is_cut_short_or_goes_on_is_refused() {
    let bench = Bench::own().await;
    let token = bench.draft().sign(&bench.forge);
    bench.accepts_token(&token).await;
    for end in 1..token.len() {
        bench.refusal(&token[..end]).await;
        bench.refusal(&token[end..]).await;
    }
    for more in ["A", "AA", "AAA", "AAAA", "_", ".", "=", "=="] {
        bench.refusal(&format!("{token}{more}")).await;
        bench.refusal(&format!("{more}{token}")).await;
    }
}

// ---------------------------------------------------------------- Signatures

#[tokio::test]
async fn another_implementation_verifies_our_tokens_with_every_algorithm() {
    for algorithm in Algorithm::ALL.iter().copied() {
        let world = World::with_key(signing_key(algorithm));
        let tokens = world.sign_in().await;
        let token = tokens.access().as_str();
        assert!(verifies(named(algorithm), &decoding_key(algorithm), token), "{algorithm}");
        assert_eq!(world.call(token).await.status, StatusCode::OK, "{algorithm}");
        let changed = token.replacen("eyJ", "eyK", 1);
        assert!(!verifies(named(algorithm), &decoding_key(algorithm), &changed), "{algorithm}");
    }
}

#[tokio::test]
async fn tokens_of_another_implementation_are_accepted_and_those_of_another_key_are_not() {
    for algorithm in Algorithm::ALL.iter().copied() {
        // Accepted to begin with.
        let bench = Bench::own_for(algorithm).await;
        let forged = bench.draft().sign(&forge_of_another(algorithm));
        bench.refuses_token(&forged, TokenError::Signature).await;
        let token = bench.draft().sign(&bench.forge);
        bench.refuses_token(&resigned(&token, &[]), TokenError::Signature).await;
    }
}

#[tokio::test]
async fn published_keys_are_all_that_another_service_needs() {
    for algorithm in Algorithm::ALL.iter().copied().filter(|algorithm| !is_hmac(*algorithm)) {
        let issuer = Issuer::new(ISSUER, AUDIENCE, signing_key(algorithm).with_key_id(KEY_ID));
        let answer = send_to(issuer.unwrap().jwks(), request("GET", &[])).await;
        let keys = KeySet::from_jwks(std::str::from_utf8(&answer.body).unwrap()).unwrap();
        let trusted = TrustedIssuer::new(ISSUER, AUDIENCE, keys).unwrap();
        let mut bench = Bench::trusting(Verifier::new(trusted));
        bench.draft = Draft::access(algorithm.as_str(), KEY_ID);
        bench.forge = forge(algorithm);
        let bench = bench.checked().await;
        let forged = bench.draft().sign(&forge_of_another(algorithm));
        bench.refuses_token(&forged, TokenError::Signature).await;
    }
    let issuer = Issuer::new(ISSUER, AUDIENCE, signing_key(Algorithm::HS256)).unwrap();
    let answer = send_to(issuer.jwks(), request("GET", &[])).await;
    assert_eq!(answer.body, r#"{"keys":[]}"#, "a secret is not published");
}

#[tokio::test]
async fn the_signature_of_another_token_or_of_other_text_is_refused() {
    let bench = Bench::own().await;
    let token = bench.draft().sign(&bench.forge);
    let another = bench.draft().claim("jti", "another").sign(&bench.forge);
    bench.accepts_token(&another).await;
    let refuses = async |signature: &[u8]| {
        bench.refuses_token(&resigned(&token, signature), TokenError::Signature).await;
    };
    refuses(&decode_signature(&another)).await;
    let (signed, _) = token.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    for text in ["", header, claims, &format!("{signed}."), &signed.to_lowercase()] {
        refuses(&bench.forge.signature(text)).await;
    }
    let decoded = format!("{}.{}", bench.draft.header_json(), bench.draft.claims_json());
    refuses(&bench.forge.signature(&decoded)).await;
}

#[tokio::test]
async fn a_signature_of_the_wrong_length_is_refused() {
    for algorithm in [Algorithm::HS256, Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
        let bench = Bench::own_for(algorithm).await;
        let token = bench.draft().sign(&bench.forge);
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
            bench.refuses_token(&resigned(&token, &changed), TokenError::Signature).await;
        }
    }
}

/// A DER integer of big-endian bytes.
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
    for algorithm in [Algorithm::ES256, Algorithm::ES384] {
        let bench = Bench::own_for(algorithm).await;
        let token = bench.draft().sign(&bench.forge);
        let signature = decode_signature(&token);
        let (r, s) = signature.split_at(signature.len() / 2);
        let integers = [der_integer(r), der_integer(s)].concat();
        let der = [&[0x30, u8::try_from(integers.len()).unwrap()], &integers[..]].concat();
        bench.refuses_token(&resigned(&token, &der), TokenError::Signature).await;
        let swapped = [s, r].concat();
        bench.refuses_token(&resigned(&token, &swapped), TokenError::Signature).await;
    }
}

#[tokio::test]
async fn an_ed25519_signature_with_the_group_order_added_is_refused() {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let bench = Bench::own_for(Algorithm::EdDSA).await;
    let token = bench.draft().sign(&bench.forge);
    let mut signature = decode_signature(&token);
    let mut carry = 0;
    for (byte, order) in signature[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    bench.refuses_token(&resigned(&token, &signature), TokenError::Signature).await;
}

// ---------------------------------------------------------------- Algorithms and keys

#[tokio::test]
async fn no_algorithm_at_all_is_refused_in_any_case_with_and_without_a_signature() {
    for algorithm in [Algorithm::HS256, Algorithm::EdDSA] {
        let bench = Bench::own_for(algorithm).await;
        for none in ["none", "None", "NONE", "nOnE", "", " ", "null", "false", "none "] {
            for draft in [
                bench.draft().header("alg", none),
                bench.draft().header("alg", none).without_header("kid"),
            ] {
                bench.refuses(&draft, TokenError::Algorithm).await;
                let unsigned = resigned(&draft.sign(&bench.forge), &[]);
                bench.refuses_token(&unsigned, TokenError::Algorithm).await;
            }
        }
        let without = bench.draft().without_header("alg");
        bench.refuses(&without, TokenError::Algorithm).await;
        let unsigned = resigned(&without.sign(&bench.forge), &[]);
        bench.refuses_token(&unsigned, TokenError::Algorithm).await;
        for mistyped in [json!(null), json!(0), json!(false), json!(["HS256"]), json!({})] {
            let draft = bench.draft().header("alg", mistyped);
            bench.refuses(&draft, TokenError::Json(TokenPart::Header)).await;
        }
    }
}

#[tokio::test]
async fn names_of_algorithms_are_matched_with_regard_to_case_and_to_the_letter() {
    let bench = Bench::own().await;
    for other in ["hs256", "Hs256", "HS256 ", " HS256", "HS-256", "HS2560", "HMAC", "ES256K"] {
        bench.refuses(&bench.draft().header("alg", other), TokenError::Algorithm).await;
    }
}

#[tokio::test]
async fn an_algorithm_that_the_key_is_not_for_is_refused() {
    for (own, other) in [
        (Algorithm::HS256, Algorithm::HS384),
        (Algorithm::HS256, Algorithm::HS512),
        (Algorithm::HS512, Algorithm::HS256),
        // The very same RSA key.
        (Algorithm::RS256, Algorithm::PS256),
        (Algorithm::PS256, Algorithm::RS256),
        (Algorithm::RS256, Algorithm::RS512),
        (Algorithm::RS512, Algorithm::RS256),
        (Algorithm::PS384, Algorithm::PS256),
        (Algorithm::ES256, Algorithm::ES384),
        (Algorithm::ES384, Algorithm::ES256),
        (Algorithm::ES256, Algorithm::EdDSA),
        (Algorithm::EdDSA, Algorithm::RS256),
    ] {
        let bench = Bench::own_for(own).await;
        let draft = bench.draft().header("alg", other.as_str());
        // Signed as the header says, and as the key would.
        for forge in [&forge(other), &bench.forge] {
            for draft in [&draft, &draft.clone().without_header("kid")] {
                assert_eq!(bench.refusal(&draft.sign(forge)).await, TokenError::UnknownKey);
            }
        }
        // Signed with the other algorithm, named as the right one.
        let forged = bench.draft().sign(&forge(other));
        assert_eq!(bench.refusal(&forged).await, TokenError::Signature, "{own} by {other}");
    }
}

#[tokio::test]
async fn a_public_key_is_no_secret() {
    for algorithm in [Algorithm::EdDSA, Algorithm::RS256, Algorithm::PS256, Algorithm::ES256] {
        let bench = Bench::own_for(algorithm).await;
        let pem = public_pem(algorithm);
        let (spki, text) = (der(pem), std::str::from_utf8(pem).unwrap());
        let base64: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
        let secrets: [&[u8]; 9] = [
            pem,
            text.trim_end().as_bytes(),
            base64.as_bytes(),
            &spki,
            // The raw key or point, and its coordinates.
            &spki[spki.len() - 32..],
            &spki[spki.len().saturating_sub(65)..],
            &spki[spki.len().saturating_sub(64)..],
            key!("rsa-public-pkcs1"),
            b"",
        ];
        for secret in secrets {
            for (hmac, forge) in [
                ("HS256", jsonwebtoken::Algorithm::HS256),
                ("HS384", jsonwebtoken::Algorithm::HS384),
                ("HS512", jsonwebtoken::Algorithm::HS512),
            ] {
                let forge = Forge::new(forge, EncodingKey::from_secret(secret));
                let draft = bench.draft().header("alg", hmac);
                let error = bench.refusal(&draft.sign(&forge)).await;
                assert_eq!(error, TokenError::UnknownKey, "{algorithm} by {hmac}");
                let without = draft.without_header("kid");
                assert_eq!(bench.refusal(&without.sign(&forge)).await, TokenError::UnknownKey);
                let named_right = bench.draft().sign(&forge);
                assert_eq!(bench.refusal(&named_right).await, TokenError::Signature);
            }
        }
    }
}

#[tokio::test]
async fn a_public_key_is_no_secret_either_where_a_secret_is_trusted_beside_it() {
    let pem = key!("ed25519-public");
    let keys = [verifying_key(Algorithm::EdDSA), verifying_key(Algorithm::HS256)]
        .map(|key| key.with_key_id(KEY_ID));
    let trusted = TrustedIssuer::new(ISSUER, AUDIENCE, KeySet::new(keys).unwrap()).unwrap();
    let bench = Bench::trusting(Verifier::new(trusted)).checked().await;
    let spki = der(pem);
    for secret in [&pem[..], &spki, &spki[spki.len() - 32..]] {
        let forged = bench.draft().sign(&Forge::hs256(secret));
        bench.refuses_token(&forged, TokenError::Signature).await;
    }
    let ed25519 = bench.draft().header("alg", "EdDSA");
    bench.accepts_token(&ed25519.sign(&forge(Algorithm::EdDSA))).await;
    bench.refuses(&ed25519, TokenError::Signature).await;
}

#[tokio::test]
async fn critical_extensions_are_refused_whatever_they_are() {
    let bench = Bench::own().await;
    // The extensions themselves are unknown members, which are ignored (RFC 7515 §4).
    bench.accepts(&bench.draft().header("b64", true).header("x", json!({ "y": [1] }))).await;
    for crit in [
        json!(["x"]),
        json!(["b64"]),
        json!(["alg"]),
        json!(["exp", "typ"]),
        json!([]),
        json!([""]),
        json!(null),
        json!(false),
        json!(1),
        json!("x"),
        json!({}),
    ] {
        let draft = bench.draft().header("b64", true).header("x", 1).header("crit", crit);
        bench.refuses(&draft, TokenError::Critical).await;
    }
    let escaped = bench.draft.header_json().replacen('{', r#"{"x":1,"\u0063rit":["x"],"#, 1);
    let token = bench.forge.token(&escaped, &bench.draft.claims_json());
    bench.refuses_token(&token, TokenError::Critical).await;
    // As a claim it is a name like any other.
    bench.accepts(&bench.draft().claim("crit", json!(["x"]))).await;
}

#[tokio::test]
async fn keys_in_the_header_are_never_used_and_never_fetched() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
    let bench = Bench::own_for(Algorithm::EdDSA).await;
    let attacker = forge_of_another(Algorithm::EdDSA);
    let attackers = SigningKey::from_pem(Algorithm::EdDSA, key!("ed25519-other")).unwrap();
    let set = KeySet::new([attackers.verifying_key().clone()]).unwrap().to_jwks();
    let set: Value = serde_json::from_str(&set).unwrap();
    let jwk = set["keys"][0].clone();
    assert_eq!(jwk["kty"], "OKP");
    let certificate = base64_simd::STANDARD.encode_to_string(der(key!("rsa-certificate")));
    for (name, value) in [
        ("jwk", jwk.clone()),
        ("jku", json!(url)),
        ("x5u", json!(url)),
        ("x5c", json!([certificate])),
        ("x5t", json!("x")),
        ("x5t#S256", json!("x")),
        ("jwks", set.clone()),
        ("jwk", json!("garbage")),
        ("jku", json!(1)),
    ] {
        let draft = bench.draft().header(name, value);
        bench.accepts(&draft).await;
        bench.refuses_token(&draft.sign(&attacker), TokenError::Signature).await;
        for id in [jwk["kid"].clone(), json!(url), json!("")] {
            let named = draft.clone().header("kid", id);
            bench.refuses_token(&named.sign(&attacker), TokenError::UnknownKey).await;
        }
        let nameless = draft.without_header("kid");
        bench.refuses_token(&nameless.sign(&attacker), TokenError::Signature).await;
    }
    // A secret in the header, with the algorithm that goes with it.
    let secret = json!({ "kty": "oct", "k": encode(&OTHER_SECRET), "alg": "HS256" });
    let draft = bench.draft().header("alg", "HS256").header("jwk", secret);
    let token = draft.sign(&Forge::hs256(&OTHER_SECRET));
    bench.refuses_token(&token, TokenError::UnknownKey).await;
    let fetched = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(fetched.is_err(), "nobody has called");
}

/// Trusts these keys of the issuer.
fn trusting_keys(keys: impl IntoIterator<Item = VerifyingKey>) -> Bench {
    let keys = KeySet::new(keys).unwrap();
    Bench::trusting(Verifier::new(TrustedIssuer::new(ISSUER, AUDIENCE, keys).unwrap()))
}

fn secret_key(algorithm: Algorithm, secret: &[u8], key_id: &str) -> VerifyingKey {
    VerifyingKey::from_secret(algorithm, secret).unwrap().with_key_id(key_id)
}

#[tokio::test]
async fn a_missing_key_id_is_accepted_only_where_one_key_fits() {
    let bench = Bench::own().await;
    bench.accepts(&bench.draft().without_header("kid")).await;
    let forged = bench.draft().without_header("kid").sign(&Forge::hs256(&OTHER_SECRET));
    bench.refuses_token(&forged, TokenError::Signature).await;

    // One of each algorithm: one fits.
    let bench = trusting_keys([
        secret_key(Algorithm::HS384, &OTHER_SECRET, "other"),
        secret_key(Algorithm::HS256, &SECRET, KEY_ID),
    ]);
    bench.accepts(&bench.draft()).await;
    bench.accepts(&bench.draft().without_header("kid")).await;

    // Two of the algorithm: neither is tried.
    let bench = trusting_keys([
        secret_key(Algorithm::HS256, &SECRET, KEY_ID),
        secret_key(Algorithm::HS256, &OTHER_SECRET, "other"),
    ]);
    bench.accepts(&bench.draft()).await;
    bench.refuses(&bench.draft().without_header("kid"), TokenError::UnknownKey).await;
}

#[tokio::test]
async fn the_key_id_names_the_one_key_that_is_tried() {
    let bench = trusting_keys([
        secret_key(Algorithm::HS256, &OTHER_SECRET, "other"),
        secret_key(Algorithm::HS256, &SECRET, KEY_ID),
        secret_key(Algorithm::HS384, &SECRET, "longer"),
    ])
    .checked()
    .await;
    let other = bench.draft().header("kid", "other");
    bench.accepts_token(&other.sign(&Forge::hs256(&OTHER_SECRET))).await;
    bench.refuses(&other, TokenError::Signature).await;
    let forged = bench.draft().sign(&Forge::hs256(&OTHER_SECRET));
    bench.refuses_token(&forged, TokenError::Signature).await;
    // Of a key for another algorithm, and of none at all.
    for unknown in ["longer", "", "KEY", "key ", "ke", "keys", "../key", "key\0", "*", "0"] {
        bench.refuses(&bench.draft().header("kid", unknown), TokenError::UnknownKey).await;
    }
    for mistyped in [json!(null), json!(0), json!(["key"]), json!({}), json!(true)] {
        let draft = bench.draft().header("kid", mistyped);
        bench.refuses(&draft, TokenError::Json(TokenPart::Header)).await;
    }
}

#[tokio::test]
async fn keys_of_one_name_are_told_apart_by_their_algorithm() {
    let bench = trusting_keys([
        secret_key(Algorithm::HS384, &OTHER_SECRET, KEY_ID),
        secret_key(Algorithm::HS256, &SECRET, KEY_ID),
    ])
    .checked()
    .await;
    let longer = bench.draft().header("alg", "HS384");
    let forge_384 = |secret: &[u8]| forge_with(Algorithm::HS384, secret, b"");
    bench.accepts_token(&longer.sign(&forge_384(&OTHER_SECRET))).await;
    bench.refuses_token(&longer.sign(&forge_384(&SECRET)), TokenError::Signature).await;
    let forged = bench.draft().sign(&Forge::hs256(&OTHER_SECRET));
    bench.refuses_token(&forged, TokenError::Signature).await;
}

// ---------------------------------------------------------------- Type

const OTHER_TYPES: [&str; 12] = [
    "",
    "at",
    "at+jwt ",
    " at+jwt",
    "at+jwt2",
    "xat+jwt",
    "at-jwt",
    "refresh+jwt",
    "application/",
    "application/application/at+jwt",
    "text/at+jwt",
    "logout+jwt",
];

#[tokio::test]
async fn the_type_is_at_jwt_with_or_without_prefix_in_any_case() {
    for bench in [Bench::own().await, Bench::foreign(|trusted| trusted).await] {
        for good in ["at+jwt", "AT+JWT", "At+Jwt", "application/at+jwt", "Application/AT+JWT"] {
            bench.accepts(&bench.draft().header("typ", good)).await;
        }
        for bad in OTHER_TYPES.into_iter().chain(["JWT", "jwt", "application/jwt"]) {
            bench.refuses(&bench.draft().header("typ", bad), TokenError::Type).await;
        }
        bench.refuses(&bench.draft().without_header("typ"), TokenError::Type).await;
        for mistyped in [json!(null), json!(1), json!(["at+jwt"])] {
            let draft = bench.draft().header("typ", mistyped);
            bench.refuses(&draft, TokenError::Json(TokenPart::Header)).await;
        }
    }
}

#[tokio::test]
async fn a_plain_jwt_is_accepted_where_it_is_allowed_by_name_and_no_other_type_is() {
    let bench = Bench::foreign(TrustedIssuer::dangerous_allow_plain_jwt_type).await;
    for plain in ["JWT", "jwt", "application/jwt", "application/JWT", "at+jwt"] {
        bench.accepts(&bench.draft().header("typ", plain)).await;
    }
    bench.accepts(&bench.draft().without_header("typ")).await;
    for bad in OTHER_TYPES {
        bench.refuses(&bench.draft().header("typ", bad), TokenError::Type).await;
    }
}

// ---------------------------------------------------------------- Duplicates

#[tokio::test]
async fn a_member_name_that_comes_twice_in_the_header_is_refused() {
    let bench = Bench::own().await;
    let (header, claims) = (bench.draft.header_json(), bench.draft.claims_json());
    let with = |members: &str| header.replacen('{', &format!("{{{members},"), 1);
    bench.accepts_token(&bench.forge.token(&with(r#""x":1,"y":1"#), &claims)).await;
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
        let token = bench.forge.token(&with(twice), &claims);
        assert_eq!(bench.refusal(&token).await, TokenError::Json(TokenPart::Header), "{twice}");
    }
    // At the end as well as at the beginning.
    let last = header.replacen('}', r#","alg":"HS256"}"#, 1);
    let token = bench.forge.token(&last, &claims);
    bench.refuses_token(&token, TokenError::Json(TokenPart::Header)).await;
}

#[tokio::test]
async fn a_member_name_that_comes_twice_in_the_claims_is_refused() {
    let bench = Bench::own().await;
    let (header, claims) = (bench.draft.header_json(), bench.draft.claims_json());
    let with = |members: &str| claims.replacen('{', &format!("{{{members},"), 1);
    bench.accepts_token(&bench.forge.token(&header, &with(r#""x":1,"y":1"#))).await;
    // Names that differ in case are different.
    bench
        .accepts_token(&bench.forge.token(&header, &with(r#""EXP":1,"Sub":"bob","x":1,"X":2"#)))
        .await;
    let of_each = bench.draft.claims_json();
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
        let token = bench.forge.token(&header, &with(&twice));
        assert_eq!(bench.refusal(&token).await, TokenError::Json(TokenPart::Claims), "{twice}");
    }
    let last = claims.replacen('}', r#","sub":"bob"}"#, 1);
    let token = bench.forge.token(&header, &last);
    bench.refuses_token(&token, TokenError::Json(TokenPart::Claims)).await;
}

#[tokio::test]
async fn a_name_that_comes_twice_is_refused_where_the_application_has_no_claims_of_its_own() {
    let world = World::with_key(signing_key(Algorithm::HS256).with_key_id(KEY_ID));
    let auth = JwtAuthLayer::<()>::new(
        Verifier::new(world.sessions.issuer()),
        world.sessions.revocations().clone(),
    )
    .with_clock(world.clock.clone());
    let (forge, draft) = (forge(Algorithm::HS256), Draft::access("HS256", KEY_ID));
    let answer = call_behind(&auth, &draft.sign(&forge)).await;
    assert_eq!(answer.status, StatusCode::OK);
    for twice in [r#""x":1,"x":1"#, r#""name":"Bob""#, r#""sub":"bob""#] {
        let claims = draft.claims_json().replacen('{', &format!("{{{twice},"), 1);
        let answer = call_behind(&auth, &forge.token(&draft.header_json(), &claims)).await;
        answer.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
        assert_eq!(reason(&answer), TokenError::Json(TokenPart::Claims).into());
    }
}

/// Claims of an application that looks at the first of them and stops.
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
async fn an_application_that_stops_reading_early_hides_no_claim_from_judgement() {
    let world = World::with_key(signing_key(Algorithm::HS256).with_key_id(KEY_ID));
    let revocations = world.sessions.revocations().clone();
    let auth = JwtAuthLayer::<Careless>::new(Verifier::new(world.sessions.issuer()), revocations)
        .with_clock(world.clock.clone());
    let (forge, draft) = (forge(Algorithm::HS256), Draft::access("HS256", KEY_ID));
    let judge = async |members: &str, draft: Draft| {
        // The first member is what the application reads; the rest comes behind it.
        let claims = draft.claims_json().replacen('{', r#"{"a":1,"#, 1);
        let claims = claims.replacen('}', &format!("{members}}}"), 1);
        call_behind(&auth, &forge.token(&draft.header_json(), &claims)).await
    };
    assert_eq!(judge("", draft.clone()).await.status, StatusCode::OK);
    assert_eq!(judge(r#","b":1"#, draft.clone()).await.status, StatusCode::OK);
    for twice in [r#","a":1"#, r#","b":1,"b":1"#, r#","sub":"bob""#, r#","exp":9999999999"#] {
        let answer = judge(twice, draft.clone()).await;
        answer.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
        assert_eq!(reason(&answer), TokenError::Json(TokenPart::Claims).into(), "{twice}");
    }
    let expired = draft.clone().without_claim("exp");
    let answer = judge(r#","exp":1"#, expired).await;
    assert_eq!(reason(&answer), TokenError::Expired.into());
    let early = judge(r#","nbf":9999999999"#, draft).await;
    assert_eq!(reason(&early), TokenError::Early("nbf").into());
}

// ---------------------------------------------------------------- Time

const START_SECONDS: i64 = 1_700_000_000;

#[tokio::test]
async fn a_token_of_our_own_expires_five_seconds_after_its_exp_to_the_millisecond() {
    let bench = Bench::own().await;
    for millis in [0, 299_999, 300_000, 304_999] {
        bench.at_millis(millis);
        bench.accepts(&bench.draft()).await;
    }
    for millis in [305_000, 305_001, 306_000, 1 << 40] {
        bench.at_millis(millis);
        bench.refuses(&bench.draft(), TokenError::Expired).await;
    }
}

#[tokio::test]
async fn a_token_that_we_issued_expires_when_it_says() {
    let world = World::new();
    let tokens = world.sign_in().await;
    let exp = tokens.access().expires_at();
    assert_eq!(exp, START + Duration::from_secs(300));
    world.clock.set(exp + Duration::from_millis(4999));
    assert_eq!(world.call(tokens.access().as_str()).await.status, StatusCode::OK);
    world.clock.set(exp + Duration::from_secs(5));
    let answer = world.call(tokens.access().as_str()).await;
    assert_eq!(reason(&answer), TokenError::Expired.into());
}

#[tokio::test]
async fn the_leeway_of_a_foreign_issuer_is_what_was_configured() {
    let with = |seconds| {
        move |trusted: TrustedIssuer| trusted.with_leeway(Duration::from_secs(seconds)).unwrap()
    };
    for (bench, leeway) in [
        (Bench::foreign(|trusted| trusted).await, 30_000),
        (Bench::foreign(with(0)).await, 0),
        (Bench::foreign(with(10)).await, 10_000),
        (Bench::foreign(with(300)).await, 300_000),
    ] {
        bench.at_millis(300_000 + leeway - 1);
        bench.accepts(&bench.draft()).await;
        bench.at_millis(300_000 + leeway);
        bench.refuses(&bench.draft(), TokenError::Expired).await;
        let named = bench.draft().claim("nbf", START_SECONDS);
        bench.at_millis(-leeway);
        bench.accepts(&named).await;
        bench.at_millis(-leeway - 1);
        bench.refuses(&named, TokenError::Early("nbf")).await;
        bench.refuses(&bench.draft(), TokenError::Early("iat")).await;
        let issued_early = bench.draft().claim("iat", START_SECONDS - 400);
        bench.refuses(&issued_early, TokenError::Early("auth_time")).await;
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
async fn an_exp_that_is_missing_or_no_number_is_refused() {
    let bench = Bench::own().await;
    bench.refuses(&bench.draft().without_claim("exp"), TokenError::Missing("exp")).await;
    for bad in NO_DATES {
        let bad: Value = serde_json::from_str(bad).unwrap();
        bench.refuses(&bench.draft().claim("exp", bad), TokenError::Mistyped("exp")).await;
    }
}

const NO_DATES: [&str; 8] =
    ["null", "true", r#""1700000300""#, r#""2030-01-01""#, r#""""#, "[1700000300]", "{}", "[]"];

#[tokio::test]
async fn fractional_dates_count_to_the_millisecond() {
    let bench = Bench::own().await;
    for (exp, last) in [(300.5, 305_499), (300.25, 305_249), (299.75, 304_749)] {
        #[allow(clippy::cast_precision_loss)]
        let draft = bench.draft().claim("exp", START_SECONDS as f64 + exp);
        bench.at_millis(last);
        bench.accepts(&draft).await;
        bench.at_millis(last + 1);
        bench.refuses(&draft, TokenError::Expired).await;
    }
    // What is less than a millisecond is cut off: no token lives longer for it.
    let draft = bench.draft().claim("exp", 1_700_000_300.000_5);
    bench.at_millis(304_999);
    bench.accepts(&draft).await;
    bench.at_millis(305_000);
    bench.refuses(&draft, TokenError::Expired).await;
    // Written in other ways.
    let (header, claims) = (bench.draft.header_json(), bench.draft.claims_json());
    for (number, last) in
        [("1.7000003e9", 304_999), ("17000003E2", 304_999), ("1700000300.0", 304_999)]
    {
        let claims = claims.replace("1700000300", number);
        let token = bench.forge.token(&header, &claims);
        bench.at_millis(last);
        bench.accepts_token(&token).await;
        bench.at_millis(last + 1);
        bench.refuses_token(&token, TokenError::Expired).await;
    }
}

#[tokio::test]
async fn dates_of_any_size_are_judged_and_not_panicked_on() {
    let bench = Bench::own().await;
    let (header, claims) = (bench.draft.header_json(), bench.draft.claims_json());
    let with = |name: &str, number: &str| {
        let claims = bench.draft().without_claim_if_any(name).claims_json();
        bench.forge.token(&header, &claims.replacen('{', &format!(r#"{{"{name}":{number},"#), 1))
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
        bench.accepts_token(&with("exp", number)).await;
        for name in ["nbf", "iat", "auth_time"] {
            let error = bench.refusal(&with(name, number)).await;
            assert!(matches!(error, TokenError::Early(early) if early == name), "{number}");
        }
    }
    for number in low {
        bench.refuses_token(&with("exp", number), TokenError::Expired).await;
        for name in ["nbf", "iat", "auth_time"] {
            bench.accepts_token(&with(name, number)).await;
        }
    }
    for number in ["1e309", "-1e309", "NaN", "Infinity", "01", "+1", "1.", ".5", "0x10", "1e"] {
        for name in ["exp", "nbf", "iat", "auth_time"] {
            let error = bench.refusal(&with(name, number)).await;
            let fits =
                matches!(error, TokenError::Json(TokenPart::Claims) | TokenError::Mistyped(_));
            assert!(fits, "{name} {number}: {error}");
        }
    }
    bench.accepts_token(&bench.forge.token(&header, &claims)).await;
}

#[tokio::test]
async fn dates_in_the_future_are_refused_beyond_five_seconds_to_the_millisecond() {
    let bench = Bench::own().await;
    for name in ["nbf", "iat", "auth_time"] {
        let draft = bench.draft().claim(name, START_SECONDS + 100);
        for millis in [95_000, 95_001, 100_000] {
            bench.at_millis(millis);
            bench.accepts(&draft).await;
        }
        for millis in [94_999, 94_000, 0, -1_000_000] {
            bench.at_millis(millis);
            let error = bench.refusal(&draft.sign(&bench.forge)).await;
            // Before the beginning the others are in the future, too.
            let fits = matches!(error, TokenError::Early(early) if early == name || millis < 0);
            assert!(fits, "{name} at {millis}: {error}");
        }
    }
}

#[tokio::test]
async fn dates_that_are_no_numbers_are_refused() {
    let bench = Bench::own().await;
    for bad in NO_DATES {
        let bad: Value = serde_json::from_str(bad).unwrap();
        for name in ["nbf", "iat", "auth_time"] {
            let draft = bench.draft().claim(name, bad.clone());
            let error = bench.refusal(&draft.sign(&bench.forge)).await;
            assert!(matches!(error, TokenError::Mistyped(claim) if claim == name), "{name} {bad}");
        }
    }
}

#[tokio::test]
async fn an_nbf_need_not_be_there_and_an_iat_must() {
    let bench = Bench::own().await;
    bench.accepts(&bench.draft().claim("nbf", START_SECONDS)).await;
    bench.refuses(&bench.draft().without_claim("iat"), TokenError::Missing("iat")).await;
    let plain = Bench::foreign(TrustedIssuer::dangerous_allow_plain_jwt_type).await;
    plain.accepts(&plain.draft().without_claim("iat")).await;
}

// ---------------------------------------------------------------- Names

#[tokio::test]
async fn an_issuer_that_is_missing_or_differs_in_anything_is_refused() {
    for bench in [Bench::own().await, Bench::foreign(|trusted| trusted).await] {
        bench.refuses(&bench.draft().without_claim("iss"), TokenError::Missing("iss")).await;
        for other in [
            "",
            "https://issuer.exampl",
            "https://issuer.example/",
            "https://issuer.examplf",
            "Https://issuer.example",
            "https://Issuer.example",
            "HTTPS://ISSUER.EXAMPLE",
            "http://issuer.example",
            " https://issuer.example",
            "https://issuer.example ",
            "https://issuer.example\0",
            "https://issuer.example.evil.example",
            "issuer.example",
            AUDIENCE,
            "*",
        ] {
            bench.refuses(&bench.draft().claim("iss", other), TokenError::Issuer).await;
        }
        for mistyped in [json!([ISSUER]), json!(null), json!(1), json!(true), json!({}), json!([])]
        {
            let draft = bench.draft().claim("iss", mistyped);
            bench.refuses(&draft, TokenError::Mistyped("iss")).await;
        }
    }
    // In another spelling it is the same text.
    let bench = Bench::own().await;
    let claims = bench.draft.claims_json().replacen("https://i", r"https:\/\/\u0069", 1);
    bench.accepts_token(&bench.forge.token(&bench.draft.header_json(), &claims)).await;
}

#[tokio::test]
async fn any_audience_of_several_will_do_and_no_other() {
    for bench in [Bench::own().await, Bench::foreign(|trusted| trusted).await] {
        for good in [json!([AUDIENCE]), json!(["x", AUDIENCE]), json!([AUDIENCE, "x", ""])] {
            bench.accepts(&bench.draft().claim("aud", good)).await;
        }
        for bad in [
            json!(""),
            json!([]),
            json!([""]),
            json!(["x"]),
            json!(ISSUER),
            json!("https://api.example/"),
            json!("https://API.example"),
            json!("https://api.exampl"),
            json!(" https://api.example"),
            json!("https://api.example https://x.example"),
            json!(["https://api.example/", "https://api.exampl"]),
            json!("*"),
        ] {
            bench.refuses(&bench.draft().claim("aud", bad), TokenError::Audience).await;
        }
        bench.refuses(&bench.draft().without_claim("aud"), TokenError::Missing("aud")).await;
        for mistyped in [
            json!(null),
            json!(1),
            json!(true),
            json!({ AUDIENCE: AUDIENCE }),
            json!([[AUDIENCE]]),
            json!([AUDIENCE, 1]),
            json!([AUDIENCE, null]),
            json!([1, AUDIENCE]),
        ] {
            let draft = bench.draft().claim("aud", mistyped);
            bench.refuses(&draft, TokenError::Mistyped("aud")).await;
        }
    }
}

const NO_TEXT: [&str; 6] = ["null", "1", "true", r#"["alice"]"#, "{}", "[]"];

#[tokio::test]
async fn a_subject_that_is_missing_empty_or_no_text_is_refused() {
    for bench in [
        Bench::own().await,
        Bench::foreign(|trusted| trusted).await,
        Bench::foreign(TrustedIssuer::dangerous_allow_plain_jwt_type).await,
    ] {
        bench.refuses(&bench.draft().without_claim("sub"), TokenError::Missing("sub")).await;
        bench.refuses(&bench.draft().claim("sub", ""), TokenError::Mistyped("sub")).await;
        for bad in NO_TEXT {
            let bad: Value = serde_json::from_str(bad).unwrap();
            bench.refuses(&bench.draft().claim("sub", bad), TokenError::Mistyped("sub")).await;
        }
    }
}

#[tokio::test]
async fn a_token_of_our_own_must_have_its_name_session_and_client() {
    let bench = Bench::own().await;
    for name in ["jti", "sid", "client_id"] {
        let error = bench.refusal(&bench.draft().without_claim(name).sign(&bench.forge)).await;
        assert!(matches!(error, TokenError::Missing(missing) if missing == name), "{error}");
        for bad in NO_TEXT.into_iter().chain([r#""""#]) {
            let bad: Value = serde_json::from_str(bad).unwrap();
            let error = bench.refusal(&bench.draft().claim(name, bad).sign(&bench.forge)).await;
            assert!(matches!(error, TokenError::Mistyped(claim) if claim == name), "{error}");
        }
    }
}

#[tokio::test]
async fn a_foreign_token_must_have_what_was_configured() {
    // With a session or without; the rest of RFC 9068 §2.2 is asked for.
    let strict = Bench::foreign(|trusted| trusted).await;
    strict.accepts(&strict.draft().without_claim("sid")).await;
    strict.accepts(&strict.draft().without_claim("auth_time")).await;
    strict.refuses(&strict.draft().without_claim("jti"), TokenError::Missing("jti")).await;
    let without = strict.draft().without_claim("client_id");
    strict.refuses(&without, TokenError::Missing("client_id")).await;

    let nameless = Bench::foreign(TrustedIssuer::allow_missing_token_id).await;
    nameless.accepts(&nameless.draft().without_claim("jti")).await;
    let without = nameless.draft().without_claim("jti").without_claim("client_id");
    nameless.refuses(&without, TokenError::Missing("client_id")).await;
    nameless.refuses(&nameless.draft().header("typ", "JWT"), TokenError::Type).await;

    let plain = Bench::foreign(TrustedIssuer::dangerous_allow_plain_jwt_type).await;
    let bare = ["jti", "sid", "client_id", "iat", "auth_time", "scope"]
        .into_iter()
        .fold(plain.draft(), Draft::without_claim);
    plain.accepts(&bare).await;
    for name in ["jti", "sid", "client_id"] {
        for bench in [&strict, &nameless, &plain] {
            let draft = bench.draft().claim(name, "");
            let error = bench.refusal(&draft.sign(&bench.forge)).await;
            assert!(matches!(error, TokenError::Mistyped(claim) if claim == name), "{error}");
        }
    }
}

#[tokio::test]
async fn the_applications_own_claims_must_fit_its_type() {
    let bench = Bench::own().await;
    bench.accepts(&bench.draft().claim("more", json!({ "than": ["expected"] }))).await;
    bench.refuses(&bench.draft().without_claim("name"), TokenError::Claims).await;
    bench.refuses(&bench.draft().claim("name", 1), TokenError::Claims).await;
}

const OTHER_ISSUER: &str = "https://other.example";

#[tokio::test]
async fn of_several_issuers_each_is_judged_by_its_own_keys_audience_and_leeway() {
    let trust = |issuer: &str, audience: &str, secret: &[u8]| {
        let keys = KeySet::new([secret_key(Algorithm::HS256, secret, KEY_ID)]).unwrap();
        TrustedIssuer::new(issuer, audience, keys).unwrap()
    };
    let own = trust(ISSUER, AUDIENCE, &SECRET).with_leeway(Duration::ZERO).unwrap();
    let other = trust(OTHER_ISSUER, "other", &OTHER_SECRET);
    let verifier = Verifier::new(own.clone()).and_trust(other).unwrap();
    let bench = Bench::trusting(verifier).checked().await;
    let others = Forge::hs256(&OTHER_SECRET);
    let draft = bench.draft().claim("iss", OTHER_ISSUER).claim("aud", "other");
    bench.accepts_token(&draft.sign(&others)).await;
    // The same key id, and none: the key of one never verifies the tokens of the other.
    for (right, wrong, draft) in
        [(&bench.forge, &others, bench.draft()), (&others, &bench.forge, draft.clone())]
    {
        bench.refuses_token(&draft.sign(wrong), TokenError::Signature).await;
        let nameless = draft.without_header("kid");
        bench.accepts_token(&nameless.sign(right)).await;
        bench.refuses_token(&nameless.sign(wrong), TokenError::Signature).await;
    }
    let crossed = draft.clone().claim("aud", AUDIENCE).sign(&others);
    bench.refuses_token(&crossed, TokenError::Audience).await;
    bench.refuses(&bench.draft().claim("aud", "other"), TokenError::Audience).await;
    bench.at_millis(300_000);
    bench.refuses(&bench.draft(), TokenError::Expired).await;
    bench.accepts_token(&draft.sign(&others)).await;

    let error = Verifier::<Profile>::new(own.clone()).and_trust(own).unwrap_err();
    assert_eq!(error, ConfigError::DuplicateIssuer { issuer: ISSUER.to_owned() });
    assert!(error.to_string().contains("trusted twice"), "{error}");
}

#[tokio::test]
async fn a_key_that_only_another_issuer_has_is_unknown() {
    let trust = |issuer: &str, secret: &[u8], key_id: &str| {
        let keys = KeySet::new([secret_key(Algorithm::HS256, secret, key_id)]).unwrap();
        TrustedIssuer::new(issuer, AUDIENCE, keys).unwrap()
    };
    let verifier = Verifier::new(trust(OTHER_ISSUER, &OTHER_SECRET, "others"))
        .and_trust(trust(ISSUER, &SECRET, KEY_ID))
        .unwrap();
    let bench = Bench::trusting(verifier).checked().await;
    let named = bench.draft().header("kid", "others");
    bench.refuses_token(&named.sign(&Forge::hs256(&OTHER_SECRET)), TokenError::UnknownKey).await;
    let others = named.claim("iss", OTHER_ISSUER);
    bench.accepts_token(&others.sign(&Forge::hs256(&OTHER_SECRET))).await;
}

#[tokio::test]
async fn clients_are_told_the_same_whatever_is_wrong_with_a_token() {
    let bench = Bench::own().await;
    let mut told = Vec::new();
    for token in [
        "x".to_owned(),
        bench.draft().sign(&Forge::hs256(&OTHER_SECRET)),
        bench.draft().header("typ", "JWT").sign(&bench.forge),
        bench.draft().claim("iss", "x").sign(&bench.forge),
        bench.draft().claim("exp", 1).sign(&bench.forge),
        bench.draft().without_claim("sub").sign(&bench.forge),
    ] {
        let answer = call_behind(&bench.auth, &token).await;
        let mut headers: Vec<_> =
            answer.headers.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
        headers.sort_by(|a, b| a.0.cmp(&b.0));
        told.push((answer.status, headers, answer.body));
    }
    assert!(told.iter().all(|one| *one == told[0]));
}

// ---------------------------------------------------------------- Configuration

#[test]
fn secrets_shorter_than_their_hash_are_refused() {
    for (algorithm, least) in
        [(Algorithm::HS256, 32), (Algorithm::HS384, 48), (Algorithm::HS512, 64)]
    {
        assert!(SigningKey::from_secret(algorithm, &SECRET[..least]).is_ok());
        assert!(VerifyingKey::from_secret(algorithm, &SECRET[..least]).is_ok());
        for length in [0, 1, least / 2, least - 1] {
            let expected = ConfigError::SecretTooShort { algorithm, least, length };
            let secret = &SECRET[..length];
            assert_eq!(SigningKey::from_secret(algorithm, secret).unwrap_err(), expected);
            assert_eq!(VerifyingKey::from_secret(algorithm, secret).unwrap_err(), expected);
            let text = format!(
                "a secret for {algorithm} needs at least {least} bytes, this one has {length}"
            );
            assert_eq!(expected.to_string(), text);
        }
    }
    assert!(RefreshSecrets::new(&SECRET[..32]).is_ok());
    let error = RefreshSecrets::new(&SECRET[..31]).unwrap_err();
    assert!(matches!(error, ConfigError::SecretTooShort { least: 32, length: 31, .. }));
    let secrets = RefreshSecrets::new(&SECRET).unwrap();
    let error = secrets.clone().with_previous(&[0; 31]).unwrap_err();
    assert!(matches!(error, ConfigError::SecretTooShort { least: 32, length: 31, .. }));
    let error = secrets.with_previous(&SECRET).unwrap_err();
    assert!(matches!(error, ConfigError::DuplicateKeyId { .. }), "{error}");
}

#[test]
fn rsa_keys_below_2048_bits_are_refused_and_told_what_they_need() {
    let algorithms = Algorithm::ALL.iter().copied().filter(|algorithm| kind(*algorithm) == "RSA");
    for algorithm in algorithms {
        let public = VerifyingKey::from_pem(algorithm, key!("rsa-1024-public")).unwrap_err();
        assert_eq!(public, ConfigError::RsaKeySize { bits: 1024 });
        assert_eq!(public.to_string(), "an RSA key needs 2048 to 8192 bits, this one has 1024");
        let in_der = VerifyingKey::from_der(algorithm, &der(key!("rsa-1024-public"))).unwrap_err();
        assert_eq!(in_der, public);
        // The library that signs does not tell how short it is.
        for private in [
            SigningKey::from_pem(algorithm, key!("rsa-1024")),
            SigningKey::from_der(algorithm, &der(key!("rsa-1024"))),
        ] {
            let error = private.unwrap_err();
            assert!(error.to_string().contains("2048 to 8192 bits"), "{error}");
        }
    }
}

const PRIVATE: [(&str, &[u8]); 10] = [
    ("RSA", key!("rsa")),
    ("RSA", key!("rsa-pkcs1")),
    ("P-256", key!("p256")),
    ("P-384", key!("p384")),
    ("P-521", key!("p521")),
    ("Ed25519", key!("ed25519")),
    ("Ed448", key!("ed448")),
    ("SEC1", key!("p256-sec1")),
    ("secp256k1", key!("secp256k1")),
    ("none", b"garbage"),
];
const PUBLIC: [(&str, &[u8]); 9] = [
    ("RSA", key!("rsa-public")),
    ("RSA", key!("rsa-public-pkcs1")),
    ("P-256", key!("p256-public")),
    ("P-384", key!("p384-public")),
    ("P-521", key!("p521-public")),
    ("Ed25519", key!("ed25519-public")),
    ("Ed448", key!("ed448-public")),
    ("secp256k1", key!("secp256k1-public")),
    ("none", b""),
];

fn kind(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::ES256 => "P-256",
        Algorithm::ES384 => "P-384",
        Algorithm::EdDSA => "Ed25519",
        _ if is_hmac(algorithm) => "secret",
        _ => "RSA",
    }
}

/// That it is said for which algorithm it is wrong, and what would be right.
#[track_caller]
fn assert_wrong_key(error: &ConfigError, wrong_for: Algorithm) {
    assert!(matches!(error, ConfigError::Key { algorithm, .. } if *algorithm == wrong_for));
    let text = error.to_string();
    assert!(text.starts_with(&format!("this is no usable key for {wrong_for}: give a")), "{text}");
    assert!(text.contains(kind(wrong_for)), "{text}");
}

#[test]
fn keys_of_another_kind_than_the_algorithm_are_refused() {
    for algorithm in Algorithm::ALL.iter().copied() {
        for (is, pem) in PRIVATE {
            let in_pem = SigningKey::from_pem(algorithm, pem);
            let key = if pem.starts_with(b"-----") { der(pem) } else { pem.to_vec() };
            let in_der = SigningKey::from_der(algorithm, &key);
            if is == kind(algorithm) {
                assert!(in_pem.is_ok() && in_der.is_ok(), "{is} for {algorithm}");
            } else {
                assert_wrong_key(&in_pem.unwrap_err(), algorithm);
                assert_wrong_key(&in_der.unwrap_err(), algorithm);
            }
            // A private key is none to verify with.
            assert_wrong_key(&VerifyingKey::from_pem(algorithm, pem).unwrap_err(), algorithm);
            assert_wrong_key(&VerifyingKey::from_der(algorithm, &key).unwrap_err(), algorithm);
        }
        for (is, pem) in PUBLIC {
            let in_pem = VerifyingKey::from_pem(algorithm, pem);
            let key = if pem.starts_with(b"-----") { der(pem) } else { pem.to_vec() };
            let in_der = VerifyingKey::from_der(algorithm, &key);
            if is == kind(algorithm) {
                assert!(in_pem.is_ok() && in_der.is_ok(), "{is} for {algorithm}");
            } else {
                assert_wrong_key(&in_pem.unwrap_err(), algorithm);
                assert_wrong_key(&in_der.unwrap_err(), algorithm);
            }
            // A public key is none to sign with.
            assert_wrong_key(&SigningKey::from_pem(algorithm, pem).unwrap_err(), algorithm);
            assert_wrong_key(&SigningKey::from_der(algorithm, &key).unwrap_err(), algorithm);
        }
        if !is_hmac(algorithm) {
            assert!(SigningKey::from_secret(algorithm, &SECRET).is_err());
            assert!(VerifyingKey::from_secret(algorithm, &SECRET).is_err());
        }
    }
}

const CERTIFICATES: [(Algorithm, &[u8]); 4] = [
    (Algorithm::RS256, key!("rsa-certificate")),
    (Algorithm::PS256, key!("rsa-certificate")),
    (Algorithm::ES256, key!("p256-certificate")),
    (Algorithm::EdDSA, key!("ed25519-certificate")),
];

// Its dates and names would be left unread.
#[test]
fn a_certificate_is_no_key_in_pem() {
    for (algorithm, pem) in CERTIFICATES {
        assert_wrong_key(&VerifyingKey::from_pem(algorithm, pem).unwrap_err(), algorithm);
        assert_wrong_key(&SigningKey::from_pem(algorithm, pem).unwrap_err(), algorithm);
    }
}

#[test]
fn a_certificate_is_no_key_in_der() {
    for (algorithm, pem) in CERTIFICATES {
        let accepted = VerifyingKey::from_der(algorithm, &der(pem));
        assert_wrong_key(&accepted.unwrap_err(), algorithm);
        assert_wrong_key(&SigningKey::from_der(algorithm, &der(pem)).unwrap_err(), algorithm);
    }
}

#[test]
fn a_certificate_before_a_public_key_is_not_taken_for_it() {
    let both = [key!("rsa-certificate") as &[u8], key!("rsa-other-public")].concat();
    let alone = VerifyingKey::from_pem(Algorithm::RS256, key!("rsa-other-public")).unwrap();
    if let Ok(key) = VerifyingKey::from_pem(Algorithm::RS256, &both) {
        assert_eq!(key.key_id(), alone.key_id(), "the key of the certificate was taken");
    }
}

#[test]
fn a_private_key_before_a_public_key_is_not_taken_for_it() {
    let both = [key!("rsa") as &[u8], key!("rsa-other-public")].concat();
    let alone = VerifyingKey::from_pem(Algorithm::RS256, key!("rsa-other-public")).unwrap();
    if let Ok(key) = VerifyingKey::from_pem(Algorithm::RS256, &both) {
        assert_eq!(key.key_id(), alone.key_id(), "the private key was taken");
    }
}

#[test]
fn one_rsa_key_is_the_same_in_all_its_forms() {
    for algorithm in [Algorithm::RS256, Algorithm::PS512] {
        let id = verifying_key(algorithm).key_id().to_owned();
        let pkcs1 = VerifyingKey::from_pem(algorithm, key!("rsa-public-pkcs1")).unwrap();
        assert_eq!(pkcs1.key_id(), id);
        for pem in [key!("rsa") as &[u8], key!("rsa-pkcs1")] {
            let key = SigningKey::from_pem(algorithm, pem).unwrap();
            assert_eq!((key.key_id(), key.algorithm()), (&*id, algorithm));
        }
    }
}

#[test]
fn sets_that_would_be_ambiguous_or_empty_are_refused() {
    let error = KeySet::new([]).unwrap_err();
    assert_eq!(error, ConfigError::NoKey);
    assert!(error.to_string().contains("no key is given"), "{error}");
    let twice = [verifying_key(Algorithm::HS256), verifying_key(Algorithm::HS256)];
    let error = KeySet::new(twice.map(|key| key.with_key_id(KEY_ID))).unwrap_err();
    let (key_id, algorithm) = (KEY_ID.to_owned(), Algorithm::HS256);
    assert_eq!(error, ConfigError::DuplicateKeyId { key_id, algorithm });
    assert!(error.to_string().contains(r#"the key id "key""#), "{error}");
    for bad in ["", "[]", "{}", r#"{"keys":1}"#, "null"] {
        let error = KeySet::from_jwks(bad).unwrap_err();
        assert!(matches!(error, ConfigError::Jwks { .. }), "{bad}");
        assert!(error.to_string().starts_with("this is no JWK set: "), "{error}");
    }
    assert_eq!(KeySet::from_jwks(r#"{"keys":[]}"#).unwrap_err(), ConfigError::NoKey);
}

// One odd key must not take the others with it (RFC 7517 §5), and must not be used either.
#[test]
fn published_keys_that_are_malformed_or_not_for_signatures_are_passed_over() {
    let jwk = |algorithm: Algorithm| {
        let set = KeySet::new([verifying_key(algorithm)]).unwrap().to_jwks();
        serde_json::from_str::<Value>(&set).unwrap()["keys"][0].clone()
    };
    let changed = |algorithm: Algorithm, name: &str, value: Value| {
        let mut key = jwk(algorithm);
        key[name] = value;
        key
    };
    let parse = |keys: &[&Value]| KeySet::from_jwks(&json!({ "keys": keys }).to_string());
    let mut shifted = jwk(Algorithm::ES256);
    let coordinate = |name: &str| {
        let text = shifted[name].as_str().unwrap();
        base64_simd::URL_SAFE_NO_PAD.decode_to_vec(text).unwrap()
    };
    // End to end the same point, but cut in two at another place.
    let point = [coordinate("x"), coordinate("y")].concat();
    shifted["x"] = json!(encode(&point[..31]));
    shifted["y"] = json!(encode(&point[31..]));
    let odd = [
        changed(Algorithm::RS256, "alg", json!("ES256")),
        changed(Algorithm::ES256, "alg", json!("ES384")),
        changed(Algorithm::ES384, "alg", json!("ES256")),
        changed(Algorithm::ES256, "alg", json!("RS256")),
        changed(Algorithm::EdDSA, "alg", json!("ES256")),
        // A public key that says of itself that it is a secret.
        changed(Algorithm::EdDSA, "alg", json!("HS256")),
        changed(Algorithm::RS256, "alg", json!("HS256")),
        changed(Algorithm::RS256, "alg", json!("RSA-OAEP")),
        changed(Algorithm::RS256, "alg", json!("none")),
        changed(Algorithm::RS256, "use", json!("enc")),
        changed(Algorithm::RS256, "use", json!("other")),
        changed(Algorithm::RS256, "kty", json!("EC")),
        changed(Algorithm::RS256, "n", json!(encode(&[0xff; 128]))),
        changed(Algorithm::RS256, "n", json!("+/==")),
        changed(Algorithm::ES256, "x", json!(encode(&[1; 32]))),
        changed(Algorithm::ES256, "crv", json!("P-384")),
        changed(Algorithm::ES256, "crv", json!("secp256k1")),
        changed(Algorithm::EdDSA, "x", json!(encode(&[1; 31]))),
        shifted,
        json!({ "kty": "oct", "k": encode(&SECRET), "alg": "HS256", "kid": KEY_ID }),
        json!(null),
        json!("x"),
        json!({}),
    ];
    let good = jwk(Algorithm::PS384);
    for key in &odd {
        assert_eq!(parse(&[key]).unwrap_err(), ConfigError::NoKey, "{key}");
        let set = parse(&[key, &good]).unwrap();
        let left: Vec<_> = set.keys().map(VerifyingKey::algorithm).collect();
        assert_eq!(left, [Algorithm::PS384], "{key}");
    }
    for algorithm in Algorithm::ALL.iter().copied().filter(|algorithm| !is_hmac(*algorithm)) {
        let set = parse(&[&jwk(algorithm)]).unwrap();
        assert_eq!(set.keys().next().map(VerifyingKey::algorithm), Some(algorithm));
    }
}

#[test]
fn names_and_times_that_cannot_be_meant_are_refused() {
    let key = || signing_key(Algorithm::HS256);
    let keys = || KeySet::new([verifying_key(Algorithm::HS256)]).unwrap();
    for bad in ["", "a\nb", "\0"] {
        for error in [
            Issuer::new(bad, AUDIENCE, key()).unwrap_err(),
            Issuer::new(ISSUER, bad, key()).unwrap_err(),
            TrustedIssuer::new(bad, AUDIENCE, keys()).unwrap_err(),
            TrustedIssuer::new(ISSUER, bad, keys()).unwrap_err(),
        ] {
            assert!(matches!(error, ConfigError::Name { .. }), "{error}");
            let text = error.to_string();
            assert!(text.contains("issuer") || text.contains("audience"), "{text}");
        }
    }
    let issuer = || Issuer::new(ISSUER, AUDIENCE, key()).unwrap();
    for given in [0, 999, 1500, 24 * 3600 * 1000 + 1000].map(Duration::from_millis) {
        let error = issuer().with_access_lifetime(given).unwrap_err();
        assert!(matches!(error, ConfigError::Duration { .. }), "{given:?}");
    }
}

#[tokio::test]
async fn what_is_no_scope_cannot_be_required() {
    let world = World::new();
    for bad in ["", " ", "a  b", " a", "a ", "a\"b", "a\\b", "é", "a\nb"] {
        let error = world.auth.require_scope(bad).unwrap_err();
        assert_eq!(error, ConfigError::Scope { scope: bad.to_owned() });
        assert!(error.to_string().contains("is no scope"), "{error}");
    }
}

// ---------------------------------------------------------------- Scope and freshness

/// Calls a service that requires this scope.
async fn call_for_scope(bench: &Bench, scope: &str, draft: &Draft) -> Answer {
    let inner = bench.auth.require_scope(scope).unwrap().layer(service_fn(echo));
    let token = format!("Bearer {}", draft.sign(&bench.forge));
    send_to(bench.auth.layer(inner), request("GET", &[("authorization", &token)])).await
}

#[track_caller]
fn assert_insufficient(answer: &Answer, scope: &str) {
    answer.assert_refused(StatusCode::FORBIDDEN, "insufficient_scope");
    let challenge = answer.challenge().expect("RFC 6750 §3.1");
    assert!(challenge.starts_with("Bearer "), "{challenge}");
    assert!(challenge.contains(r#"error="insufficient_scope""#), "{challenge}");
    assert!(challenge.ends_with(&format!(r#"scope="{scope}""#)), "{challenge}");
    assert_eq!(reason(answer), AuthError::Scope { scope: scope.into() });
}

#[tokio::test]
async fn a_missing_scope_is_403_and_named() {
    let bench = Bench::own().await;
    for granted in ["read", "write"] {
        let answer = call_for_scope(&bench, granted, &bench.draft()).await;
        assert_eq!((answer.status, &*answer.body), (StatusCode::OK, &b"alice is Alice"[..]));
    }
    assert_insufficient(&call_for_scope(&bench, "admin", &bench.draft()).await, "admin");
    for none in [bench.draft().without_claim("scope"), bench.draft().claim("scope", "")] {
        assert_insufficient(&call_for_scope(&bench, "read", &none).await, "read");
    }
    let mistyped = bench.draft().claim("scope", json!(["read"]));
    bench.refuses(&mistyped, TokenError::Mistyped("scope")).await;
}

#[tokio::test]
async fn of_several_scopes_all_are_needed() {
    let bench = Bench::own().await;
    let with = |scope: &str| bench.draft().claim("scope", scope);
    for enough in ["read write", "write read", "x write y read z", "read  write"] {
        let answer = call_for_scope(&bench, "read write", &with(enough)).await;
        assert_eq!(answer.status, StatusCode::OK, "{enough}");
    }
    for little in ["read", "write", "", "readwrite", "read,write", "read\twrite", "read\nwrite"] {
        let answer = call_for_scope(&bench, "read write", &with(little)).await;
        assert_insufficient(&answer, "read write");
    }
}

#[tokio::test]
async fn a_scope_is_granted_by_its_whole_name_in_its_case_only() {
    let bench = Bench::own().await;
    for other in [
        "rea", "reader", "read:all", "all:read", "Read", "READ", "unread", "rea d", "r e a d",
        "read\0", "read,", "*", "\"read\"",
    ] {
        let draft = bench.draft().claim("scope", other);
        assert_insufficient(&call_for_scope(&bench, "read", &draft).await, "read");
    }
    let more = bench.draft().claim("scope", "reader read");
    assert_eq!(call_for_scope(&bench, "read", &more).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_bad_token_is_401_and_not_403_whatever_scope_it_claims() {
    let bench = Bench::own().await;
    let token = bench.draft().claim("scope", "admin").sign(&Forge::hs256(&OTHER_SECRET));
    let inner = bench.auth.require_scope("admin").unwrap().layer(service_fn(echo));
    let service = bench.auth.layer(inner);
    let header = format!("Bearer {token}");
    let answer = send_to(service, request("GET", &[("authorization", &header)])).await;
    answer.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
}

const MAX_AGE: Duration = Duration::from_secs(100);

/// Calls a service that requires a login no older than 100 seconds.
async fn call_for_freshness(auth: &JwtAuthLayer<Profile>, token: &str) -> Answer {
    let inner = auth.require_fresh_login(MAX_AGE).unwrap().layer(service_fn(echo));
    let header = format!("Bearer {token}");
    send_to(auth.layer(inner), request("GET", &[("authorization", &header)])).await
}

#[track_caller]
fn assert_too_old(answer: &Answer) {
    answer.assert_refused(StatusCode::UNAUTHORIZED, "insufficient_user_authentication");
    let challenge = answer.challenge().unwrap();
    assert!(challenge.starts_with("Bearer "), "{challenge}");
    assert!(challenge.ends_with(r#", max_age="100""#), "{challenge}");
    assert_eq!(reason(answer), AuthError::StaleLogin { max_age: MAX_AGE });
}

#[tokio::test]
async fn a_login_is_too_old_from_the_allowed_age_on_to_the_millisecond() {
    let bench = Bench::own().await;
    let token = bench.draft().sign(&bench.forge);
    for millis in [-1, 0, 99_000, 99_999] {
        bench.at_millis(millis);
        assert_eq!(call_for_freshness(&bench.auth, &token).await.status, StatusCode::OK);
    }
    for millis in [100_000, 100_001, 304_999] {
        bench.at_millis(millis);
        assert_too_old(&call_for_freshness(&bench.auth, &token).await);
        bench.accepts_token(&token).await;
    }
}

#[tokio::test]
async fn a_token_that_does_not_tell_when_the_login_was_is_too_old() {
    let bench = Bench::own().await;
    let token = bench.draft().without_claim("auth_time").sign(&bench.forge);
    bench.accepts_token(&token).await;
    assert_too_old(&call_for_freshness(&bench.auth, &token).await);
}

#[tokio::test]
async fn a_refreshed_token_is_not_fresh_and_a_new_login_is() {
    let world = World::new();
    let tokens = world.sign_in().await;
    world.advance(60);
    let refreshed = world.refresh(tokens.refresh().as_str()).await;
    let token = refreshed.access_token();
    assert_eq!(call_for_freshness(&world.auth, &token).await.status, StatusCode::OK);
    world.advance(40);
    assert_too_old(&call_for_freshness(&world.auth, &token).await);
    let refreshed = world.refresh(refreshed.cookie_value().unwrap()).await;
    let token = refreshed.access_token();
    assert_too_old(&call_for_freshness(&world.auth, &token).await);
    assert_eq!(world.call(&token).await.status, StatusCode::OK);

    let again = world.sign_in().await;
    let answer = call_for_freshness(&world.auth, again.access().as_str()).await;
    assert_eq!(answer.status, StatusCode::OK);
    // A login elsewhere, long ago.
    let earlier = SignIn::new("alice", Profile { name: "Alice".into() }).with_auth_time(START);
    let earlier = world.sign_in_as(earlier).await;
    assert_too_old(&call_for_freshness(&world.auth, earlier.access().as_str()).await);
}

#[tokio::test]
async fn a_bad_token_is_invalid_and_not_too_old() {
    let bench = Bench::own().await;
    let token = bench.draft().claim("auth_time", 1).sign(&Forge::hs256(&OTHER_SECRET));
    let answer = call_for_freshness(&bench.auth, &token).await;
    answer.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
    let answer = call_for_freshness(&bench.auth, "a b").await;
    assert_eq!(reason(&answer), AuthError::Request(RequestError::Malformed));
}

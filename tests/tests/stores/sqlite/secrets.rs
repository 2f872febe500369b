//! The files of a database contain no token, and no secret of one (RFC 9700 §4.9.3).

use tower_jwt_auth::{Issuer, RefreshSecrets, Sessions, SigningKey, Tokens};
use tower_jwt_auth_sqlx::SqliteStore;
use tower_jwt_auth_tests::harness::REFRESH_SECRET;
use tower_jwt_auth_tests::token_builder::decode;
use tower_jwt_auth_tests::{AUDIENCE, Harness, ISSUER, Profile};

use super::new_path;

#[tokio::test]
async fn the_files_contain_no_token_and_no_secret_of_one() {
    let path = new_path();
    let store = SqliteStore::open(&path).await.unwrap();
    let issuer = Issuer::new(ISSUER, AUDIENCE, SigningKey::generate().unwrap()).unwrap();
    let secrets = RefreshSecrets::new(&REFRESH_SECRET).unwrap();
    let sessions = Sessions::builder(issuer, secrets, store).claims::<Profile>().build().unwrap();
    let first = sessions.start(Harness::alice()).await.unwrap();
    let second = sessions.refresh(first.refresh().as_str()).await.unwrap();
    let other = sessions.start(Harness::alice()).await.unwrap();
    let id = other.refresh().session_id();
    sessions.end_presented(other.refresh().as_str()).await.unwrap();

    let stem = path.file_name().unwrap().to_str().unwrap();
    let entries = std::fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap());
    let files = entries.filter(|entry| entry.file_name().to_str().unwrap().starts_with(stem));
    let stored: Vec<u8> = files.flat_map(|file| std::fs::read(file.path()).unwrap()).collect();
    let contains = |part: &[u8]| stored.windows(part.len()).any(|window| window == part);
    assert!(contains(b"alice") && contains(b"Alice"), "the search finds stored values");
    assert!(contains(id.as_bytes()) || contains(id.to_string().as_bytes()));
    for part in [&first, &second, &other].into_iter().flat_map(parts) {
        assert!(!contains(&part), "{part:?}");
    }
    assert!(!contains(&REFRESH_SECRET));
}

/// Returns what must not be in the store: the segments of the tokens, and the random bits of the session.
fn parts(tokens: &Tokens) -> Vec<Vec<u8>> {
    let refresh = tokens.refresh().as_str();
    let secret = decode(refresh, 1)["sec"].as_str().unwrap().to_owned();
    let bits = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(&secret).unwrap();
    assert_eq!(bits.len(), 16);
    let hex: String = bits.iter().map(|byte| format!("{byte:02x}")).collect();
    let segments = [tokens.access().as_str(), refresh]
        .into_iter()
        .flat_map(|token| token.split('.').skip(1))
        .map(|segment| segment.as_bytes().to_vec());
    segments.chain([secret.into_bytes(), bits, hex.into_bytes()]).collect()
}

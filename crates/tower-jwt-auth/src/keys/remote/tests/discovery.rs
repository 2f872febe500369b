//! Metadata of issuers.

use super::*;
use crate::keys::FetchErrorKind;

const ISSUER: &str = "https://login.example/realms/shop";
const OPENID: &str = "https://login.example/realms/shop/.well-known/openid-configuration";
const OAUTH: &str = "https://login.example/.well-known/oauth-authorization-server/realms/shop";

fn metadata(issuer: &str, jwks_uri: &str) -> String {
    format!(r#"{{"token_endpoint":"x","issuer":"{issuer}","jwks_uri":"{jwks_uri}"}}"#)
}

/// A provider with metadata at one URL and keys at `JWKS_URL`. Other URLs have this status.
fn provider(at: &'static str, metadata: String, elsewhere: StatusCode) -> Provider {
    let set = set_of("key");
    Provider::new(move |url| match url.to_string().as_str() {
        JWKS_URL => Reply::json(set.clone()),
        url if url == at => Reply::json(metadata.clone()),
        _ => Reply::status(elsewhere),
    })
}

fn discover(provider: &Provider) -> RemoteKeySet {
    provider.configure(RemoteKeySet::discover(ISSUER)).build().unwrap()
}

async fn error(provider: &Provider) -> FetchErrorKind {
    let keys = discover(provider);
    settle().await;
    let status = keys.status();
    assert_eq!((status.keys(), status.failures()), (0, 1));
    status.last_error().unwrap()
}

#[tokio::test(start_paused = true)]
async fn openid_metadata_names_the_keys() {
    let provider = provider(OPENID, metadata(ISSUER, JWKS_URL), StatusCode::NOT_FOUND);
    let keys = discover(&provider);
    keys.ready().await;
    assert!(has(&keys.snapshot(), "key"));
    assert_eq!(provider.urls(), [OPENID, JWKS_URL]);
}

#[tokio::test(start_paused = true)]
async fn oauth_metadata_is_requested_where_there_is_no_openid_metadata() {
    for elsewhere in [StatusCode::NOT_FOUND, StatusCode::FORBIDDEN, StatusCode::FOUND] {
        let provider = provider(OAUTH, metadata(ISSUER, JWKS_URL), elsewhere);
        let keys = discover(&provider);
        keys.ready().await;
        assert_eq!(provider.urls(), [OPENID, OAUTH, JWKS_URL], "{elsewhere}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_fails_is_not_queried_twice() {
    let provider = provider(OAUTH, metadata(ISSUER, JWKS_URL), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(error(&provider).await, FetchErrorKind::Status);
    assert_eq!(provider.urls(), [OPENID]);
}

#[tokio::test(start_paused = true)]
async fn the_issuer_is_compared_exactly() {
    for other in [
        "https://login.example/realms/shop/",
        "https://login.example/realms/Shop",
        "https://LOGIN.example/realms/shop",
        "https://login.example:443/realms/shop",
        "https://login.example",
        "https://evil.example/realms/shop",
        "",
    ] {
        let provider = provider(OPENID, metadata(other, JWKS_URL), StatusCode::NOT_FOUND);
        assert_eq!(error(&provider).await, FetchErrorKind::Issuer, "{other}");
        assert_eq!(provider.urls(), [OPENID], "{other}: neither keys nor other metadata");
    }
}

#[tokio::test(start_paused = true)]
async fn the_jwks_uri_is_https() {
    for insecure in [
        "http://login.example/jwks",
        "http://localhost/jwks",
        "http://127.0.0.1/jwks",
        "file:///etc/jwks",
        "/jwks",
        "https://user:password@login.example/jwks",
    ] {
        let provider = provider(OPENID, metadata(ISSUER, insecure), StatusCode::NOT_FOUND);
        assert_eq!(error(&provider).await, FetchErrorKind::Url, "{insecure}");
        assert_eq!(provider.urls(), [OPENID], "{insecure}");
    }
}

#[tokio::test(start_paused = true)]
async fn metadata_without_issuer_or_keys_is_malformed() {
    for incomplete in [
        r#"{}"#,
        r#"[]"#,
        r#"{"issuer":"https://login.example/realms/shop"}"#,
        r#"{"jwks_uri":"https://login.example/jwks"}"#,
        r#"{"issuer":null,"jwks_uri":"https://login.example/jwks"}"#,
        r#"{"issuer":"https://login.example/realms/shop","issuer":"x","jwks_uri":"https://login.example/jwks"}"#,
        "not json",
    ] {
        let provider = Provider::new(move |_| Reply::json(incomplete));
        assert_eq!(error(&provider).await, FetchErrorKind::Malformed, "{incomplete}");
        assert_eq!(provider.urls(), [OPENID, OAUTH]);
    }
}

#[tokio::test(start_paused = true)]
async fn metadata_is_requested_again_every_hour_and_not_more_often() {
    let provider = provider(OPENID, metadata(ISSUER, JWKS_URL), StatusCode::NOT_FOUND);
    let keys = discover(&provider);
    sleep(10 * HOUR).await;
    let urls = provider.urls();
    let discoveries = urls.iter().filter(|url| *url == OPENID).count();
    assert!((9..=11).contains(&discoveries), "{discoveries} in 10 hours");
    assert!(urls.len() - discoveries > 100);
    drop(keys);
}

#[tokio::test(start_paused = true)]
async fn a_jwks_uri_that_moves_is_found_after_the_failure() {
    let set = set_of("key");
    let provider = Provider::new(move |url| match url.path() {
        "/jwks" => Reply::json(set.clone()),
        _ => Reply::json(metadata(ISSUER, JWKS_URL)),
    });
    let keys = discover(&provider);
    keys.ready().await;
    let set = set_of("moved");
    provider.answer(move |url| match url.path() {
        "/jwks" => Reply::status(StatusCode::NOT_FOUND),
        "/moved" => Reply::json(set.clone()),
        _ => Reply::json(metadata(ISSUER, "https://login.example/moved")),
    });
    sleep(5 * MINUTE + 2 * SECOND).await;
    assert!(has(&keys.snapshot(), "moved"));
}

#[tokio::test(start_paused = true)]
async fn a_loopback_issuer_may_have_keys_on_loopback() {
    let set = set_of("key");
    let provider = Provider::new(move |url| match url.path() {
        "/jwks" => Reply::json(set.clone()),
        _ => Reply::json(metadata("http://localhost:8080", "http://127.0.0.1:8080/jwks")),
    });
    let builder = RemoteKeySet::discover("http://localhost:8080");
    let keys = provider.configure(builder).build().unwrap();
    keys.ready().await;
    assert!(has(&keys.snapshot(), "key"));
}

//! Requests and responses.

use http::header::{ACCEPT, USER_AGENT};
use tokio::time::timeout;
use tower::limit::ConcurrencyLimitLayer;
use tower::util::BoxCloneService;
use tower::{Layer, ServiceExt};

use super::*;
use crate::keys::FetchErrorKind;

async fn error(reply: fn() -> Reply) -> FetchErrorKind {
    let provider = Provider::new(move |_| reply());
    let keys = provider.keys();
    sleep(5 * SECOND).await;
    let status = keys.status();
    assert_eq!(status.keys(), 0);
    status.last_error().expect("an error")
}

#[tokio::test(start_paused = true)]
async fn the_request_is_a_get_for_json() {
    let provider = Provider::with_set(set_of("key"));
    provider.keys().ready().await;
    let (_, request) = provider.0.lock().unwrap().requests.remove(0);
    assert_eq!(request.method(), http::Method::GET);
    assert_eq!(request.uri(), JWKS_URL);
    assert_eq!(request.headers()[ACCEPT], "application/json, application/jwk-set+json");
    assert!(request.headers()[USER_AGENT].to_str().unwrap().starts_with("tower-jwt-auth/"));
}

#[tokio::test(start_paused = true)]
async fn another_status_than_200_is_an_error() {
    assert_eq!(error(|| Reply::status(StatusCode::NO_CONTENT)).await, FetchErrorKind::Status);
    assert_eq!(error(|| Reply::status(StatusCode::PARTIAL_CONTENT)).await, FetchErrorKind::Status);
    assert_eq!(error(|| Reply::status(StatusCode::NOT_FOUND)).await, FetchErrorKind::Status);
    assert_eq!(error(|| Reply::status(StatusCode::BAD_GATEWAY)).await, FetchErrorKind::Status);
}

#[tokio::test(start_paused = true)]
async fn a_redirect_is_an_error_and_not_followed() {
    let to = "https://login.example/elsewhere";
    for status in [301, 302, 303, 307, 308] {
        let provider = Provider::new(move |_| {
            Reply::status(StatusCode::from_u16(status).unwrap()).with_header("location", to)
        });
        let keys = provider.keys();
        settle().await;
        assert_eq!(keys.status().last_error(), Some(FetchErrorKind::Redirect), "{status}");
        assert_eq!(provider.urls(), [JWKS_URL]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_content_type_must_not_be_another_format() {
    for (content_type, is_accepted) in [
        ("application/json", true),
        ("application/json; charset=utf-8", true),
        ("Application/JSON;charset=UTF-8", true),
        ("application/jwk-set+json", true),
        ("text/plain; charset=utf-8", true),
        ("application/octet-stream", true),
        ("text/html; charset=utf-8", false),
        ("application/xml", false),
        ("application/jsonp", false),
        ("", false),
    ] {
        let set = set_of("key");
        let provider = Provider::new(move |_| {
            Reply::json(set.clone()).with_header("content-type", content_type)
        });
        let keys = provider.keys();
        settle().await;
        assert_eq!(has(&keys.snapshot(), "key"), is_accepted, "{content_type}");
        if !is_accepted {
            assert_eq!(keys.status().last_error(), Some(FetchErrorKind::Malformed));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_not_a_jwk_set_is_malformed() {
    assert_eq!(error(|| Reply::json("")).await, FetchErrorKind::Malformed);
    assert_eq!(error(|| Reply::json("[]")).await, FetchErrorKind::Malformed);
    assert_eq!(error(|| Reply::json(r#"{"keys":{}}"#)).await, FetchErrorKind::Malformed);
    assert_eq!(error(|| Reply::json(&b"{\"keys\":[\xff]}"[..])).await, FetchErrorKind::Malformed);
}

#[tokio::test(start_paused = true)]
async fn a_body_beyond_the_limit_is_an_error() {
    let set = set_of("key");
    for (limit, is_accepted) in [(set.len(), true), (set.len() - 1, false)] {
        let provider = Provider::with_set(set.clone());
        let builder = RemoteKeySet::from_jwks_url(JWKS_URL).max_body_size(limit);
        let keys = provider.configure(builder).build().unwrap();
        settle().await;
        assert_eq!(has(&keys.snapshot(), "key"), is_accepted);
        let expected = (!is_accepted).then_some(FetchErrorKind::TooLarge);
        assert_eq!(keys.status().last_error(), expected);
    }
    let padded = |size: usize| format!("{set}{}", " ".repeat(size - set.len()));
    for (size, is_accepted) in [(512 * 1024, true), (512 * 1024 + 1, false)] {
        let keys = Provider::with_set(padded(size)).keys();
        settle().await;
        assert_eq!(has(&keys.snapshot(), "key"), is_accepted, "{size} bytes");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_takes_5_seconds_unless_set() {
    for (set, expected) in [(None, 5 * SECOND), (Some(SECOND), SECOND)] {
        let provider = Provider::new(|_| Reply::Never);
        let mut builder = provider.configure(RemoteKeySet::from_jwks_url(JWKS_URL));
        if let Some(timeout) = set {
            builder = builder.timeout(timeout);
        }
        let keys = builder.build().unwrap();
        sleep(expected - SECOND / 100).await;
        assert_eq!(keys.status().fetches(), 0);
        sleep(SECOND / 50).await;
        assert_eq!(keys.status().last_error(), Some(FetchErrorKind::Timeout));
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_is_called_only_when_it_is_ready() {
    // The permit of the limit is taken in `poll_ready`; a call without it panics.
    let provider = Provider::with_set(set_of("key"));
    let client = ConcurrencyLimitLayer::new(1).layer(provider.clone());
    let keys =
        RemoteKeySet::from_jwks_url(JWKS_URL).client(BoxCloneService::new(client)).build().unwrap();
    timeout(SECOND, keys.ready()).await.unwrap();
    assert!(has(&keys.snapshot(), "key"));
}

#[tokio::test(start_paused = true)]
async fn an_error_of_readiness_is_an_error_of_the_connection() {
    let provider = Provider::with_set(set_of("key"));
    let (handle_client, handle) =
        tower_test::mock::pair::<Request<Full<Bytes>>, Response<Full<Bytes>>>();
    drop(handle);
    let keys = RemoteKeySet::from_jwks_url(JWKS_URL)
        .client(handle_client.map_err(|error| error))
        .build()
        .unwrap();
    settle().await;
    assert_eq!(keys.status().last_error(), Some(FetchErrorKind::Connection));
    drop(provider);
}

//! The endpoint of the issuer's public keys: caching, conditional requests, CORS and methods.

use std::time::Duration;

use http::StatusCode;
use tower_jwt_auth::keys::KeyRing;
use tower_jwt_auth::{ConfigError, Issuer, JwksService, SigningKey};
use tower_jwt_auth_tests::harness::{request, send_to};
use tower_jwt_auth_tests::{AUDIENCE, ISSUER, TestResponse};

fn issuer(key: SigningKey) -> Issuer {
    Issuer::new(ISSUER, AUDIENCE, key).unwrap()
}

fn jwks() -> JwksService {
    issuer(SigningKey::generate().unwrap()).jwks()
}

async fn get(jwks: &JwksService, headers: &[(&str, &str)]) -> TestResponse {
    send_to(jwks.clone(), request("GET", headers)).await
}

#[tokio::test]
async fn the_set_may_be_cached_for_five_minutes_unless_set() {
    let jwks = jwks();
    let response = get(&jwks, &[]).await;
    assert_eq!(response.status, StatusCode::OK);
    assert_eq!(response.header("content-type"), Some("application/jwk-set+json"));
    assert_eq!(response.header("cache-control"), Some("public, max-age=300"));
    assert_eq!(response.header("access-control-allow-origin"), None);
    assert_eq!(response.header("vary"), None);
    for (seconds, expected) in
        [(0, "public, max-age=0"), (60, "public, max-age=60"), (24 * 3600, "public, max-age=86400")]
    {
        let jwks = jwks.clone().with_max_age(Duration::from_secs(seconds)).unwrap();
        assert_eq!(get(&jwks, &[]).await.header("cache-control"), Some(expected));
    }
}

#[test]
fn a_time_in_caches_has_bounds() {
    for invalid in [24 * 3600 * 1000 + 1000, 1500, 1, u64::MAX].map(Duration::from_millis) {
        let error = jwks().with_max_age(invalid).unwrap_err();
        assert!(matches!(error, ConfigError::Duration { given, .. } if given == invalid));
    }
}

// Nodes behind a load balancer must give the same set the same tag.
#[tokio::test]
async fn the_tag_belongs_to_the_set() {
    let key = SigningKey::generate().unwrap();
    let tag = async |key: &SigningKey| {
        let response = get(&issuer(key.clone()).jwks(), &[]).await;
        response.header("etag").unwrap().to_owned()
    };
    let first = tag(&key).await;
    assert!(first.starts_with('"') && first.ends_with('"'), "{first} is not a strong tag");
    assert_eq!(tag(&key).await, first);
    assert_ne!(tag(&SigningKey::generate().unwrap()).await, first);
}

// A client that has the set of the former keys must receive that of the present ones.
#[tokio::test]
async fn the_tag_changes_with_the_keys_while_the_service_runs() {
    let (old, new) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let issuer = issuer(old.clone());
    let jwks = issuer.jwks();
    let first = get(&jwks, &[]).await;
    let tag = first.header("etag").unwrap();
    assert_eq!(get(&jwks, &[("if-none-match", tag)]).await.status, StatusCode::NOT_MODIFIED);
    issuer.key_ring().replace(KeyRing::new(new));
    let second = get(&jwks, &[("if-none-match", tag)]).await;
    assert_eq!(second.status, StatusCode::OK);
    assert_ne!(second.body, first.body);
    assert_ne!(second.header("etag"), Some(tag));
    // The same keys are the same set, whatever came between.
    issuer.key_ring().replace(KeyRing::new(old));
    assert_eq!(get(&jwks, &[("if-none-match", tag)]).await.status, StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn a_client_that_has_the_set_receives_304_without_it() {
    let jwks = jwks().with_allow_origin("https://app.example").unwrap();
    let full = get(&jwks, &[]).await;
    let tag = full.header("etag").unwrap();
    for method in ["GET", "HEAD"] {
        for value in [tag, &format!("W/{tag}"), &format!(r#""x", {tag}"#), "*"] {
            let response =
                send_to(jwks.clone(), request(method, &[("if-none-match", value)])).await;
            assert_eq!(response.status, StatusCode::NOT_MODIFIED, "{value}");
            assert!(response.body.is_empty());
            // RFC 9110 §15.4.5: the headers that a cache updates.
            for name in ["etag", "cache-control", "vary", "access-control-allow-origin"] {
                assert!(full.header(name).is_some(), "{name}");
                assert_eq!(response.header(name), full.header(name), "{name}");
            }
        }
    }
    // A list may be in several fields (RFC 9110 §5.3).
    let fields = [("if-none-match", r#""x""#), ("if-none-match", tag)];
    assert_eq!(get(&jwks, &fields).await.status, StatusCode::NOT_MODIFIED);
    let unquoted = tag.trim_matches('"');
    for other in [r#""x""#, unquoted, ""] {
        let response = get(&jwks, &[("if-none-match", other)]).await;
        assert_eq!(response.status, StatusCode::OK, "{other}");
        assert_eq!(response.body, full.body);
    }
}

#[tokio::test]
async fn head_has_the_headers_of_get_and_no_body() {
    let jwks = jwks();
    let full = get(&jwks, &[]).await;
    let head = send_to(jwks, request("HEAD", &[])).await;
    assert_eq!(head.status, StatusCode::OK);
    assert!(head.body.is_empty());
    let length = full.body.len().to_string();
    assert_eq!(head.header("content-length"), Some(&*length));
    for name in ["etag", "cache-control", "content-type"] {
        assert_eq!(head.header(name), full.header(name), "{name}");
    }
}

#[tokio::test]
async fn other_methods_are_405_with_json() {
    let jwks = jwks().with_allow_origin("*").unwrap();
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        // A condition applies only where the response would be a success without it (RFC 9110 §13.2.1).
        let response = send_to(jwks.clone(), request(method, &[("if-none-match", "*")])).await;
        response.assert_refused(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed");
        assert_eq!(response.header("allow"), Some("GET, HEAD"));
        assert_eq!(response.header("cache-control"), Some("no-store"));
        assert_eq!(response.header("access-control-allow-origin"), Some("*"));
        assert_eq!(response.header("etag"), None);
    }
}

#[tokio::test]
async fn pages_of_another_origin_may_read_the_set_if_it_is_allowed() {
    let any = jwks().with_allow_origin("*").unwrap();
    let response = get(&any, &[("origin", "https://app.example")]).await;
    assert_eq!(response.header("access-control-allow-origin"), Some("*"));
    assert_eq!(response.header("vary"), None);
    // The origin is sent in the form of browsers, whoever asks: caches may keep it.
    let one = jwks().with_allow_origin("https://App.example:443").unwrap();
    for headers in [&[][..], &[("origin", "https://app.example")], &[("origin", "https://evil")]] {
        let response = get(&one, headers).await;
        let allowed = response.header("access-control-allow-origin");
        assert_eq!(allowed, Some("https://app.example"));
        assert_eq!(response.header("vary"), Some("Origin"));
    }
    for invalid in ["", "null", "https://app.example/", "https://*.example", "https://a, https://b"]
    {
        let error = jwks().with_allow_origin(invalid).unwrap_err();
        assert_eq!(error, ConfigError::Origin { origin: invalid.to_owned() });
    }
}

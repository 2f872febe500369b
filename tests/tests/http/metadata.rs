//! Metadata of an authorization server (RFC 8414) and of a protected resource (RFC 9728).

use std::collections::BTreeMap;
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower_jwt_auth::endpoints::{AuthorizationServerMetadata, ProtectedResourceMetadata};
use tower_jwt_auth::keys::RemoteKeySet;
use tower_jwt_auth::{
    ConfigError, Issuer, JwtAuthLayer, MemoryStore, RefreshSecrets, RevocationList, Sessions,
    SignIn, SigningKey, TokenSource, TrustedIssuer, Verifier,
};
use tower_jwt_auth_tests::harness::{call_behind, request, send_to};
use tower_jwt_auth_tests::{AUDIENCE, ISSUER};

const RESOURCE: &str = "https://api.example/v1";

fn server() -> AuthorizationServerMetadata {
    AuthorizationServerMetadata::new(ISSUER).unwrap()
}

fn resource() -> ProtectedResourceMetadata {
    ProtectedResourceMetadata::new(RESOURCE).unwrap()
}

fn parse(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

#[track_caller]
fn assert_url_error<T: std::fmt::Debug>(result: Result<T, ConfigError>, why: &str) {
    let error = result.expect_err(why);
    assert!(matches!(error, ConfigError::Url { .. }), "{why}: {error}");
}

#[test]
fn the_document_of_a_server_has_the_members_that_are_set() {
    // Clients compare the issuer (RFC 8414 §3.3), and response types are required (§2).
    assert_eq!(
        parse(&server().to_json()),
        json!({"issuer": ISSUER, "response_types_supported": []})
    );
    let metadata = server()
        .with_jwks_uri("https://issuer.example/jwks.json")
        .and_then(|it| it.with_authorization_endpoint("https://issuer.example/authorize"))
        .and_then(|it| it.with_token_endpoint("https://issuer.example/token?tenant=1"))
        .and_then(|it| it.with_revocation_endpoint("https://issuer.example/revoke"))
        .and_then(|it| it.with_service_documentation("https://docs.example/api#tokens"))
        .and_then(|it| it.with_scopes(["read", "write"]))
        .and_then(|it| it.with_member("ui_locales_supported", ["de", "fr-CA"]))
        .and_then(|it| it.with_member("subject_types_supported", vec!["public"]))
        .unwrap()
        .with_response_types(["code"])
        .with_grant_types(["authorization_code", "refresh_token"])
        .with_token_endpoint_auth_methods(["none"])
        .with_code_challenge_methods(["S256"]);
    let expected = json!({
        "issuer": ISSUER,
        "jwks_uri": "https://issuer.example/jwks.json",
        "authorization_endpoint": "https://issuer.example/authorize",
        "token_endpoint": "https://issuer.example/token?tenant=1",
        "revocation_endpoint": "https://issuer.example/revoke",
        "service_documentation": "https://docs.example/api#tokens",
        "scopes_supported": ["read", "write"],
        "ui_locales_supported": ["de", "fr-CA"],
        "subject_types_supported": ["public"],
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported": ["none"],
        "code_challenge_methods_supported": ["S256"],
    });
    assert_eq!(parse(&metadata.to_json()), expected);
}

#[test]
fn the_document_of_a_resource_has_the_members_that_are_set() {
    assert_eq!(parse(&resource().to_json()), json!({"resource": RESOURCE}));
    let metadata = resource()
        .with_authorization_servers([ISSUER, "https://login.example/realms/shop"])
        .and_then(|it| it.with_jwks_uri("https://api.example/jwks.json"))
        .and_then(|it| it.with_scopes(["read"]))
        .and_then(|it| it.with_resource_documentation("https://docs.example/#api"))
        .and_then(|it| it.with_resource_policy_uri("https://docs.example/policy"))
        .and_then(|it| it.with_resource_tos_uri("https://docs.example/terms"))
        .and_then(|it| it.with_member("resource_name#fr", "Commandes"))
        .and_then(|it| it.with_member("tls_client_certificate_bound_access_tokens", false))
        .unwrap()
        .with_resource_name("Orders")
        .with_token_source(&TokenSource::authorization_header());
    let expected = json!({
        "resource": RESOURCE,
        "authorization_servers": [ISSUER, "https://login.example/realms/shop"],
        "jwks_uri": "https://api.example/jwks.json",
        "scopes_supported": ["read"],
        "bearer_methods_supported": ["header"],
        "resource_documentation": "https://docs.example/#api",
        "resource_policy_uri": "https://docs.example/policy",
        "resource_tos_uri": "https://docs.example/terms",
        "resource_name": "Orders",
        "resource_name#fr": "Commandes",
        "tls_client_certificate_bound_access_tokens": false,
    });
    assert_eq!(parse(&metadata.to_json()), expected);
}

#[test]
fn the_bearer_methods_are_those_of_the_layer() {
    let header = TokenSource::authorization_header();
    let cookie = header.clone().or_cookie("__Host-access_token").unwrap();
    let query = cookie.clone().dangerous_or_query();
    for (source, methods) in [
        (header, json!(["header"])),
        (cookie, json!(["header"])),
        (query, json!(["header", "query"])),
    ] {
        let document = parse(&resource().with_token_source(&source).to_json());
        assert_eq!(document["bearer_methods_supported"], methods);
    }
}

/// RFC 8414 §3.2, RFC 9728 §3.2.
#[test]
fn a_member_without_elements_is_omitted() {
    let none: [&str; 0] = [];
    let metadata = server().with_grant_types(["x"]).with_grant_types(none);
    let metadata = metadata.with_scopes(none).unwrap().with_member("x", none).unwrap();
    let metadata = metadata.with_member("y", Value::Null).unwrap();
    assert_eq!(parse(&metadata.to_json()), parse(&server().to_json()));
    let metadata = resource().with_authorization_servers(none).unwrap();
    assert_eq!(parse(&metadata.to_json()), parse(&resource().to_json()));
}

#[test]
fn identifiers_and_urls_that_clients_cannot_use_are_errors() {
    let bad = [
        "",
        "issuer",
        "/path",
        "http://issuer.example",
        "ftp://issuer.example",
        "https://user@issuer.example",
        "https://issuer.example/a b",
        "https://issuer.example/\"",
        "https://issuer.example/ä",
    ];
    for url in bad {
        assert_url_error(AuthorizationServerMetadata::new(url), url);
        assert_url_error(ProtectedResourceMetadata::new(url), url);
        assert_url_error(server().with_service_documentation(url), url);
        assert_url_error(resource().with_resource_documentation(url), url);
        assert_url_error(resource().with_resource_policy_uri(url), url);
        assert_url_error(resource().with_resource_tos_uri(url), url);
    }
    // RFC 8414 §2, RFC 9728 §1.2.
    for url in ["https://issuer.example?a", "https://issuer.example/#a", "https://issuer.example/?"]
    {
        assert_url_error(AuthorizationServerMetadata::new(url), url);
        assert_url_error(ProtectedResourceMetadata::new(url), url);
        assert_url_error(resource().with_authorization_servers([ISSUER, url]), url);
    }
    // RFC 6749 §3.1, §3.2.
    for url in bad.into_iter().chain(["https://issuer.example/x#f"]) {
        assert_url_error(server().with_jwks_uri(url), url);
        assert_url_error(server().with_authorization_endpoint(url), url);
        assert_url_error(server().with_token_endpoint(url), url);
        assert_url_error(server().with_revocation_endpoint(url), url);
        assert_url_error(resource().with_jwks_uri(url), url);
        assert_url_error(resource().with_authorization_servers([url]), url);
    }
    for url in
        ["https://docs.example/#a b", "https://docs.example/#a#b", "https://docs.example/#\""]
    {
        assert_url_error(server().with_service_documentation(url), url);
    }
    for scope in ["", "a b", "ä"] {
        let expected = ConfigError::Scope { scope: scope.to_owned() };
        assert_eq!(server().with_scopes(["read", scope]).unwrap_err(), expected);
        assert_eq!(resource().with_scopes(["read", scope]).unwrap_err(), expected);
    }
}

#[test]
fn plain_http_is_for_subjects_on_loopback_alone() {
    let keys = "http://127.0.0.1:3000/jwks.json";
    assert_url_error(server().with_jwks_uri(keys), "the issuer is https");
    assert_url_error(resource().with_authorization_servers(["http://localhost"]), "https");
    let issuer = "http://127.0.0.1:3000";
    assert!(AuthorizationServerMetadata::new(issuer).unwrap().with_jwks_uri(keys).is_ok());
    let resource = ProtectedResourceMetadata::new("http://localhost:3000/v1").unwrap();
    assert!(resource.with_authorization_servers([issuer, ISSUER]).is_ok());
}

#[test]
fn a_member_with_a_setter_is_not_set_without_its_checks() {
    for name in ["issuer", "jwks_uri", "token_endpoint", "response_types_supported", ""] {
        let error = server().with_member(name, "http://evil.example").unwrap_err();
        assert!(matches!(error, ConfigError::MetadataMember { .. }), "{name}: {error}");
    }
    for name in ["resource", "authorization_servers", "jwks_uri", "scopes_supported", ""] {
        let error = resource().with_member(name, "http://evil.example").unwrap_err();
        assert!(matches!(error, ConfigError::MetadataMember { .. }), "{name}: {error}");
    }
    let no_json = BTreeMap::from([((1, 2), 3)]);
    let error = server().with_member("x", no_json).unwrap_err();
    assert!(matches!(error, ConfigError::MetadataMember { .. }), "{error}");
}

/// RFC 8414 §3.1, OpenID Connect Discovery §4.1.
#[test]
fn the_path_of_a_server_is_before_or_after_that_of_the_issuer() {
    for (issuer, oauth, openid) in [
        ("https://a.example", "", ""),
        ("https://a.example/", "", ""),
        ("https://a.example:8443/issuer1", "/issuer1", "/issuer1"),
        ("https://a.example/realms/shop/", "/realms/shop", "/realms/shop"),
    ] {
        let metadata = AuthorizationServerMetadata::new(issuer).unwrap();
        let expected = format!("/.well-known/oauth-authorization-server{oauth}");
        assert_eq!(metadata.well_known_path(), expected, "{issuer}");
        let expected = format!("{openid}/.well-known/openid-configuration");
        assert_eq!(metadata.openid_configuration_path(), expected, "{issuer}");
        assert_eq!(parse(&metadata.to_json())["issuer"], issuer);
    }
}

/// RFC 9728 §3.1.
#[test]
fn the_path_of_a_resource_is_after_the_well_known_one() {
    for (identifier, origin, path) in [
        ("https://a.example", "https://a.example", ""),
        ("https://a.example/", "https://a.example", ""),
        ("https://a.example/resource1", "https://a.example", "/resource1"),
        ("https://a.example:8443/v1/orders", "https://a.example:8443", "/v1/orders"),
        ("https://a.example/v1/", "https://a.example", "/v1/"),
        ("http://[::1]:3000/v1", "http://[::1]:3000", "/v1"),
    ] {
        let metadata = ProtectedResourceMetadata::new(identifier).unwrap();
        let expected = format!("/.well-known/oauth-protected-resource{path}");
        assert_eq!(metadata.well_known_path(), expected, "{identifier}");
        assert_eq!(metadata.well_known_url(), format!("{origin}{expected}"));
        assert_eq!(parse(&metadata.to_json())["resource"], identifier);
    }
}

#[tokio::test]
async fn a_document_is_served_like_the_jwk_set() {
    for (service, json) in
        [(server().service(), server().to_json()), (resource().service(), resource().to_json())]
    {
        let response = send_to(service.clone(), request("GET", &[])).await;
        assert_eq!(response.status, StatusCode::OK);
        assert_eq!(response.json(), parse(&json));
        assert_eq!(response.header("cache-control"), Some("public, max-age=300"));
        let tag = response.header("etag").unwrap().to_owned();
        let service = service.with_max_age(Duration::from_secs(60)).unwrap();
        let service = service.with_allow_origin("https://app.example").unwrap();
        let response = send_to(service.clone(), request("GET", &[("if-none-match", &tag)])).await;
        assert_eq!(response.status, StatusCode::NOT_MODIFIED);
        assert_eq!(response.header("cache-control"), Some("public, max-age=60"));
        let allowed = response.header("access-control-allow-origin");
        assert_eq!(allowed, Some("https://app.example"));
        let head = send_to(service.clone(), request("HEAD", &[])).await;
        assert_eq!((head.status, head.body.is_empty()), (StatusCode::OK, true));
        let post = send_to(service.clone(), request("POST", &[])).await;
        post.assert_refused(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed");
        assert!(service.clone().with_max_age(Duration::from_millis(1)).is_err());
        assert!(service.with_allow_origin("null").is_err());
    }
}

/// The issuer's side of a service on its own port, and the layer of another service that discovers its keys.
async fn discovered(
    issuer_path: &str,
    path: impl Fn(&AuthorizationServerMetadata) -> String,
) -> (Sessions, JwtAuthLayer, RemoteKeySet) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let name = format!("{base}{issuer_path}");
    let issuer = Issuer::new(&name, AUDIENCE, SigningKey::generate().unwrap()).unwrap();
    let metadata = AuthorizationServerMetadata::new(issuer.name()).unwrap();
    let metadata = metadata.with_jwks_uri(&format!("{base}/jwks.json")).unwrap();
    let app: axum::Router = axum::Router::new()
        .route_service(&path(&metadata), metadata.service())
        .route_service("/jwks.json", issuer.jwks());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let secrets = RefreshSecrets::generate().unwrap();
    let sessions = Sessions::builder(issuer, secrets, MemoryStore::new()).build().unwrap();
    let keys = RemoteKeySet::discover(&name).build().unwrap();
    let trusted = TrustedIssuer::new(&name, AUDIENCE, keys.clone()).unwrap();
    (sessions, JwtAuthLayer::new(Verifier::new(trusted), RevocationList::none()), keys)
}

#[tokio::test]
async fn another_service_discovers_the_keys_by_the_metadata() {
    for issuer_path in ["", "/realms/shop"] {
        for path in [
            AuthorizationServerMetadata::well_known_path,
            AuthorizationServerMetadata::openid_configuration_path,
        ] {
            let (sessions, auth, keys) = discovered(issuer_path, path).await;
            let tokens = sessions.start(SignIn::new("alice")).await.unwrap();
            let response = call_behind(&auth, tokens.access().as_str()).await;
            assert_eq!(response.status, StatusCode::OK, "{issuer_path} {:?}", keys.status());
            assert_eq!(response.body, "alice");
        }
    }
}

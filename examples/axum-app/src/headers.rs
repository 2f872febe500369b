//! The headers that every response carries.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::Response;

/// The headers that restrict other sites. A browser displays any response that a link leads to, so all have them.
const SECURITY: [(HeaderName, HeaderValue); 5] = [
    // Only scripts and styles of this server run, and no page may frame its pages.
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
             img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
    ),
    // A window of another origin that opens this one, or that this one opens, has no reference to it.
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    // Another origin cannot load a response as an image or a script, which would put it into that origin's process.
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
];

/// Returns the security headers; with `Strict-Transport-Security` if it has a lifetime.
///
/// The application cannot see whether it is served over https, so it takes a setting. Over http the header must not
/// be sent (RFC 6797 §7.2). On `localhost` it would apply to all ports of the machine (§8.3 keeps the port), and
/// every other development server there would be unreachable over http.
pub(crate) fn security(hsts_max_age: Option<Duration>) -> Arc<HeaderMap> {
    let mut headers = HeaderMap::from_iter(SECURITY);
    if let Some(max_age) = hsts_max_age {
        // Digits are a valid value. Without `includeSubDomains`: other hosts may have another owner.
        if let Ok(value) = HeaderValue::try_from(format!("max-age={}", max_age.as_secs())) {
            headers.insert(STRICT_TRANSPORT_SECURITY, value);
        }
    }
    Arc::new(headers)
}

/// Adds these headers to a response. No cache may store it unless the handler has set another `Cache-Control`: it may
/// contain a user's data or a secret.
pub(crate) async fn add(
    State(security): State<Arc<HeaderMap>>,
    mut response: Response,
) -> Response {
    let headers = response.headers_mut();
    for (name, value) in &*security {
        headers.insert(name, value.clone());
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

//! The pages, which are in the binary, and the headers that keep strangers' scripts out of them.

use axum::Router;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::response::Response;
use axum::routing::{MethodRouter, get};

use crate::app::App;

/// Nothing but this server's own files runs, and nobody frames them.
const CONTENT_SECURITY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     connect-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'none'";

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/", file("text/html; charset=utf-8", include_str!("../assets/index.html")))
        .route("/app.js", file("text/javascript; charset=utf-8", include_str!("../assets/app.js")))
        .route("/style.css", file("text/css; charset=utf-8", include_str!("../assets/style.css")))
}

fn file(content_type: &'static str, text: &'static str) -> MethodRouter<App> {
    // They change with the binary, so browsers are to ask each time.
    get(move || async move { ([(CONTENT_TYPE, content_type), (CACHE_CONTROL, "no-cache")], text) })
}

/// On every answer, since browsers show any of them when asked to.
pub(crate) async fn secure(mut response: Response) -> Response {
    const HEADERS: [(HeaderName, HeaderValue); 3] = [
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY)),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    ];
    response.headers_mut().extend(HEADERS);
    response
}

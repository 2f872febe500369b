//! The page with its script and style, which are compiled into the binary.

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::routing::{MethodRouter, get};

use crate::app::App;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/", file("text/html; charset=utf-8", include_str!("../assets/index.html")))
        .route("/app.js", file("text/javascript; charset=utf-8", include_str!("../assets/app.js")))
        .route("/style.css", file("text/css; charset=utf-8", include_str!("../assets/style.css")))
}

fn file(content_type: &'static str, text: &'static str) -> MethodRouter<App> {
    // They change with the binary, so browsers revalidate them each time.
    get(move || async move { ([(CONTENT_TYPE, content_type), (CACHE_CONTROL, "no-cache")], text) })
}

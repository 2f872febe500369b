use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;

/// Creates a response that is never cached.
pub(super) fn no_store(status: StatusCode, body: Full<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Creates the response to a method that the endpoint does not support (RFC 9110 §15.5.6), with JSON like other errors.
pub(super) fn method_not_allowed(method: &Method, allow: &'static str) -> Response<Full<Bytes>> {
    let json = r#"{"error":"method_not_allowed","error_description":"The endpoint does not support this method."}"#;
    let mut response = no_store(StatusCode::METHOD_NOT_ALLOWED, Full::default());
    let headers = response.headers_mut();
    headers.insert(ALLOW, HeaderValue::from_static(allow));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    set_body(&mut response, method, Bytes::from_static(json.as_bytes()));
    response
}

/// Sets the body. A response to `HEAD` has the length of the body in place of the body (RFC 9110 §9.3.2).
pub(super) fn set_body(response: &mut Response<Full<Bytes>>, method: &Method, body: Bytes) {
    if method == Method::HEAD {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    } else {
        *response.body_mut() = Full::new(body);
    }
}

pub(super) fn set_cookies(headers: &mut HeaderMap, cookies: Vec<HeaderValue>) {
    for cookie in cookies {
        headers.append(SET_COOKIE, cookie);
    }
}

use std::fmt;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, SET_COOKIE, WWW_AUTHENTICATE};
use http::{Extensions, HeaderMap, Response, StatusCode};
use http_body_util::BodyExt;

/// A response whose body has been read.
#[derive(Clone)]
pub struct TestResponse {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub extensions: Extensions,
    pub body: Bytes,
}

impl TestResponse {
    pub async fn read<B>(response: Response<B>) -> Self
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: fmt::Debug,
    {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Self { status: parts.status, headers: parts.headers, extensions: parts.extensions, body }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn challenge(&self) -> Option<&str> {
        self.header(WWW_AUTHENTICATE.as_str())
    }

    pub fn json(&self) -> serde_json::Value {
        assert_eq!(self.header(CONTENT_TYPE.as_str()), Some("application/json"));
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Returns the only `Set-Cookie` header.
    ///
    /// # Panics
    /// If there are several.
    pub fn set_cookie(&self) -> Option<&str> {
        let mut cookies = self.headers.get_all(SET_COOKIE).iter();
        let cookie = cookies.next().map(|value| value.to_str().unwrap());
        assert!(cookies.next().is_none(), "the response sets more than one cookie");
        cookie
    }

    /// Returns the value of the cookie in the only `Set-Cookie` header.
    pub fn cookie_value(&self) -> Option<&str> {
        self.set_cookie().map(|cookie| cookie.split([';', '=']).nth(1).unwrap())
    }

    /// Returns the access token in the body.
    pub fn access_token(&self) -> String {
        self.json()["access_token"]
            .as_str()
            .expect("the body should contain an access token")
            .to_owned()
    }

    /// Asserts a refusal: the status, and the error code in the challenge and in the body.
    #[track_caller]
    pub fn assert_refused(&self, status: StatusCode, code: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.json()["error"], code);
        if status == StatusCode::UNAUTHORIZED {
            let challenge = self.challenge().expect("every refusal should have a challenge");
            assert!(challenge.contains(&format!(r#"error="{code}""#)), "{challenge}");
        }
    }
}

impl fmt::Debug for TestResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestResponse")
            .field("status", &self.status)
            .field("challenge", &self.challenge())
            .finish_non_exhaustive()
    }
}

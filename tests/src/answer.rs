use std::fmt;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, SET_COOKIE, WWW_AUTHENTICATE};
use http::{Extensions, HeaderMap, Response, StatusCode};
use http_body_util::BodyExt;

/// A response whose body has been read.
#[derive(Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub extensions: Extensions,
    pub body: Bytes,
}

impl Answer {
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

    /// The one `Set-Cookie`, whole.
    pub fn set_cookie(&self) -> Option<&str> {
        let mut cookies = self.headers.get_all(SET_COOKIE).iter();
        let cookie = cookies.next().map(|value| value.to_str().unwrap());
        assert!(cookies.next().is_none(), "more than one cookie is set");
        cookie
    }

    /// The value in the one `Set-Cookie`.
    pub fn cookie_value(&self) -> Option<&str> {
        self.set_cookie().map(|cookie| cookie.split([';', '=']).nth(1).unwrap())
    }

    /// The access token in the body.
    pub fn access_token(&self) -> String {
        self.json()["access_token"].as_str().expect("an access token").to_owned()
    }

    /// Asserts a refusal: status, the code in challenge and body, and no more told than that.
    #[track_caller]
    pub fn assert_refused(&self, status: StatusCode, code: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.json()["error"], code);
        if status == StatusCode::UNAUTHORIZED {
            let challenge = self.challenge().expect("every 401 has a challenge");
            assert!(challenge.contains(&format!(r#"error="{code}""#)), "{challenge}");
        }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("challenge", &self.challenge())
            .finish_non_exhaustive()
    }
}

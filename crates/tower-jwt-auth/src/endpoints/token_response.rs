use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;

use super::cookie::RefreshCookie;
use super::headers::{no_store, set_cookies};
use crate::http::challenge::AuthError;
use crate::sessions::Tokens;

impl Tokens {
    /// Creates the response to a login (RFC 6749 §5.1): the access token as JSON, the refresh token in this cookie.
    /// The response is never cached. It clears cookies in [former scopes](RefreshCookie::with_former_scope).
    ///
    /// An axum handler can return it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_jwt_auth::{Issuer, MemoryStore, RefreshSecrets, Sessions, SigningKey};
    /// use tower_jwt_auth::{RefreshCookie, SignIn};
    /// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let issuer = Issuer::new("https://shop.example", "https://api.shop.example", SigningKey::generate()?)?;
    /// # let sessions = Sessions::builder(issuer, RefreshSecrets::generate()?, MemoryStore::new()).build()?;
    /// let tokens = sessions.start(SignIn::new("alice")).await?;
    /// let response = tokens.into_token_response(&RefreshCookie::host());
    /// assert_eq!(response.headers()["cache-control"], "no-store");
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_token_response(self, cookie: &RefreshCookie) -> Response<Full<Bytes>> {
        let Some(cookies) = cookie.set(&self.refresh) else {
            tracing::error!("the tokens do not fit into a response");
            return AuthError::Failed.into_error_response();
        };
        // The body of a successful response (RFC 6749 §5.1). The token consists of base64url and dots, which JSON does
        // not escape.
        let json = [
            r#"{"access_token":""#,
            self.access.as_str(),
            r#"","token_type":"Bearer","expires_in":"#,
            &self.access.expires_in().as_secs().to_string(),
            "}",
        ]
        .concat();
        let mut response = no_store(StatusCode::OK, Full::new(Bytes::from(json)));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        set_cookies(headers, cookies);
        response
    }
}

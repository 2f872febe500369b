//! A client that stores its refresh cookie by itself: the cookie is `Secure`, and the tests use plain http.

use reqwest::header::{AUTHORIZATION, COOKIE, HeaderMap, SET_COOKIE};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::server::{MAX_WAIT, Server};

pub(crate) const COOKIE_NAME: &str = "__Host-refresh_token";

/// A response that was read to its end.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Response {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {:?}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Returns the refresh token of `Set-Cookie`, if there is one.
    pub(crate) fn cookie(&self) -> Option<&str> {
        let header = self.headers.get(SET_COOKIE)?.to_str().unwrap();
        let (name, value) = header.split(';').next()?.split_once('=')?;
        assert_eq!(name, COOKIE_NAME);
        Some(value)
    }

    /// Asserts that this is an error of this status and code, with the headers and members of every such error.
    #[track_caller]
    pub(crate) fn assert_error(&self, status: u16, code: &str) {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert_eq!(self.json()["error"], code);
        assert!(self.json()["error_description"].is_string());
        assert_eq!(
            self.headers.contains_key("www-authenticate"),
            status == 401 || code.contains("scope")
        );
        assert_eq!(self.headers.contains_key("retry-after"), status == 503);
        assert_eq!(self.header("cache-control"), "no-store");
    }
}

pub(crate) async fn send(request: RequestBuilder) -> Response {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    Response { status, headers, text: response.text().await.unwrap() }
}

pub(crate) fn request(server: &Server, method: Method, path: &str) -> RequestBuilder {
    request_at(server.address(), method, path)
}

fn request_at(address: &str, method: Method, path: &str) -> RequestBuilder {
    let client = reqwest::Client::builder().no_proxy().timeout(MAX_WAIT).build().unwrap();
    client.request(method, format!("{address}{path}"))
}

pub(crate) async fn get(server: &Server, path: &str) -> Response {
    send(request(server, Method::GET, path)).await
}

pub(crate) fn login_request(server: &Server, username: &str, password: &str) -> RequestBuilder {
    let body = json!({ "username": username, "password": password });
    request(server, Method::POST, "/auth/login").json(&body)
}

/// A client that is signed in.
#[derive(Clone)]
pub(crate) struct Browser {
    address: String,
    pub(crate) access: String,
    pub(crate) cookie: String,
}

impl Browser {
    pub(crate) async fn sign_in(server: &Server, username: &str) -> Self {
        let password = match username {
            "alice" => "wonderland",
            "bob" => "builder",
            _ => "castle",
        };
        let response = send(login_request(server, username, password)).await;
        assert_eq!(response.status, StatusCode::OK, "{response:?}");
        let address = server.address().to_owned();
        let mut browser = Self { address, access: String::new(), cookie: String::new() };
        browser.keep(&response);
        browser
    }

    /// Returns the same client with the same tokens, for another server.
    pub(crate) fn at(&self, server: &Server) -> Self {
        Self { address: server.address().to_owned(), ..self.clone() }
    }

    /// Returns whether it is a client of this server.
    pub(crate) fn is_at(&self, server: &Server) -> bool {
        self.address == server.address()
    }

    /// Stores the tokens of the response to a login or refresh.
    pub(crate) fn keep(&mut self, response: &Response) {
        self.access = response.json()["access_token"].as_str().unwrap().to_owned();
        self.cookie = response.cookie().unwrap().to_owned();
    }

    pub(crate) fn with_access(&self, method: Method, path: &str) -> RequestBuilder {
        let bearer = format!("Bearer {}", self.access);
        request_at(&self.address, method, path).header(AUTHORIZATION, bearer)
    }

    pub(crate) async fn call(&self, method: Method, path: &str) -> Response {
        send(self.with_access(method, path)).await
    }

    pub(crate) async fn transfer(&self) -> Response {
        let body = json!({ "to": "bob", "amount": 10 });
        send(self.with_access(Method::POST, "/api/transfer").json(&body)).await
    }

    /// Sends a POST with the cookie alone.
    pub(crate) async fn post(&self, path: &str) -> Response {
        let cookie = format!("{COOKIE_NAME}={}", self.cookie);
        send(request_at(&self.address, Method::POST, path).header(COOKIE, cookie)).await
    }

    /// Returns the sessions that the user sees.
    pub(crate) async fn sessions(&self) -> Vec<Value> {
        let response = self.call(Method::GET, "/auth/sessions").await;
        assert_eq!(response.status, StatusCode::OK, "{response:?}");
        response.json()["sessions"].as_array().unwrap().clone()
    }

    /// Returns whether the access token is accepted, and whether the refresh token is.
    pub(crate) async fn is_alive(&self) -> (bool, bool) {
        let access = self.call(Method::GET, "/api/me").await;
        let refresh = self.post("/auth/refresh").await;
        (access.status == StatusCode::OK, refresh.status == StatusCode::OK)
    }
}

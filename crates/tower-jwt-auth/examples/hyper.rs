//! Sign-in, refresh and protected paths on hyper: `cargo run -p tower-jwt-auth --example hyper`
use std::{convert::Infallible, error::Error};

use bytes::Bytes;
use http_body_util::{Full, combinators::BoxBody};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tower::{Layer as _, ServiceExt as _};
use tower_jwt_auth::{
    AuthError, Identity, Issuer, JwtAuthLayer, MemoryStore, OriginPolicy, RefreshCookie,
    RefreshSecrets, RefreshService, Sessions, SignIn, SigningKey,
};

type HttpResult<B> = Result<Response<B>, Infallible>;

type App = (Sessions, JwtAuthLayer, RefreshService);

async fn call(app: App, request: Request<Incoming>) -> HttpResult<BoxBody<Bytes, Infallible>> {
    let (sessions, auth, refresh) = app;
    Ok(match request.uri().path() {
        "/login" => login(&sessions, &request).await.map(BoxBody::new),
        "/refresh" => refresh.oneshot(request).await?.map(BoxBody::new),
        _ => auth.layer(tower::service_fn(me)).oneshot(request).await?.map(BoxBody::new),
    })
}

async fn login(sessions: &Sessions, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    if let Err(cross_site) = OriginPolicy::same_origin().check(request.headers(), request.uri()) {
        return AuthError::from(cross_site).into_error_response();
    }
    // Check the user's password here.
    let (user, cookie) = (SignIn::new("alice"), RefreshCookie::host());
    let tokens = sessions.start(user.with_request(request.headers(), &cookie)).await;
    let rejected = |error| AuthError::from(&error).into_error_response();
    tokens.map_or_else(rejected, |tokens| tokens.into_token_response(&cookie))
}

async fn me(request: Request<Incoming>) -> HttpResult<Full<Bytes>> {
    let user = request.extensions().get::<Identity>().map_or("nobody", Identity::subject);
    Ok(Response::new(Full::from(user.to_owned())))
}

pub(crate) async fn serve(listener: TcpListener) -> Result<(), Box<dyn Error>> {
    let (key, secrets) = (SigningKey::generate()?, RefreshSecrets::generate()?);
    let issuer = Issuer::new("https://shop.example", "https://api.shop.example", key)?;
    let sessions = Sessions::builder(issuer, secrets, MemoryStore::new()).build()?;
    let refresh = RefreshService::new(&sessions, RefreshCookie::host());
    let app = (sessions.clone(), JwtAuthLayer::for_sessions(&sessions), refresh);
    loop {
        let (stream, app) = (TokioIo::new(listener.accept().await?.0), app.clone());
        let service = service_fn(move |request| call(app.clone(), request));
        tokio::spawn(http1::Builder::new().serve_connection(stream, service));
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    serve(TcpListener::bind("localhost:3000").await?).await
}

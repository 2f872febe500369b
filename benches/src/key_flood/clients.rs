use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};
use tower_jwt_auth_tests::token_builder::{TokenBuilder, encode};

use super::{AUDIENCE, Scenario};
use crate::BoxError;
use crate::load::Client;

/// A connection to the resource server.
struct Connection {
    sender: SendRequest<Empty<Bytes>>,
    host: String,
}

impl Connection {
    async fn open(address: SocketAddr) -> Result<Self, BoxError> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender, host: address.to_string() })
    }

    async fn get(&mut self, token: &str) -> Result<StatusCode, BoxError> {
        let request = Request::get("/")
            .header("host", &self.host)
            .header("authorization", format!("Bearer {token}"))
            .body(Empty::new())?;
        self.sender.ready().await?;
        let response: Response<Incoming> = self.sender.send_request(request).await?;
        let status = response.status();
        response.into_body().collect().await?;
        Ok(status)
    }
}

/// A client that calls the resource server with one good token.
pub(super) struct HonestClient {
    connection: Connection,
    token: String,
}

impl HonestClient {
    pub(super) async fn connect(address: SocketAddr, token: &str) -> Result<Self, BoxError> {
        Ok(Self { connection: Connection::open(address).await?, token: token.to_owned() })
    }
}

impl Client for HonestClient {
    const PAUSE: Duration = Duration::from_millis(2);

    async fn step(&mut self) -> Result<(), BoxError> {
        match self.connection.get(&self.token).await? {
            StatusCode::OK => Ok(()),
            status => Err(format!("an honest request received {status}").into()),
        }
    }
}

/// A client that makes up tokens.
pub(super) struct Flood {
    connection: Connection,
    scenario: Scenario,
    issuer: String,
    builder: TokenBuilder,
}

impl Flood {
    pub(super) async fn connect(
        address: SocketAddr,
        scenario: Scenario,
        issuer: String,
    ) -> Result<Self, BoxError> {
        let now = crate::sample::now().unix_seconds();
        let builder = TokenBuilder::access("EdDSA", "made-up")
            .claim("iss", issuer.as_str())
            .claim("aud", AUDIENCE)
            .claim("iat", now)
            .claim("auth_time", now)
            .claim("exp", now + 3600);
        Ok(Self { connection: Connection::open(address).await?, scenario, issuer, builder })
    }

    /// Sends tokens until `number` has reached `max`.
    pub(super) async fn run(
        mut self,
        number: Arc<AtomicUsize>,
        max: usize,
        per_second: usize,
    ) -> Result<(), BoxError> {
        let begun = Instant::now();
        let mut sent = 0;
        loop {
            let n = number.fetch_add(1, Ordering::Relaxed);
            if n >= max {
                return Ok(());
            }
            let token = self.token(n);
            let status = self.connection.get(&token).await?;
            if !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::SERVICE_UNAVAILABLE) {
                return Err(format!("a made-up token received {status}").into());
            }
            sent += 1;
            sleep_until(begun + Duration::from_secs(1) * sent / u32::try_from(per_second)?).await;
        }
    }

    fn token(&self, n: usize) -> String {
        let builder = match self.scenario {
            Scenario::KeyIds | Scenario::KeyIdsOfEmptySet => {
                self.builder.clone().header("kid", format!("made-up-{n}"))
            }
            Scenario::Issuers | Scenario::Tenants => {
                self.builder.clone().claim("iss", format!("{}/{n}", self.issuer))
            }
        };
        builder.with_signature(&encode(&[7; 64]))
    }
}

//! An HTTP proxy between the browser and the server. It drops and delays single responses, and serves a page of its
//! own on the server's origin.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::cookie_jar::{COOKIE_NAME, generation};

/// A page that refreshes a few times when it is loaded, and shows the outcome in its title.
const PAGE: &str = concat!(
    "<!doctype html><title>loading</title><script>\n",
    include_str!("agent.js"),
    include_str!("load.js"),
    "</script>",
);

/// The delivery of a response to a refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// It arrives after this time.
    After(Duration),
    /// It is dropped, and the connection is closed.
    Dropped,
}

type Deliveries = Box<dyn FnMut() -> Delivery + Send>;

/// The counts of responses to refreshes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Those that the server sent.
    pub(crate) responses: u64,
    pub(crate) dropped: u64,
    /// Those that arrived after one which the server sent later.
    pub(crate) overtaken: u64,
    /// The latest generation that the server has sent.
    pub(crate) generation: u64,
    newest_arrived: u64,
}

struct Shared {
    server: String,
    deliveries: Mutex<Deliveries>,
    counts: Mutex<Counts>,
}

pub(crate) struct Relay {
    address: String,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

impl Relay {
    /// Starts a proxy to the server at this address. `deliveries` returns the delivery of each response to a refresh.
    pub(crate) async fn start(
        server: &str,
        deliveries: impl FnMut() -> Delivery + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("localhost:0").await.unwrap();
        let address = format!("http://localhost:{}", listener.local_addr().unwrap().port());
        let shared = Arc::new(Shared {
            server: server.strip_prefix("http://").unwrap().to_owned(),
            deliveries: Mutex::new(Box::new(deliveries)),
            counts: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        let serving = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = Arc::clone(&accepting);
                tokio::spawn(async move { shared.forward(client).await });
            }
        });
        Self { address, shared, serving }
    }

    /// Returns `http://` with the host and the port.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn counts(&self) -> Counts {
        *self.shared.counts.lock().unwrap()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Shared {
    /// Forwards one request and its response.
    async fn forward(&self, mut client: TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        let request = read_request(&mut client).await?;
        if request.starts_with("GET /load ") {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nCache-Control: no-store\r\n\
                        Connection: close";
            let page = format!("{head}\r\nContent-Length: {}\r\n\r\n{PAGE}", PAGE.len());
            return client.write_all(page.as_bytes()).await;
        }
        let mut server = TcpStream::connect(&self.server).await?;
        // One request a connection, so that the end of the connection is the end of the response.
        let single = request.replacen("Connection: keep-alive", "Connection: close", 1);
        server.write_all(single.as_bytes()).await?;
        let mut response = Vec::new();
        server.read_to_end(&mut response).await?;
        if !request.starts_with("POST /auth/refresh ") {
            return client.write_all(&response).await;
        }
        let number = self.record(&response);
        let delivery = self.deliveries.lock().unwrap()();
        match delivery {
            Delivery::Dropped => self.counts.lock().unwrap().dropped += 1,
            Delivery::After(time) => {
                tokio::time::sleep(time).await;
                client.write_all(&response).await?;
                let mut counts = self.counts.lock().unwrap();
                counts.overtaken += u64::from(number < counts.newest_arrived);
                counts.newest_arrived = counts.newest_arrived.max(number);
            }
        }
        Ok(())
    }

    /// Counts a response of the server and returns its number.
    fn record(&self, response: &[u8]) -> u64 {
        let response = String::from_utf8_lossy(response);
        let token = response.split_once(&format!("{COOKIE_NAME}=")).map(|(_, rest)| rest);
        let token = token.and_then(|rest| rest.split(';').next());
        let mut counts = self.counts.lock().unwrap();
        counts.responses += 1;
        counts.generation = counts.generation.max(token.map_or(0, generation));
        counts.responses
    }
}

/// Reads a request with its body. Fails if no request arrives, as from browsers that connect in advance.
async fn read_request(client: &mut TcpStream) -> io::Result<String> {
    let mut request = Vec::new();
    loop {
        if client.read_buf(&mut request).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let text = String::from_utf8_lossy(&request);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
            return Ok(text.into_owned());
        }
    }
}

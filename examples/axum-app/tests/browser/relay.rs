//! A proxy between the browser and the server that knows HTTP: it loses and delays single answers, and serves a
//! page of its own on the server's origin.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::jar::{COOKIE_NAME, generation};

/// Refreshes when it is loaded, a few times in a row, and shows in its title what came of it.
const PAGE: &str = concat!(
    "<!doctype html><title>loading</title><script>\n",
    include_str!("agent.js"),
    include_str!("load.js"),
    "</script>",
);

/// What becomes of an answer to a refresh, once the server has given it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It arrives after this time.
    Arrives(Duration),
    /// The connection is closed in its place.
    IsLost,
}

type Fates = Box<dyn FnMut() -> Fate + Send>;

/// What has passed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Passed {
    /// Answers that the server gave to refreshes.
    pub(crate) answers: u64,
    pub(crate) lost: u64,
    /// Answers that arrived after one which the server gave later.
    pub(crate) overtaken: u64,
    /// The latest generation that the server has handed out.
    pub(crate) generation: u64,
    newest_arrived: u64,
}

struct Shared {
    server: String,
    fates: Mutex<Fates>,
    passed: Mutex<Passed>,
}

pub(crate) struct Relay {
    address: String,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

impl Relay {
    /// A way to the server at this address, on which each answer to a refresh has the fate that is drawn for it.
    pub(crate) async fn start(server: &str, fates: impl FnMut() -> Fate + Send + 'static) -> Self {
        let listener = TcpListener::bind("localhost:0").await.unwrap();
        let address = format!("http://localhost:{}", listener.local_addr().unwrap().port());
        let shared = Arc::new(Shared {
            server: server.strip_prefix("http://").unwrap().to_owned(),
            fates: Mutex::new(Box::new(fates)),
            passed: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        let serving = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = Arc::clone(&accepting);
                tokio::spawn(async move { shared.carry(client).await });
            }
        });
        Self { address, shared, serving }
    }

    /// `http://`, host and port.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn passed(&self) -> Passed {
        *self.shared.passed.lock().unwrap()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Shared {
    /// Carries one request, and its answer.
    async fn carry(&self, mut client: TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        let request = read_request(&mut client).await?;
        if request.starts_with("GET /load ") {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nCache-Control: no-store\r\n\
                        Connection: close";
            let page = format!("{head}\r\nContent-Length: {}\r\n\r\n{PAGE}", PAGE.len());
            return client.write_all(page.as_bytes()).await;
        }
        let mut server = TcpStream::connect(&self.server).await?;
        // One request a connection: the end of the answer is the end of the connection.
        let alone = request.replacen("Connection: keep-alive", "Connection: close", 1);
        server.write_all(alone.as_bytes()).await?;
        let mut answer = Vec::new();
        server.read_to_end(&mut answer).await?;
        if !request.starts_with("POST /auth/refresh ") {
            return client.write_all(&answer).await;
        }
        let number = self.note_answer(&answer);
        let fate = self.fates.lock().unwrap()();
        match fate {
            Fate::IsLost => self.passed.lock().unwrap().lost += 1,
            Fate::Arrives(after) => {
                tokio::time::sleep(after).await;
                client.write_all(&answer).await?;
                let mut passed = self.passed.lock().unwrap();
                passed.overtaken += u64::from(number < passed.newest_arrived);
                passed.newest_arrived = passed.newest_arrived.max(number);
            }
        }
        Ok(())
    }

    /// Notes what the server has answered; the number of the answer.
    fn note_answer(&self, answer: &[u8]) -> u64 {
        let answer = String::from_utf8_lossy(answer);
        let token = answer.split_once(&format!("{COOKIE_NAME}=")).map(|(_, rest)| rest);
        let token = token.and_then(|rest| rest.split(';').next());
        let mut passed = self.passed.lock().unwrap();
        passed.answers += 1;
        passed.generation = passed.generation.max(token.map_or(0, generation));
        passed.answers
    }
}

/// A request with its body; an error if none comes, as from browsers that connect in advance.
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

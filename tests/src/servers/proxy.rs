use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{fmt, iter};

use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::process;

/// A proxy in front of a server. It can interrupt connections, and runs on its own thread and runtime.
pub struct Proxy {
    address: SocketAddr,
    orders: Option<mpsc::UnboundedSender<Order>>,
    counts: Arc<Counts>,
    thread: Option<JoinHandle<()>>,
}

/// The requested state, and the channel that confirms it.
type Order = (Way, std::sync::mpsc::Sender<()>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Open,
    Frozen,
    Cut,
}

#[derive(Default)]
struct Counts {
    round_trips: AtomicUsize,
    connections: AtomicUsize,
}

impl Proxy {
    /// Starts a proxy in front of this address.
    pub fn start(target: SocketAddr) -> Self {
        let mut listeners = iter::repeat_with(|| {
            std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, process::free_port()))
        });
        let listener =
            listeners.by_ref().take(10).find_map(Result::ok).expect("a port should be free");
        let address = listener.local_addr().expect("the listener is bound");
        listener.set_nonblocking(true).expect("the socket should become non-blocking");
        let (orders, received) = mpsc::unbounded_channel();
        let counts = Arc::new(Counts::default());
        let counted = Arc::clone(&counts);
        let thread = thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().build().expect("a runtime should be created");
            runtime.block_on(async {
                let listener =
                    TcpListener::from_std(listener).expect("the listener is non-blocking");
                serve(listener, address, target, received, counted).await;
            });
        });
        Self { address, orders: Some(orders), counts, thread: Some(thread) }
    }

    /// Returns the address for clients.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes all connections and refuses new ones, as if the server's process had ended.
    pub fn cut(&self) {
        self.order(Way::Cut);
    }

    /// Keeps connections open and accepts new ones, but forwards nothing, as if a cable were unplugged.
    ///
    /// Data in transit arrives after [`Proxy::mend`].
    pub fn freeze(&self) {
        self.order(Way::Frozen);
    }

    /// Forwards connections again.
    pub fn mend(&self) {
        self.order(Way::Open);
    }

    /// Returns how often a server answered data of a client, over all connections. Requests that are sent and answered
    /// together count once, in any number of packets. Unsolicited data from the server does not count.
    pub fn round_trips(&self) -> usize {
        self.counts.round_trips.load(Ordering::SeqCst)
    }

    /// Returns the number of open connections.
    pub fn connections(&self) -> usize {
        self.counts.connections.load(Ordering::SeqCst)
    }

    #[track_caller]
    fn order(&self, way: Way) {
        let (done, wait) = std::sync::mpsc::channel();
        let sent = self.orders.as_ref().map(|orders| orders.send((way, done)));
        assert!(matches!(sent, Some(Ok(()))), "the proxy's thread has ended");
        wait.recv_timeout(Duration::from_secs(30)).expect("the proxy should carry out the order");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Runs on one thread, so that the state does not change between the awaits of a connection.
async fn serve(
    listener: TcpListener,
    address: SocketAddr,
    target: SocketAddr,
    mut orders: mpsc::UnboundedReceiver<Order>,
    counts: Arc<Counts>,
) {
    let mut listener = Some(listener);
    let (way, seen) = watch::channel(Way::Open);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            order = orders.recv() => {
                let Some((wanted, done)) = order else { return };
                way.send_replace(wanted);
                if wanted == Way::Cut {
                    listener = None;
                    connections.shutdown().await;
                } else if listener.is_none() {
                    listener = Some(listen(address).await);
                }
                let _ = done.send(());
            }
            Some(accepted) = accept(listener.as_ref()) => {
                if let Ok((client, _)) = accepted {
                    let open = Open::count(&counts);
                    connections.spawn(connect(client, target, seen.clone(), open));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> Option<io::Result<(TcpStream, SocketAddr)>> {
    Some(listener?.accept().await)
}

/// Listens on the same address again.
async fn listen(address: SocketAddr) -> TcpListener {
    let mut attempts = 0;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(error) => assert!(attempts < 100, "{address} is not available again: {error}"),
        }
        attempts += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Counts a connection as open until it is dropped.
struct Open(Arc<Counts>);

impl Open {
    fn count(counts: &Arc<Counts>) -> Self {
        counts.connections.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(counts))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn connect(
    client: TcpStream,
    target: SocketAddr,
    mut way: watch::Receiver<Way>,
    open: Open,
) -> io::Result<()> {
    until_open(&mut way).await?;
    let server = TcpStream::connect(target).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let asked = AtomicBool::new(false);
    let asks = || asked.store(true, Ordering::SeqCst);
    let answers = || {
        if asked.swap(false, Ordering::SeqCst) {
            open.0.round_trips.fetch_add(1, Ordering::SeqCst);
        }
    };
    tokio::try_join!(
        forward(from_client, to_server, way.clone(), asks),
        forward(from_server, to_client, way, answers),
    )?;
    Ok(())
}

/// Forwards one direction. Dropping the writer at the end forwards the end of the stream.
async fn forward(
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    mut way: watch::Receiver<Way>,
    noticed: impl Fn(),
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        from.readable().await?;
        until_open(&mut way).await?;
        let mut rest = match from.try_read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => &buffer[..read],
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        };
        noticed();
        while !rest.is_empty() {
            to.writable().await?;
            until_open(&mut way).await?;
            match to.try_write(rest) {
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}

async fn until_open(way: &mut watch::Receiver<Way>) -> io::Result<()> {
    let open = way.wait_for(|way| *way == Way::Open).await;
    open.map(drop).map_err(io::Error::other)
}

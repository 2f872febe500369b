use std::time::{Duration, Instant};

use tower_jwt_auth::RotationPolicy;
use tower_jwt_auth_tests::servers::Proxy;

use crate::BoxError;
use crate::engine::Engine;
use crate::load::Client as _;
use crate::refresh::refreshers;

const WARM_UP_STEPS: usize = 50;
const COUNTED_STEPS: usize = 500;
/// How long the proxy is listened to while nobody refreshes.
const IDLE_INTERVAL: Duration = Duration::from_secs(3);

/// How often a request of one client goes to the engine and back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RoundTrips {
    pub(crate) refresh: f64,
    pub(crate) replay: f64,
}

/// Counts them; none where there is no network in between.
pub(crate) async fn measure(engine: &Engine) -> Result<Option<RoundTrips>, BoxError> {
    let Some((store, proxy)) = engine.open_through_proxy().await? else { return Ok(None) };
    let mut clients = refreshers(&store, 1, Duration::ZERO).await?;
    let client = clients.first_mut().ok_or("there is no client")?;
    for _ in 0..WARM_UP_STEPS {
        client.step().await?;
    }
    let count = Count::start(&proxy);
    tokio::time::sleep(IDLE_INTERVAL).await;
    // The list is followed all the while, whether anyone refreshes or not.
    let idle = count.per_second();

    let count = Count::start(&proxy);
    for _ in 0..COUNTED_STEPS {
        client.step().await?;
    }
    let refresh = count.per_step(idle);
    let mut clients = refreshers(&store, 1, RotationPolicy::default().grace()).await?;
    let client = clients.first_mut().ok_or("there is no client")?;
    let spent = client.token().to_owned();
    client.step().await?;
    let count = Count::start(&proxy);
    for _ in 0..COUNTED_STEPS {
        client.replay(&spent).await?;
    }
    Ok(Some(RoundTrips { refresh, replay: count.per_step(idle) }))
}

struct Count<'a> {
    proxy: &'a Proxy,
    before: usize,
    since: Instant,
}

impl<'a> Count<'a> {
    fn start(proxy: &'a Proxy) -> Self {
        Self { proxy, before: proxy.round_trips(), since: Instant::now() }
    }

    fn counted(&self) -> f64 {
        (self.proxy.round_trips() - self.before) as f64
    }

    fn per_second(&self) -> f64 {
        self.counted() / self.since.elapsed().as_secs_f64()
    }

    /// Without what goes on in any case.
    fn per_step(&self, idle: f64) -> f64 {
        (self.counted() - idle * self.since.elapsed().as_secs_f64()) / COUNTED_STEPS as f64
    }
}

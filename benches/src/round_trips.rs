use std::time::Duration;

use tokio::time::sleep;
use tower_jwt_auth::RotationPolicy;
use tower_jwt_auth_tests::servers::Proxy;

use crate::BoxError;
use crate::engine::Engine;
use crate::load::run_steps;
use crate::refresh::refreshers;
use crate::timing::timed;

const WARM_UP_STEPS: usize = 50;
const COUNTED_STEPS: usize = 500;
/// How long the background traffic is counted.
const BACKGROUND_INTERVAL: Duration = Duration::from_secs(3);

/// Round trips to the engine for one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RoundTrips {
    pub(crate) refresh: f64,
    pub(crate) replay: f64,
}

/// Counts the round trips. Returns `None` for an engine without a network connection.
pub(crate) async fn measure(engine: &Engine) -> Result<Option<RoundTrips>, BoxError> {
    let Some((store, proxy)) = engine.open_through_proxy().await? else { return Ok(None) };
    let clients = refreshers(&store, 1, Duration::ZERO).await?;
    let (clients, _) = run_steps(clients, WARM_UP_STEPS).await?;
    let counter = Counter::start(&proxy).await?;
    let refresh = counter.per_step(run_steps(clients, COUNTED_STEPS)).await?;

    let clients = refreshers(&store, 1, RotationPolicy::default().grace()).await?;
    let spent: Vec<_> = clients.iter().map(|client| client.token().to_owned()).collect();
    let (clients, _) = run_steps(clients, 1).await?;
    let replays = async {
        for (client, spent) in clients.iter().zip(&spent) {
            for _ in 0..COUNTED_STEPS {
                client.replay(spent).await?;
            }
        }
        Ok(())
    };
    let replay = counter.per_step(replays).await?;
    Ok(Some(RoundTrips { refresh, replay }))
}

/// Counts round trips less those in the background: the revocation list is followed in any case.
struct Counter<'a> {
    proxy: &'a Proxy,
    background_per_second: f64,
}

impl<'a> Counter<'a> {
    /// Counts the background traffic, while no client runs.
    async fn start(proxy: &'a Proxy) -> Result<Self, BoxError> {
        let idle = async {
            sleep(BACKGROUND_INTERVAL).await;
            Ok(())
        };
        let (trips, elapsed) = count(proxy, idle).await?;
        Ok(Self { proxy, background_per_second: trips / elapsed.as_secs_f64() })
    }

    /// Returns the round trips per step of work that does [`COUNTED_STEPS`].
    async fn per_step<T>(
        &self,
        work: impl Future<Output = Result<T, BoxError>>,
    ) -> Result<f64, BoxError> {
        let (trips, elapsed) = count(self.proxy, work).await?;
        let background = self.background_per_second * elapsed.as_secs_f64();
        Ok((trips - background) / COUNTED_STEPS as f64)
    }
}

/// Returns the round trips during the work, and its duration.
async fn count<T>(
    proxy: &Proxy,
    work: impl Future<Output = Result<T, BoxError>>,
) -> Result<(f64, Duration), BoxError> {
    let before = proxy.round_trips();
    let (_, elapsed) = timed(work).await?;
    Ok(((proxy.round_trips() - before) as f64, elapsed))
}

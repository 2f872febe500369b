use std::time::Duration;

use tower_jwt_auth::SessionLimit;
use tower_jwt_auth::store::AdvanceRequest;

use crate::BoxError;
use crate::engine::SharedStore;
use crate::load::Client;
use crate::sample;

const IDLE_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

/// A client that moves its own session on in the store, without any token.
pub(crate) struct Advancer {
    store: SharedStore,
    step: AdvanceRequest,
}

/// So many clients of this store.
pub(crate) async fn advancers(
    store: &SharedStore,
    count: usize,
) -> Result<Vec<Advancer>, BoxError> {
    let mut advancers = Vec::with_capacity(count);
    for number in 0..count {
        let session = sample::session(number)?;
        store.insert(&session, SessionLimit::none()).await?;
        let record = session.record();
        let step = AdvanceRequest {
            id: record.id,
            secret_hash: record.secret_hash,
            from_generation: record.generation,
            // A window would be waited for.
            grace: Duration::ZERO,
            idle: IDLE_LIFETIME,
            access_until: record.access_until,
        };
        advancers.push(Advancer { store: store.clone(), step });
    }
    Ok(advancers)
}

impl Client for Advancer {
    async fn step(&mut self) -> Result<(), BoxError> {
        self.step.access_until = sample::now() + sample::ACCESS_LIFETIME;
        let moved = self.store.advance(&self.step).await?;
        let session = moved.ok_or("a session did not move on")?;
        self.step.from_generation = session.generation();
        Ok(())
    }
}

use std::time::Duration;

use tower_jwt_auth::SessionLimit;
use tower_jwt_auth::store::AdvanceRequest;

use crate::Failure;
use crate::engine::SharedStore;
use crate::load::Client;
use crate::sample;

const IDLE: Duration = Duration::from_secs(30 * 24 * 3600);

/// A client that moves its own session on in the store, without any token.
pub(crate) struct Advancer {
    store: SharedStore,
    step: AdvanceRequest,
}

/// So many clients of this store.
pub(crate) async fn advancers(store: &SharedStore, count: usize) -> Result<Vec<Advancer>, Failure> {
    let mut advancers = Vec::with_capacity(count);
    for number in 0..count {
        let session = sample::session(number)?;
        store.insert(&session, SessionLimit::none()).await?;
        let parts = session.record();
        let step = AdvanceRequest {
            id: parts.id,
            secret_hash: parts.secret_hash,
            from_generation: parts.generation,
            // A window would be waited for.
            grace: Duration::ZERO,
            idle: IDLE,
            access_until: parts.access_until,
        };
        advancers.push(Advancer { store: store.clone(), step });
    }
    Ok(advancers)
}

impl Client for Advancer {
    async fn step(&mut self) -> Result<(), Failure> {
        self.step.access_until = sample::now() + sample::ACCESS;
        let moved = self.store.advance(&self.step).await?;
        let session = moved.ok_or("a session did not move on")?;
        self.step.from_generation = session.generation();
        Ok(())
    }
}

use std::time::Duration;

use tower_jwt_auth::sessions::SessionLimit;
use tower_jwt_auth::store::AdvanceRequest;

use crate::engine::SharedStore;
use crate::load::Client;
use crate::{BoxError, sample};

const IDLE_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

/// A client that advances its own session in the store, without tokens.
pub(crate) struct Advancer {
    store: SharedStore,
    request: AdvanceRequest,
}

/// Creates `count` clients of this store, each with a session.
pub(crate) async fn advancers(
    store: &SharedStore,
    count: usize,
) -> Result<Vec<Advancer>, BoxError> {
    let mut advancers = Vec::with_capacity(count);
    for number in 0..count {
        let session = sample::session(&sample::subject(number))?;
        store.insert(&session, SessionLimit::none()).await?;
        let record = session.record();
        let request = AdvanceRequest {
            id: record.id,
            secret_hash: record.secret_hash,
            from_generation: record.generation,
            // Within a grace window the session would not advance again.
            grace: Duration::ZERO,
            idle: IDLE_LIFETIME,
            access_until: record.access_until,
        };
        advancers.push(Advancer { store: store.clone(), request });
    }
    Ok(advancers)
}

impl Client for Advancer {
    async fn step(&mut self) -> Result<(), BoxError> {
        self.request.access_until = sample::now() + sample::ACCESS_LIFETIME;
        let advanced = self.store.advance(&self.request).await?;
        let session = advanced.ok_or("a session did not advance")?;
        self.request.from_generation = session.generation();
        Ok(())
    }
}

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tower_jwt_auth::sessions::{Session, SessionId};
use tower_jwt_auth::store::SessionRecord;

use super::MAX_CLIENTS;
use crate::load::{Client, run_for};
use crate::{BoxError, sample};

type Rows = Arc<Mutex<HashMap<SessionId, SessionRecord>>>;

/// A map behind one lock.
pub(crate) struct MemoryBaseline {
    rows: Rows,
    ids: Vec<SessionId>,
}

impl MemoryBaseline {
    pub(super) fn prepare() -> Result<Self, BoxError> {
        let session = |number| sample::session(&sample::subject(number));
        let sessions: Vec<_> = (0..MAX_CLIENTS).map(session).collect::<Result<_, _>>()?;
        let ids = sessions.iter().map(Session::id).collect();
        let rows = sessions.into_iter().map(|session| (session.id(), session.into_record()));
        Ok(Self { rows: Arc::new(Mutex::new(rows.collect())), ids })
    }

    pub(super) async fn rate(&self, clients: usize, duration: Duration) -> Result<f64, BoxError> {
        let client = |id: &SessionId| Updater { rows: Arc::clone(&self.rows), id: *id };
        let clients = self.ids.iter().take(clients).map(client).collect();
        let (_, timings) = run_for(clients, duration).await?;
        Ok(timings.rate())
    }
}

struct Updater {
    rows: Rows,
    id: SessionId,
}

impl Client for Updater {
    async fn step(&mut self) -> Result<(), BoxError> {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let now = sample::now();
        let row = rows.get_mut(&self.id).ok_or("a row of the baseline does not exist")?;
        if row.is_live(now) {
            row.generation += 1;
            row.rotated_at = now;
            row.access_until = row.access_until.max(now + sample::ACCESS_LIFETIME);
        }
        Ok(())
    }
}

use std::time::Duration;

use tower_jwt_auth::{RotationPolicy, Sessions};
use tower_jwt_auth_tests::Profile;

use crate::engine::SharedStore;
use crate::load::Client;
use crate::service::start_service;
use crate::{BoxError, sample};

/// A client that refreshes its own session: it verifies a token, updates the store and signs two tokens.
pub(crate) struct Refresher {
    sessions: Sessions<Profile>,
    token: String,
}

/// Creates `count` clients of one service on this store. Each session rotates once in a grace window: with a window
/// of zero, every refresh is a rotation.
pub(crate) async fn refreshers(
    store: &SharedStore,
    count: usize,
    grace: Duration,
) -> Result<Vec<Refresher>, BoxError> {
    let sessions = start_service(store, RotationPolicy::default().with_grace(grace)).await?;
    let mut refreshers = Vec::with_capacity(count);
    for number in 0..count {
        let tokens = sessions.start(sample::sign_in(&sample::subject(number))).await?;
        let token = tokens.refresh().as_str().to_owned();
        refreshers.push(Refresher { sessions: sessions.clone(), token });
    }
    Ok(refreshers)
}

impl Refresher {
    /// Refreshes with a spent token, within the grace window. The response must carry the current token.
    pub(crate) async fn replay(&self, spent: &str) -> Result<(), BoxError> {
        let tokens = self.sessions.refresh(spent).await?;
        if tokens.refresh().as_str() == self.token {
            Ok(())
        } else {
            Err("the response to a replay carries another token".into())
        }
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }
}

impl Client for Refresher {
    async fn step(&mut self) -> Result<(), BoxError> {
        let tokens = self.sessions.refresh(&self.token).await?;
        tokens.refresh().as_str().clone_into(&mut self.token);
        Ok(())
    }
}

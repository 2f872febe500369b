use std::time::Duration;

use tokio::time::timeout;
use tower_jwt_auth::{Issuer, RefreshSecrets, RotationPolicy, Sessions, SigningKey};
use tower_jwt_auth_tests::Profile;

use crate::BoxError;
use crate::engine::SharedStore;
use crate::load::Client;
use crate::sample;

/// How long the list of revocations may take to be current.
const SYNC_TIMEOUT: Duration = Duration::from_secs(60);

/// A client that refreshes its own session: signature, store, signatures.
pub(crate) struct Refresher {
    sessions: Sessions<Profile>,
    token: String,
}

/// So many clients of one service on this store, whose sessions rotate once in so long.
pub(crate) async fn refreshers(
    store: &SharedStore,
    count: usize,
    grace: Duration,
) -> Result<Vec<Refresher>, BoxError> {
    let issuer = Issuer::new(sample::ISSUER, sample::AUDIENCE, SigningKey::generate()?)?
        .with_access_lifetime(sample::ACCESS_LIFETIME)?;
    // A session rotates once in a grace window: without one, every refresh is a rotation.
    let sessions = Sessions::new(issuer, RefreshSecrets::generate()?, store.clone())?
        .with_policy(RotationPolicy::default().with_grace(grace))?;
    let mut refreshers = Vec::with_capacity(count);
    for number in 0..count {
        let tokens = sessions.start(sample::sign_in(number)).await?;
        let token = tokens.refresh().as_str().to_owned();
        refreshers.push(Refresher { sessions: sessions.clone(), token });
    }
    // What is behind asks the store at each refresh.
    timeout(SYNC_TIMEOUT, sessions.revocations().ready()).await?;
    Ok(refreshers)
}

impl Refresher {
    /// Presents a token that was spent a moment ago.
    pub(crate) async fn replay(&self, spent: &str) -> Result<(), BoxError> {
        let answer = self.sessions.refresh(spent).await?;
        if answer.refresh().as_str() == self.token {
            Ok(())
        } else {
            Err("a replay was answered with another token".into())
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

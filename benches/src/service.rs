use std::time::Duration;

use tokio::time::timeout;
use tower_jwt_auth::{Issuer, RefreshSecrets, RotationPolicy, Sessions, SigningKey};
use tower_jwt_auth_tests::Profile;

use crate::engine::SharedStore;
use crate::{BoxError, sample};

/// The time within which the revocation list of a new service must be current.
const SYNC_TIMEOUT: Duration = Duration::from_secs(60);

/// Starts a service on the store and waits until its revocation list is current: while the list is behind, each
/// refresh queries the store.
pub(crate) async fn start_service(
    store: &SharedStore,
    policy: RotationPolicy,
) -> Result<Sessions<Profile>, BoxError> {
    let issuer = Issuer::new(sample::ISSUER, sample::AUDIENCE, SigningKey::generate()?)?
        .with_access_lifetime(sample::ACCESS_LIFETIME)?;
    let sessions = Sessions::builder(issuer, RefreshSecrets::generate()?, store.clone())
        .claims::<Profile>()
        .rotation(policy)
        .build()?;
    timeout(SYNC_TIMEOUT, sessions.revocations().ready()).await?;
    Ok(sessions)
}

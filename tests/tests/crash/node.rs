use std::sync::Arc;
use std::time::Duration;

use tower_jwt_auth::revocation::SyncOptions;
use tower_jwt_auth::store::SessionStore;
use tower_jwt_auth::{Algorithm, Issuer, RefreshSecrets, RotationPolicy, Sessions, SigningKey};
use tower_jwt_auth_tests::harness::REFRESH_SECRET;
use tower_jwt_auth_tests::{AUDIENCE, ISSUER, Profile};

/// The grace window. It is short, so that sessions rotate often, and longer than a busy machine takes to answer.
pub(crate) const GRACE: Duration = Duration::from_millis(250);

/// Creates a node with the keys that all processes of these tests share.
pub(crate) fn node(store: Arc<dyn SessionStore>, grace: Duration) -> Sessions<Profile> {
    let key = b"the secret of all access tokens!";
    let key = SigningKey::from_secret(Algorithm::HS256, key).unwrap();
    let issuer = Issuer::new(ISSUER, AUDIENCE, key).unwrap();
    let secrets = RefreshSecrets::new(&REFRESH_SECRET).unwrap();
    let follow = SyncOptions::default().with_heartbeat(Duration::from_millis(200)).unwrap();
    let builder = Sessions::builder(issuer, secrets, store).claims::<Profile>();
    // Each crash may lose a response of every client. These tests check the store, not the bound on late retries.
    let policy = RotationPolicy::default().with_grace(grace).with_late_retries(u32::MAX);
    builder.sync_options(follow).rotation(policy).build().unwrap()
}

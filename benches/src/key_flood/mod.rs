//! Tokens with made-up key ids and issuers: the fetches that they cause, and the time of honest requests meanwhile.

mod clients;
mod servers;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tower_jwt_auth::keys::RemoteKeySet;
use tower_jwt_auth::{
    Issuer, JwtAuthLayer, KeySet, MemoryStore, RefreshSecrets, RevocationList, Sessions, SignIn,
    SigningKey, TrustedIssuer, Verifier,
};

use self::clients::{Flood, HonestClient};
use self::servers::{Provider, serve};
use crate::load::{run_during, run_steps};
use crate::timing::{Quantiles, timed};
use crate::{BoxError, print_progress};

const AUDIENCE: &str = "https://api.example";
/// The honest requests that are measured without the flood.
const IDLE_REQUESTS: usize = 4000;
const WARM_UP_REQUESTS: usize = 500;
/// The concurrent connections of the flood.
const CONNECTIONS: usize = 4;

/// What the tokens of a flood make up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// The `kid`, of an issuer that has keys.
    KeyIds,
    /// The `kid`, of an issuer whose set is empty, beside the issuer of the honest requests.
    KeyIdsOfEmptySet,
    /// The `iss`, beside a list of issuers.
    Issuers,
    /// The `iss`, where the application accepts any name of a provider's tenants.
    Tenants,
}

impl Scenario {
    pub(crate) const ALL: [Self; 4] =
        [Self::KeyIds, Self::KeyIdsOfEmptySet, Self::Issuers, Self::Tenants];

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::KeyIds => "key ids",
            Self::KeyIdsOfEmptySet => "key ids, empty set",
            Self::Issuers => "issuers",
            Self::Tenants => "issuers, any tenant trusted",
        }
    }
}

/// The measurements of one flood.
#[derive(Debug)]
pub(crate) struct KeyFlood {
    pub(crate) scenario: Scenario,
    /// The made-up tokens.
    pub(crate) requests: usize,
    /// The requests that the provider received during the flood.
    pub(crate) fetches: usize,
    pub(crate) took: Duration,
    pub(crate) idle: Quantiles,
    pub(crate) during: Quantiles,
    /// The 99th percentile of `during` divided by that of `idle`.
    pub(crate) p99_ratio: f64,
}

/// Sends this number of made-up tokens, `per_second` at most.
pub(crate) async fn measure(
    scenario: Scenario,
    requests: usize,
    per_second: usize,
) -> Result<KeyFlood, BoxError> {
    print_progress(&format!("made-up {}", scenario.label()));
    let key = SigningKey::generate()?;
    let jwks = KeySet::from(key.verifying_key().clone()).to_jwks();
    let honest = Provider::start(jwks).await?;
    let empty = Provider::start(r#"{"keys":[]}"#.to_owned()).await?;
    let issuer = Issuer::new(honest.issuer(), AUDIENCE, key)?;
    let sessions =
        Sessions::builder(issuer, RefreshSecrets::generate()?, MemoryStore::new()).build()?;
    let tokens = sessions.start(SignIn::new("alice")).await?;

    let keys = RemoteKeySet::from_jwks_url(&honest.jwks_url()).build()?;
    keys.ready().await;
    let mut verifier = Verifier::new(TrustedIssuer::new(honest.issuer(), AUDIENCE, keys)?);
    match scenario {
        Scenario::KeyIds | Scenario::Issuers => {}
        Scenario::KeyIdsOfEmptySet => {
            let keys = RemoteKeySet::from_jwks_url(&empty.jwks_url()).build()?;
            verifier = verifier.and_trust(TrustedIssuer::new(empty.issuer(), AUDIENCE, keys)?)?;
        }
        Scenario::Tenants => {
            let (prefix, url) = (format!("{}/", empty.issuer()), empty.jwks_url());
            verifier = verifier.and_trust_where(64, move |iss| {
                iss.strip_prefix(&prefix)?;
                let keys = RemoteKeySet::from_jwks_url(&url).build().ok()?;
                TrustedIssuer::new(iss, AUDIENCE, keys).ok()
            })?;
        }
    }
    let address = serve(JwtAuthLayer::new(verifier, RevocationList::none())).await?;

    let client = HonestClient::connect(address, tokens.access().as_str()).await?;
    let (client, _) = run_steps(vec![client], WARM_UP_REQUESTS).await?;
    let (client, idle) = run_steps(client, IDLE_REQUESTS).await?;
    let before = honest.requests() + empty.requests();
    let target = if scenario == Scenario::KeyIds { honest.issuer() } else { empty.issuer() };
    let number = Arc::new(AtomicUsize::new(0));
    let flood = timed(async {
        let mut running = tokio::task::JoinSet::new();
        for _ in 0..CONNECTIONS {
            let flood = Flood::connect(address, scenario, target.clone()).await?;
            running.spawn(flood.run(Arc::clone(&number), requests, per_second / CONNECTIONS));
        }
        while let Some(result) = running.join_next().await {
            result??;
        }
        Ok(())
    });
    let (during, ((), took)) = run_during(client, flood).await?;
    let fetches = honest.requests() + empty.requests() - before;
    let (idle, during) = (idle.quantiles(), during.quantiles());
    let p99_ratio = during.p99.as_secs_f64() / idle.p99.as_secs_f64();
    let requests = number.load(Ordering::SeqCst).min(requests);
    Ok(KeyFlood { scenario, requests, fetches, took, idle, during, p99_ratio })
}

//! The ending of very many sessions of one subject, and what others notice of it.

mod bystander;
mod seed;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::time::timeout;
use tower_jwt_auth::{Issuer, RefreshSecrets, Sessions, SigningKey};
use tower_jwt_auth_tests::Profile;

use self::bystander::Bystander;
use crate::engine::{Engine, SharedStore};
use crate::load::{Load, median};
use crate::{BoxError, print_status, sample};

/// How many sign-ins are measured while nothing is ended.
const IDLE_SIGN_INS: usize = 2000;
const WARM_UP_SIGN_INS: usize = 200;
/// How many sign-ins of the subject itself are measured, and how many readings of its first page.
const REPETITIONS: usize = 20;
/// How long the list of revocations may take to be current.
const SYNC_TIMEOUT: Duration = Duration::from_secs(60);

/// What it takes to end the sessions of a subject who has very many.
#[derive(Debug)]
pub(crate) struct EndAll {
    /// How many sessions were ended, in how many rounds; the rest are medians of the rounds.
    pub(crate) ended: usize,
    pub(crate) took: Duration,
    /// Sign-ins of others, one after the other, with nothing else going on.
    pub(crate) idle: Quantiles,
    /// The same while the sessions are ended.
    pub(crate) during: Quantiles,
    /// How many times as long the 99th percentile is during.
    pub(crate) ratio: f64,
    /// The longest sign-in of the subject itself, under the default limit.
    pub(crate) own: Duration,
    /// The longest reading of its first page, before and after.
    pub(crate) page: Duration,
    pub(crate) page_after: Duration,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Quantiles {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) longest: Duration,
}

impl Quantiles {
    fn of(load: &Load) -> Self {
        let at = |percent| load.percentile(percent);
        Self { p50: at(50), p99: at(99), longest: at(100) }
    }
}

/// Ends so many sessions of one subject, as often as this, and gives the medians.
pub(crate) async fn measure(
    engine: &Engine,
    sessions: usize,
    rounds: usize,
) -> Result<EndAll, BoxError> {
    let store = engine.open().await?;
    let service = start_service(&store).await?;
    let mut all = Vec::new();
    for round in 0..rounds {
        let subject = format!("subject-{round}");
        let started = Instant::now();
        seed::insert_sessions(engine, &store, &subject, sessions).await?;
        let filled = started.elapsed().as_secs_f64();
        print_status(&format!("{}: filled in {filled:.1} s", engine.kind().label()));
        let ending = run_round(&service, &subject, sessions).await?;
        print_status(&format!("{}: {ending:?}", engine.kind().label()));
        all.push(ending);
    }
    medians(&all)
}

async fn start_service(store: &SharedStore) -> Result<Sessions<Profile>, BoxError> {
    let issuer = Issuer::new(sample::ISSUER, sample::AUDIENCE, SigningKey::generate()?)?
        .with_access_lifetime(sample::ACCESS_LIFETIME)?;
    let sessions = Sessions::new(issuer, RefreshSecrets::generate()?, store.clone())?;
    timeout(SYNC_TIMEOUT, sessions.revocations().ready()).await?;
    Ok(sessions)
}

async fn run_round(
    service: &Sessions<Profile>,
    subject: &str,
    sessions: usize,
) -> Result<EndAll, BoxError> {
    let mut bystander = Bystander::new(service.clone());
    bystander.sign_in_until(|count| count == WARM_UP_SIGN_INS).await?;
    let idle = bystander.sign_in_until(|count| count == IDLE_SIGN_INS).await?;

    let page = longest(async || {
        let page = service.list(subject, None).await?;
        if page.next.is_none() { Err("the page is the last one".into()) } else { Ok(()) }
    });
    let page = page.await?;
    let own = longest(async || {
        let _tokens = service.start(sample::sign_in_for(subject)).await?;
        Ok(())
    });
    let own = own.await?;

    let over = Arc::new(AtomicBool::new(false));
    let is_over = Arc::clone(&over);
    let signing_in =
        tokio::spawn(
            async move { bystander.sign_in_until(|_| is_over.load(Ordering::SeqCst)).await },
        );
    let started = Instant::now();
    let ended = service.end_all(subject).await;
    let took = started.elapsed();
    over.store(true, Ordering::SeqCst);
    let during = signing_in.await??;
    let ended = ended?;
    // Each sign-in of the subject has ended at most 100 and added one.
    if !(sessions.saturating_sub(REPETITIONS * 100)..=sessions + REPETITIONS).contains(&ended) {
        return Err(format!("{ended} sessions were ended of {sessions}").into());
    }
    let page_after = longest(async || {
        let page = service.list(subject, None).await?;
        if page.sessions.is_empty() { Ok(()) } else { Err("a session is left".into()) }
    });
    let page_after = page_after.await?;
    let (idle, during) = (Quantiles::of(&idle), Quantiles::of(&during));
    let ratio = during.p99.as_secs_f64() / idle.p99.as_secs_f64();
    Ok(EndAll { ended, took, idle, during, ratio, own, page, page_after })
}

/// How long the longest of some calls takes.
async fn longest(call: impl AsyncFn() -> Result<(), BoxError>) -> Result<Duration, BoxError> {
    let mut longest = Duration::ZERO;
    for _ in 0..REPETITIONS {
        let started = Instant::now();
        call().await?;
        longest = longest.max(started.elapsed());
    }
    Ok(longest)
}

/// The median of each number.
fn medians(all: &[EndAll]) -> Result<EndAll, BoxError> {
    let number = |of: &dyn Fn(&EndAll) -> f64| {
        median(all.iter().map(of).collect()).ok_or("nothing was measured")
    };
    let time = |of: &dyn Fn(&EndAll) -> Duration| {
        number(&|ending| of(ending).as_secs_f64()).map(Duration::from_secs_f64)
    };
    let quantiles = |of: &dyn Fn(&EndAll) -> Quantiles| {
        Ok::<_, BoxError>(Quantiles {
            p50: time(&|ending| of(ending).p50)?,
            p99: time(&|ending| of(ending).p99)?,
            longest: time(&|ending| of(ending).longest)?,
        })
    };
    Ok(EndAll {
        ended: all.iter().map(|ending| ending.ended).max().unwrap_or_default(),
        took: time(&|ending| ending.took)?,
        idle: quantiles(&|ending| ending.idle)?,
        during: quantiles(&|ending| ending.during)?,
        ratio: number(&|ending| ending.ratio)?,
        own: time(&|ending| ending.own)?,
        page: time(&|ending| ending.page)?,
        page_after: time(&|ending| ending.page_after)?,
    })
}

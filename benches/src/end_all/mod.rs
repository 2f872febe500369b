//! The cost of ending very many sessions of one subject, for the subject and for others.

mod bystander;
mod seed;

use std::time::Duration;

use tower_jwt_auth::{RotationPolicy, Sessions};
use tower_jwt_auth_tests::Profile;

use self::bystander::Bystander;
use crate::engine::{Engine, SharedStore};
use crate::load::{run_during, run_steps};
use crate::service::start_service;
use crate::timing::{Quantiles, median, timed};
use crate::{BoxError, print_progress, sample};

/// The sign-ins of the bystander that are measured while no session ends.
const IDLE_SIGN_INS: usize = 2000;
/// The sign-ins before these, which are not reported.
const WARM_UP_SIGN_INS: usize = 200;
/// How often the subject signs in, and how often its first page is read.
const REPETITIONS: usize = 20;

/// The measurements of one round, or their medians over all rounds.
#[derive(Debug)]
pub(crate) struct EndAll {
    /// The number of ended sessions; over all rounds the maximum.
    pub(crate) ended: usize,
    pub(crate) took: Duration,
    /// Sign-ins of the bystander while no session ends.
    pub(crate) idle: Quantiles,
    /// Sign-ins of the bystander while the sessions are ended.
    pub(crate) during: Quantiles,
    /// The 99th percentile of `during` divided by that of `idle`.
    pub(crate) p99_ratio: f64,
    /// The longest sign-in of the subject, under the default limit of sessions.
    pub(crate) own_max: Duration,
    /// The longest reading of the subject's first page before the sessions end.
    pub(crate) page_max: Duration,
    /// The longest reading of the subject's first page after the sessions have ended.
    pub(crate) page_after_max: Duration,
}

/// Ends `sessions` sessions of a new subject in each round and returns the medians of the rounds.
pub(crate) async fn measure(
    engine: &Engine,
    sessions: usize,
    rounds: usize,
) -> Result<EndAll, BoxError> {
    let store = engine.open().await?;
    let service = start_service(&store, RotationPolicy::default()).await?;
    let mut results = Vec::new();
    for round in 0..rounds {
        results.push(run_round(engine, &store, &service, round, sessions).await?);
    }
    medians(&results)
}

async fn run_round(
    engine: &Engine,
    store: &SharedStore,
    service: &Sessions<Profile>,
    round: usize,
    sessions: usize,
) -> Result<EndAll, BoxError> {
    let label = engine.kind().label();
    let subject = &*format!("subject-{round}");
    let ((), seeding) = timed(seed::insert_sessions(engine, store, subject, sessions)).await?;
    print_progress(&format!("{label}: sessions inserted in {:.1} s", seeding.as_secs_f64()));

    let (bystander, _) = run_steps(vec![Bystander::new(service.clone())], WARM_UP_SIGN_INS).await?;
    let (bystander, idle) = run_steps(bystander, IDLE_SIGN_INS).await?;
    let page_max = max_duration(async || {
        let page = service.list(subject, None).await?;
        if page.next.is_none() { Err("the subject has only one page".into()) } else { Ok(()) }
    });
    let page_max = page_max.await?;
    let own_max = max_duration(async || {
        let _tokens = service.start(sample::sign_in(subject)).await?;
        Ok(())
    });
    let own_max = own_max.await?;

    let end_all = timed(async { Ok(service.end_all(subject).await?) });
    let (during, (ended, took)) = run_during(bystander, end_all).await?;
    // Each sign-in of the subject has added one session and ended at most 100.
    if !(sessions.saturating_sub(REPETITIONS * 100)..=sessions + REPETITIONS).contains(&ended) {
        return Err(format!("{ended} of {sessions} sessions were ended").into());
    }
    let page_after_max = max_duration(async || {
        let page = service.list(subject, None).await?;
        if page.sessions.is_empty() { Ok(()) } else { Err("a session has not ended".into()) }
    });
    let page_after_max = page_after_max.await?;
    let (idle, during) = (idle.quantiles(), during.quantiles());
    let p99_ratio = during.p99.as_secs_f64() / idle.p99.as_secs_f64();
    let result = EndAll { ended, took, idle, during, p99_ratio, own_max, page_max, page_after_max };
    print_progress(&format!("{label}: {result:?}"));
    Ok(result)
}

/// Repeats a call and returns its maximum duration.
async fn max_duration(call: impl AsyncFn() -> Result<(), BoxError>) -> Result<Duration, BoxError> {
    let mut max = Duration::ZERO;
    for _ in 0..REPETITIONS {
        let ((), duration) = timed(call()).await?;
        max = max.max(duration);
    }
    Ok(max)
}

/// Returns the median of each number.
fn medians(results: &[EndAll]) -> Result<EndAll, BoxError> {
    let number = |of: &dyn Fn(&EndAll) -> f64| {
        median(results.iter().map(of).collect()).ok_or("nothing was measured")
    };
    let time = |of: &dyn Fn(&EndAll) -> Duration| {
        number(&|result| of(result).as_secs_f64()).map(Duration::from_secs_f64)
    };
    let quantiles = |of: &dyn Fn(&EndAll) -> Quantiles| {
        Ok::<_, BoxError>(Quantiles {
            p50: time(&|result| of(result).p50)?,
            p99: time(&|result| of(result).p99)?,
            max: time(&|result| of(result).max)?,
        })
    };
    Ok(EndAll {
        ended: results.iter().map(|result| result.ended).max().unwrap_or_default(),
        took: time(&|result| result.took)?,
        idle: quantiles(&|result| result.idle)?,
        during: quantiles(&|result| result.during)?,
        p99_ratio: number(&|result| result.p99_ratio)?,
        own_max: time(&|result| result.own_max)?,
        page_max: time(&|result| result.page_max)?,
        page_after_max: time(&|result| result.page_after_max)?,
    })
}

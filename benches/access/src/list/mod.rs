//! The layer with revocation lists of several sizes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tower::Layer;
use tower_jwt_auth::revocation::SyncOptions;
use tower_jwt_auth::store::{Clock as _, Revocation, SystemClock, Timestamp};
use tower_jwt_auth::{Algorithm, RevocationList};

use self::log::SyntheticLog;
use crate::BoxError;
use crate::allocations;
use crate::case::{Feed, ServiceCase};
use crate::cases::{Candidate, Row, inner, ours};
use crate::keys::Key;
use crate::machine;
use crate::timing::{median, run_round, run_through, warm_up};
use crate::tokens::{self, ISSUER, Token};

mod log;

const ROTATION: usize = 10_000;
/// The revocations that arrive in a second, one each millisecond.
const ARRIVAL_INTERVAL: Duration = Duration::from_millis(1);
/// More memory than an entry takes.
const MAX_BYTES_PER_ENTRY: u64 = 500;

/// The measurements of a list of one size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListSize {
    pub(crate) entries: usize,
    /// The bytes that an entry takes, allocated and resident.
    pub(crate) allocated: f64,
    pub(crate) resident: Option<f64>,
    /// The time to read the log.
    pub(crate) fill: Duration,
    /// The overhead of a repeated token in nanoseconds without a list, with a list that stands still, and with one in
    /// which revocations arrive.
    pub(crate) without: f64,
    pub(crate) still: f64,
    pub(crate) arriving: f64,
    /// The overhead of 10,000 tokens in rotation. Between two requests with the same token, the list changes.
    pub(crate) rotation_still: f64,
    pub(crate) rotation_arriving: f64,
}

/// The measurements, and the sizes for which there was not enough memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lists {
    pub(crate) sizes: Vec<ListSize>,
    pub(crate) skipped: Vec<usize>,
}

pub(crate) async fn measure(sizes: &[usize], rounds: usize) -> Result<Lists, BoxError> {
    let key = Key::generate(Algorithm::ES256)?;
    let tokens = tokens::issue(&key, ROTATION)?;
    let mut lists = Lists::default();
    for &entries in sizes {
        let needed = entries as u64 * MAX_BYTES_PER_ENTRY;
        if machine::available_bytes().is_some_and(|available| available < needed) {
            lists.skipped.push(entries);
            continue;
        }
        crate::print_progress(&format!("revocation list, {entries} entries"));
        lists.sizes.push(measure_size(&key, &tokens, entries, rounds).await?);
    }
    Ok(lists)
}

async fn measure_size(
    key: &Key,
    tokens: &[Token],
    entries: usize,
    rounds: usize,
) -> Result<ListSize, BoxError> {
    let until = SystemClock::new().now() + Duration::from_secs(3600);
    let (list, allocated, resident, fill) = follow(entries, until).await?;
    let candidate = |tokens: &[Token], list| {
        let case = ServiceCase::new(ours::layer_with_list(key, list)?.layer(inner()));
        let feed = Feed::new(tokens.into());
        Ok::<_, BoxError>(Candidate { row: Row::Repeated, case: Box::new(case), feed })
    };
    let mut bare = Candidate {
        row: Row::NoAuth,
        case: Box::new(ServiceCase::new(inner())),
        feed: Feed::new(tokens.into()),
    };
    let mut without = candidate(&tokens[..1], RevocationList::none())?;
    let mut one = candidate(&tokens[..1], list.clone())?;
    let mut many = candidate(tokens, list.clone())?;
    let plans =
        [warm_up(&mut bare)?, warm_up(&mut without)?, warm_up(&mut one)?, warm_up(&mut many)?];
    let mut samples = [const { Vec::new() }; 5];
    for _ in 0..rounds {
        let none = run_round(&mut bare, plans[0])?;
        samples[0].push(run_round(&mut without, plans[1])? - none);
        samples[1].push(run_round(&mut one, plans[2])? - none);
        // Each token has then been compared with the list as it stands.
        run_through(&mut many)?;
        samples[2].push(run_round(&mut many, plans[3])? - none);
        let arrivals = revoke_continually(list.clone(), until);
        sleep(Duration::from_millis(20)).await;
        samples[3].push(run_round(&mut one, plans[2])? - none);
        samples[4].push(run_round(&mut many, plans[3])? - none);
        arrivals.abort();
        // The follower reads the last of them.
        sleep(Duration::from_millis(50)).await;
    }
    let [without, still, rotation_still, arriving, rotation_arriving] = samples.map(median);
    Ok(ListSize {
        entries,
        allocated,
        resident,
        fill,
        without,
        still,
        arriving,
        rotation_still,
        rotation_arriving,
    })
}

/// Returns a list that has read a log of this size, the bytes of an entry, and the time that it took.
async fn follow(
    entries: usize,
    until: Timestamp,
) -> Result<(RevocationList, f64, Option<f64>, Duration), BoxError> {
    let options = SyncOptions::default()
        .with_max_entries(2 * entries as u64 + 1_000_000)
        .with_full_resync_interval(Duration::from_secs(24 * 3600))?;
    let resident = machine::resident_bytes();
    let begun = Instant::now();
    // The bytes are counted in all threads: the follower allocates them.
    allocations::begin_bytes();
    let list = RevocationList::follow_with_options(SyntheticLog::new(entries, until), options)?;
    list.ready().await;
    let fill = begun.elapsed();
    let allocated = allocations::end_bytes() as f64 / entries as f64;
    let grown = resident
        .zip(machine::resident_bytes())
        .map(|(before, after)| after.saturating_sub(before) as f64 / entries as f64);
    Ok((list, allocated, grown, fill))
}

static ARRIVED: AtomicU64 = AtomicU64::new(0);

/// Revokes a session each millisecond, until it is aborted.
fn revoke_continually(list: RevocationList, until: Timestamp) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut ticks = interval(ARRIVAL_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        loop {
            ticks.tick().await;
            let sid = format!("arrived-{}", ARRIVED.fetch_add(1, Ordering::Relaxed));
            let revocation = Revocation::Session { issuer: ISSUER.into(), sid, until };
            if list.revoke(revocation).await.is_err() {
                return;
            }
        }
    })
}

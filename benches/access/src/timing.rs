//! The duration and the allocations of each candidate, in rounds that take turns.

use std::time::{Duration, Instant};

use crate::BoxError;
use crate::allocations;
use crate::cases::{Candidate, Row};

/// The maximum number of requests between two readings of the clock. Those of a batch fit into the nearest cache of the
/// processor, as the one that a server has just received.
const BATCH: usize = 16;
/// The requests whose allocations or instructions are counted at a time.
pub(crate) const COUNTED: usize = 64;
/// The time between two readings of the clock. The scheduler rarely interrupts a thread in so short a time.
const BATCH_TIME: Duration = Duration::from_micros(100);
const MIN_BATCH: usize = 4;
/// The time of a candidate in one round.
const ROUND_TIME: Duration = Duration::from_millis(10);
const MAX_BATCHES: usize = 300;
/// The tokens of a round for a candidate that uses each only once.
const FRESH_PER_ROUND: usize = 512;
/// How often allocations are counted.
const COUNTS: usize = 3;

/// The measurements of a candidate, for one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    pub(crate) row: Row,
    pub(crate) nanos: f64,
    pub(crate) allocations: f64,
}

/// Returns the number of tokens for a candidate that uses each only once.
pub(crate) fn fresh_tokens(rounds: usize) -> usize {
    // The last two are those of the warm-up and of the counts.
    rounds * FRESH_PER_ROUND + 3 * BATCH + COUNTS * COUNTED
}

/// Measures all candidates. Each round begins with another one.
pub(crate) fn measure(
    candidates: &mut [Candidate],
    rounds: usize,
) -> Result<Vec<Timing>, BoxError> {
    let mut plans = Vec::new();
    for candidate in &mut *candidates {
        plans.push(warm_up(candidate)?);
    }
    let mut samples = vec![Vec::new(); candidates.len()];
    for round in 0..rounds {
        for turn in 0..candidates.len() {
            let index = (turn + round) % candidates.len();
            samples[index].push(run_round(&mut candidates[index], plans[index])?);
        }
    }
    candidates
        .iter_mut()
        .zip(samples)
        .map(|(candidate, nanos)| {
            let allocations = count_allocations(candidate)?;
            Ok(Timing { row: candidate.row, nanos: median(nanos), allocations })
        })
        .collect()
}

/// The work of a candidate in one round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    requests: usize,
    batches: usize,
}

/// Lets the candidate see its tokens, unless it uses each only once, and plans its rounds.
pub(crate) fn warm_up(candidate: &mut Candidate) -> Result<Plan, BoxError> {
    let is_fresh = candidate.row.needs_fresh_tokens();
    // The layer keeps a token when it comes for the second time.
    if is_fresh {
        run_batch(candidate, BATCH)?;
    } else {
        run_through(candidate)?;
        run_through(candidate)?;
    }
    let nanos = run_batch(candidate, BATCH)?.min(run_batch(candidate, BATCH)?).max(1.0);
    let requests = (BATCH_TIME.as_nanos() as f64 / nanos) as usize;
    let requests = requests.clamp(MIN_BATCH, BATCH);
    let batches = (ROUND_TIME.as_nanos() as f64 / nanos) as usize / requests;
    let max = if is_fresh { FRESH_PER_ROUND / requests } else { MAX_BATCHES };
    Ok(Plan { requests, batches: batches.clamp(5, max) })
}

/// Runs the candidate with each of its tokens once.
pub(crate) fn run_through(candidate: &mut Candidate) -> Result<(), BoxError> {
    for _ in 0..candidate.feed.len().div_ceil(BATCH) {
        run_batch(candidate, BATCH)?;
    }
    Ok(())
}

/// Returns the median of the batches, in nanoseconds for one request.
pub(crate) fn run_round(candidate: &mut Candidate, plan: Plan) -> Result<f64, BoxError> {
    let batches = (0..plan.batches).map(|_| run_batch(candidate, plan.requests));
    Ok(median(batches.collect::<Result<_, _>>()?))
}

fn run_batch(candidate: &mut Candidate, requests: usize) -> Result<f64, BoxError> {
    candidate.case.prepare(&candidate.feed.take(requests));
    let begun = Instant::now();
    let as_expected = candidate.case.run();
    let elapsed = begun.elapsed();
    check(candidate.row, as_expected, requests)?;
    Ok(elapsed.as_nanos() as f64 / requests as f64)
}

fn count_allocations(candidate: &mut Candidate) -> Result<f64, BoxError> {
    let mut counts = Vec::new();
    for _ in 0..COUNTS {
        candidate.case.prepare(&candidate.feed.take(COUNTED));
        let mut as_expected = 0;
        let count = allocations::count(|| as_expected = candidate.case.run());
        check(candidate.row, as_expected, COUNTED)?;
        counts.push(count as f64 / COUNTED as f64);
    }
    Ok(median(counts))
}

/// Returns an error unless the results of a whole batch were the expected ones.
pub(crate) fn check(row: Row, as_expected: usize, requests: usize) -> Result<(), BoxError> {
    if as_expected == requests {
        return Ok(());
    }
    let label = row.label();
    Err(format!("{label}: {as_expected} of {requests} results are the expected ones").into())
}

/// Returns the middle one of the values, or 0 without values.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "the values are not computed")]
    fn the_median_is_the_middle_value() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(Vec::new()), 0.0);
    }
}

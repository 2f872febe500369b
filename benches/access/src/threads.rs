//! Calls in two threads beside one.

use std::sync::{Arc, Barrier};
use std::thread;

use tower::Layer;
use tower_jwt_auth::Algorithm;

use crate::BoxError;
use crate::case::{Feed, ServiceCase};
use crate::cases::{Candidate, Row, inner, ours};
use crate::keys::Key;
use crate::timing::{median, run_round, warm_up};
use crate::tokens;

const ROTATION: usize = 10_000;

/// The nanoseconds for a request with one and with two threads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Threads {
    pub(crate) label: &'static str,
    pub(crate) one: f64,
    pub(crate) two: f64,
}

impl Threads {
    /// Returns the requests per second of two threads, divided by those of one.
    pub(crate) fn scaling(&self) -> f64 {
        2.0 * self.one / self.two
    }
}

/// Measures a service without authentication, and the layer with one token and with many.
pub(crate) async fn measure(rounds: usize) -> Result<Vec<Threads>, BoxError> {
    let key = Key::generate(Algorithm::ES256)?;
    let tokens = tokens::issue(&key, ROTATION)?;
    let one = tokens.iter().take(1).cloned().collect();
    let service = ours::layer(&key).await?.layer(inner());
    let candidate = |row, tokens| Candidate {
        row,
        case: Box::new(ServiceCase::new(service.clone())),
        feed: Feed::new(tokens),
    };
    let no_auth = || Candidate {
        row: Row::NoAuth,
        case: Box::new(ServiceCase::new(inner())),
        feed: Feed::new(Arc::clone(&one)),
    };
    Ok(vec![
        measure_pair("no auth", [no_auth(), no_auth()], rounds)?,
        measure_pair(
            "ours, repeated token",
            [0, 1].map(|_| candidate(Row::Repeated, Arc::clone(&one))),
            rounds,
        )?,
        measure_pair(
            "ours, 10,000 tokens",
            // The threads are at different places of the rotation.
            [0, ROTATION / 2].map(|begin| {
                let mut candidate = candidate(Row::Rotation, Arc::clone(&tokens));
                candidate.feed.take(begin);
                candidate
            }),
            rounds,
        )?,
    ])
}

fn measure_pair(
    label: &'static str,
    mut pair: [Candidate; 2],
    rounds: usize,
) -> Result<Threads, BoxError> {
    let plan = warm_up(&mut pair[0])?;
    let (mut one, mut two) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        one.push(run_round(&mut pair[0], plan)?);
        let barrier = Barrier::new(2);
        let both: Vec<Result<f64, BoxError>> = thread::scope(|scope| {
            let threads: Vec<_> = pair
                .iter_mut()
                .map(|candidate| {
                    let barrier = &barrier;
                    scope.spawn(move || {
                        barrier.wait();
                        run_round(candidate, plan)
                    })
                })
                .collect();
            let join = |thread: thread::ScopedJoinHandle<'_, _>| {
                thread.join().unwrap_or_else(|_| Err("a thread panicked".into()))
            };
            threads.into_iter().map(join).collect()
        });
        two.extend(both.into_iter().collect::<Result<Vec<f64>, _>>()?);
    }
    Ok(Threads { label, one: median(one), two: median(two) })
}

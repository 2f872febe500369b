//! The measurements of a run.

use std::collections::HashMap;

use tower_jwt_auth::Algorithm;

use crate::cases::{Row, Style};
use crate::http::Http;
use crate::http::flood::Flood;
use crate::instructions::Counts;
use crate::list::Lists;
use crate::threads::Threads;
use crate::timing::Timing;

/// The measurements of a run. Parts that were not measured are empty.
#[derive(Debug, Default)]
pub(crate) struct Results {
    pub(crate) algorithms: Vec<AlgorithmResults>,
    pub(crate) instructions: Option<Counts>,
    pub(crate) threads: Vec<Threads>,
    pub(crate) http: Vec<Http>,
    pub(crate) flood: Option<Flood>,
    pub(crate) lists: Lists,
}

/// The measurements of one algorithm.
#[derive(Debug)]
pub(crate) struct AlgorithmResults {
    pub(crate) algorithm: Algorithm,
    timings: HashMap<Row, Timing>,
}

impl AlgorithmResults {
    pub(crate) fn new(algorithm: Algorithm, timings: Vec<Timing>) -> Self {
        Self {
            algorithm,
            timings: timings.into_iter().map(|timing| (timing.row, timing)).collect(),
        }
    }

    pub(crate) fn timing(&self, row: Row) -> Option<Timing> {
        self.timings.get(&row).copied()
    }

    /// Returns what a row takes longer than a layer that does nothing in the same style, in nanoseconds. A function
    /// needs no layer, so all of its time counts.
    pub(crate) fn overhead(&self, row: Row) -> Option<f64> {
        let nanos = self.timing(row)?.nanos;
        Some(match row.style() {
            Style::Service => nanos - self.timing(Row::Noop)?.nanos,
            Style::Router => nanos - self.timing(Row::RouterNoop)?.nanos,
            Style::Function => nanos,
        })
    }

    /// Returns the overhead divided by the time of the bare signature check.
    pub(crate) fn ratio(&self, row: Row) -> Option<f64> {
        Some(self.overhead(row)? / self.timing(Row::Signature)?.nanos)
    }

    /// Returns the peer with the least overhead, and the overhead.
    pub(crate) fn fastest_peer(&self) -> Option<(Row, f64)> {
        Row::ALL
            .into_iter()
            .filter(|row| row.is_peer())
            .filter_map(|row| Some((row, self.overhead(row)?)))
            .min_by(|a, b| a.1.total_cmp(&b.1))
    }
}

impl Results {
    pub(crate) fn algorithm(&self, algorithm: Algorithm) -> Option<&AlgorithmResults> {
        self.algorithms.iter().find(|results| results.algorithm == algorithm)
    }
}

//! The bars that a run is held against.

use tower_jwt_auth::Algorithm;

use crate::cases::Row;
use crate::results::Results;

/// A bar, and the measured values.
#[derive(Clone, Debug)]
pub(crate) struct Bar {
    pub(crate) name: &'static str,
    pub(crate) bar: String,
    pub(crate) measured: String,
    pub(crate) is_met: bool,
}

/// A value, and whether it may be larger or smaller than its bound.
#[derive(Clone, Copy)]
enum Bound {
    Max(f64),
    Min(f64),
}

impl Bound {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::Max(max) => value <= max,
            Self::Min(min) => value >= min,
        }
    }

    fn text(self, unit: &str) -> String {
        match self {
            Self::Max(max) => format!("≤ {max}{unit}"),
            Self::Min(min) => format!("≥ {min}{unit}"),
        }
    }
}

/// Returns the bars of which the run has measured anything.
pub(crate) fn bars(results: &Results) -> Vec<Bar> {
    let mut bars = Vec::new();
    let mut add = |name, bound: Bound, unit: &str, decimals: usize, values: Vec<(String, f64)>| {
        if values.is_empty() {
            return;
        }
        let texts: Vec<String> = values
            .iter()
            .map(|(label, value)| format!("{label} {value:.decimals$}{unit}").trim().to_owned())
            .collect();
        let is_met = values.iter().all(|(_, value)| bound.is_met(*value));
        bars.push(Bar { name, bar: bound.text(unit), measured: texts.join(", "), is_met });
    };
    let each = |row: Row| -> Vec<(String, f64)> {
        let algorithms = results.algorithms.iter();
        let value = |results: &crate::results::AlgorithmResults| {
            Some((results.algorithm.as_str().to_owned(), results.overhead(row)?))
        };
        algorithms.filter_map(value).collect()
    };
    let allocations = |row: Row| -> Vec<(String, f64)> {
        let algorithms = results.algorithms.iter();
        let value = |results: &crate::results::AlgorithmResults| {
            let none = results.timing(Row::NoAuth)?.allocations;
            let allocations = results.timing(row)?.allocations - none;
            Some((results.algorithm.as_str().to_owned(), allocations))
        };
        algorithms.filter_map(value).collect()
    };
    add("repeated token over none", Bound::Max(250.0), " ns", 0, each(Row::Repeated));
    add(
        "its allocations, request has extensions",
        Bound::Max(2.0),
        "",
        1,
        allocations(Row::RepeatedWithExtension),
    );
    add("its allocations otherwise", Bound::Max(3.0), "", 1, allocations(Row::Repeated));
    add("10,000 tokens in rotation", Bound::Max(600.0), " ns", 0, each(Row::Rotation));
    add("1,000,000 tokens in rotation", Bound::Max(600.0), " ns", 0, each(Row::LargeRotation));

    let es256 = results.algorithm(Algorithm::ES256);
    let beside = es256.and_then(|results| {
        let (peer, overhead) = results.fastest_peer()?;
        Some((peer.label().to_owned(), overhead / results.overhead(Row::Repeated)?))
    });
    add(
        "ES256 repeated, overhead of the fastest peer over ours",
        Bound::Min(200.0),
        "",
        1,
        beside.into_iter().collect(),
    );

    let ratio = |algorithms: &[Algorithm]| -> Vec<(String, f64)> {
        let value = |algorithm: &Algorithm| {
            let ratio = results.algorithm(*algorithm)?.ratio(Row::FirstSeen)?;
            Some((algorithm.as_str().to_owned(), ratio))
        };
        algorithms.iter().filter_map(value).collect()
    };
    let bare = "first-seen over the bare signature";
    add(bare, Bound::Max(1.08), "", 2, ratio(&[Algorithm::ES256, Algorithm::EdDSA]));
    add(bare, Bound::Max(1.15), "", 2, ratio(&[Algorithm::RS256]));
    add(bare, Bound::Max(3.5), "", 2, ratio(&[Algorithm::HS256]));
    add("first-seen, allocations", Bound::Max(7.0), "", 1, allocations(Row::FirstSeen));

    let http = |tokens: usize| {
        let ours = results.http.iter().find(|http| http.label == "ours" && http.tokens == tokens);
        ours.into_iter()
    };
    let rate = |http: &crate::http::Http| {
        let by_time = http.running_ratio.map(|ratio| format!("(by the server's time {ratio:.3})"));
        (by_time.unwrap_or_default(), http.ratio)
    };
    add(
        "HTTP with the layer over without, one token",
        Bound::Min(0.95),
        "",
        3,
        http(1).map(rate).collect(),
    );
    add("the same, 10,000 tokens", Bound::Min(0.92), "", 3, http(10_000).map(rate).collect());
    let p99 = http(1).chain(http(10_000)).map(|http| (String::new(), http.p99_ratio));
    add("HTTP p99 with the layer over without", Bound::Max(1.1), "", 2, p99.collect());

    let large = results.lists.sizes.iter().find(|list| list.entries == 1_000_000);
    let still = large.map(|list| (String::new(), list.still / list.without));
    add(
        "repeated token, 1,000,000 revocations, over no list",
        Bound::Max(1.2),
        "",
        2,
        still.into_iter().collect(),
    );
    let arriving = large.map(|list| {
        [("one token".to_owned(), list.arriving), ("10,000".to_owned(), list.rotation_arriving)]
    });
    add(
        "the same, 1,000 arriving a second",
        Bound::Max(700.0),
        " ns",
        0,
        arriving.into_iter().flatten().collect(),
    );
    let flood = results.flood.map(|flood| (String::new(), flood.during.p99 / flood.idle.p99));
    add("honest p99 under a flood over idle", Bound::Max(2.0), "", 1, flood.into_iter().collect());
    bars
}

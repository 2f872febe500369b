//! The steps of a history, and their generators.

use proptest::collection::vec;
use proptest::prelude::*;

/// A generated history. Sessions are numbered from the one that was added last, and the numbers wrap around, so that
/// the history stays valid when steps are removed from it.
#[derive(Clone, Debug)]
pub(crate) struct History {
    pub(crate) late_retries: u32,
    pub(crate) has_grace: bool,
    pub(crate) steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    SignIn {
        subject: usize,
        node: usize,
    },
    Refresh(Refresh),
    /// A refresh after the end of the grace window.
    Lapse(Refresh),
    Race(Refresh, Refresh),
    /// A logout with a refresh token that may be spent.
    Logout {
        session: usize,
        back: usize,
        node: usize,
    },
    EndOne {
        session: usize,
        is_own: bool,
        node: usize,
    },
    EndAll {
        subject: usize,
        node: usize,
    },
    EndOthers {
        session: usize,
        node: usize,
    },
    /// A revocation by the `jti` of the latest access token.
    RevokeAccess {
        session: usize,
        node: usize,
    },
    Call {
        session: usize,
        back: usize,
        node: usize,
    },
    List {
        subject: usize,
        node: usize,
    },
    /// All clocks advance by this number of seconds.
    Advance(u64),
    /// All clocks are set back by this number of milliseconds.
    ClockBack(i64),
    /// A node's clock is set ahead of the store's clock by this number of milliseconds.
    Skew {
        node: usize,
        by: i64,
    },
    /// The next call of this method has a fault.
    Fault(&'static str, FaultKind),
    /// Pending faults are removed, and both lists catch up.
    Settle,
    /// Sessions and entries that ended long ago are removed.
    Purge,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Refresh {
    pub(crate) session: usize,
    /// The number of generations between this token and the newest one of its client.
    pub(crate) back: usize,
    pub(crate) node: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultKind {
    Before,
    After,
    Hang,
    Slow,
}

const DAY: u64 = 24 * 3600;

pub(crate) fn history(steps: usize) -> impl Strategy<Value = History> {
    let grace = prop_oneof![9 => Just(true), 1 => Just(false)];
    (0..=2_u32, grace, vec(passage(), 1..=steps)).prop_map(|(late_retries, has_grace, steps)| {
        History { late_retries, has_grace, steps: steps.concat() }
    })
}

/// Generates one step, or occasionally a sequence of steps that chance alone rarely produces.
fn passage() -> impl Strategy<Value = Vec<Step>> {
    let (number, node) = (0..2_usize, 0..2_usize);
    prop_oneof![
        30 => step().prop_map(|step| vec![step]),
        1 => (fault_kind(), number.clone(), node.clone()).prop_map(|(fault_kind, subject, node)| {
            vec![Step::Fault("insert", fault_kind), Step::SignIn { subject, node }]
        }),
        // The list is stale by then, so the node queries the store.
        1 => (fault_kind(), number, node).prop_map(|(fault_kind, session, node)| {
            let call = Step::Call { session, back: 0, node };
            vec![Step::Advance(60), Step::Fault("is_revoked", fault_kind), call]
        }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let (session, subject, node) = (0..3_usize, 0..2_usize, 0..2_usize);
    prop_oneof![
        4 => (subject.clone(), node.clone())
            .prop_map(|(subject, node)| Step::SignIn { subject, node }),
        12 => refresh().prop_map(Step::Refresh),
        16 => refresh().prop_map(Step::Lapse),
        4 => (refresh(), refresh(), any::<bool>()).prop_map(|(one, mut other, is_same)| {
            if is_same {
                other.session = one.session;
            }
            Step::Race(one, other)
        }),
        1 => (session.clone(), 0..3_usize, node.clone())
            .prop_map(|(session, back, node)| Step::Logout { session, back, node }),
        1 => (session.clone(), any::<bool>(), node.clone())
            .prop_map(|(session, is_own, node)| Step::EndOne { session, is_own, node }),
        1 => (subject.clone(), node.clone())
            .prop_map(|(subject, node)| Step::EndAll { subject, node }),
        1 => (session.clone(), node.clone())
            .prop_map(|(session, node)| Step::EndOthers { session, node }),
        1 => (session.clone(), node.clone())
            .prop_map(|(session, node)| Step::RevokeAccess { session, node }),
        6 => (session, 0..3_usize, node.clone())
            .prop_map(|(session, back, node)| Step::Call { session, back, node }),
        1 => (subject, node.clone()).prop_map(|(subject, node)| Step::List { subject, node }),
        8 => time().prop_map(Step::Advance),
        1 => (1..=1000_i64).prop_map(Step::ClockBack),
        1 => (node, -1000..=1000_i64).prop_map(|(node, by)| Step::Skew { node, by }),
        5 => fault(),
        1 => Just(Step::Settle),
        1 => Just(Step::Purge),
    ]
}

/// Generates seconds around the grace window, the lifetime of an access token with its leeway, and the idle expiry.
fn time() -> impl Strategy<Value = u64> {
    let one_of = |times: &'static [u64]| prop::sample::select(times);
    prop_oneof![
        8 => one_of(&[0, 1, 4, 9]),
        8 => one_of(&[10, 11]),
        6 => one_of(&[60, 299, 301, 305]),
        2 => Just(3600),
        1 => one_of(&[29 * DAY, 30 * DAY]),
    ]
}

fn refresh() -> impl Strategy<Value = Refresh> {
    let back = prop_oneof![10 => Just(0_usize), 8 => Just(1_usize), 3 => Just(2_usize)];
    let session = prop_oneof![4 => Just(0_usize), 1 => Just(1_usize), 1 => Just(2_usize)];
    (session, back, 0..2_usize).prop_map(|(session, back, node)| Refresh { session, back, node })
}

fn fault() -> impl Strategy<Value = Step> {
    let method = prop::sample::select(
        &[
            "advance",
            "advance",
            "load",
            "late_retry",
            "end",
            "end",
            "insert",
            "list",
            "append",
            "is_revoked",
            "read",
            "changed",
        ][..],
    );
    (method, fault_kind()).prop_map(|(method, fault_kind)| Step::Fault(method, fault_kind))
}

fn fault_kind() -> impl Strategy<Value = FaultKind> {
    prop_oneof![
        3 => Just(FaultKind::Before),
        3 => Just(FaultKind::After),
        1 => Just(FaultKind::Hang),
        2 => Just(FaultKind::Slow),
    ]
}

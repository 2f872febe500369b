//! The clocks of a store and its two nodes.

use std::sync::Arc;
use std::time::Duration;

use tower_jwt_auth::Timestamp;
use tower_jwt_auth::store::{Clock, ManualClock, SystemClock};
use tower_jwt_auth_tests::START;

use crate::reference::{Millis, Moment};

/// The maximum by which the clocks are set back, as with [`SystemClock`].
const MAX_STEP_BACK: Millis = 1000;

pub(crate) enum Clocks {
    /// Manual clocks. Each node's clock has an offset from the store's clock.
    Manual {
        store: Arc<ManualClock>,
        nodes: [Arc<ManualClock>; 2],
        skew: [i64; 2],
        highest: Millis,
    },
    /// The system clock. Advances of at least ten seconds are shortened to slightly more than the grace window.
    Wall { grace: Duration },
}

impl Clocks {
    pub(crate) fn manual() -> Self {
        let clock = || Arc::new(ManualClock::at(START));
        Self::Manual {
            store: clock(),
            nodes: [clock(), clock()],
            skew: [0; 2],
            highest: START.unix_millis(),
        }
    }

    pub(crate) fn of_store(&self) -> Arc<dyn Clock> {
        match self {
            Self::Manual { store, .. } => Arc::clone(store) as _,
            Self::Wall { .. } => Arc::new(SystemClock::new()),
        }
    }

    pub(crate) fn of_node(&self, node: usize) -> Arc<dyn Clock> {
        match self {
            Self::Manual { nodes, .. } => Arc::clone(&nodes[node]) as _,
            Self::Wall { .. } => Arc::new(SystemClock::new()),
        }
    }

    /// Returns the time of the store's clock.
    pub(crate) fn now(&self) -> Millis {
        self.of_store().now().unix_millis()
    }

    /// Returns the beginning of a call. [`end`](Self::end) adds the end of the call.
    pub(crate) fn begin(&self, node: usize) -> Moment {
        let (store, node) = (self.now(), self.of_node(node).now().unix_millis());
        Moment { store: (store, store), node: (node, node) }
    }

    /// Returns the period of a call that began at this moment and ends now.
    pub(crate) fn end(&self, begun: Moment, node: usize) -> Moment {
        let over = self.begin(node);
        Moment { store: (begun.store.0, over.store.0), node: (begun.node.0, over.node.0) }
    }

    pub(crate) async fn advance(&mut self, seconds: u64) {
        match self {
            Self::Manual { store, .. } => {
                store.advance(Duration::from_secs(seconds));
                self.set_nodes();
            }
            Self::Wall { grace } => {
                if seconds >= 10 {
                    tokio::time::sleep(*grace + Duration::from_millis(20)).await;
                }
            }
        }
    }

    pub(crate) fn back(&mut self, by: Millis) {
        if let Self::Manual { store, highest, .. } = self {
            let now = store.now().unix_millis();
            store.set(at((now - by).max(*highest - MAX_STEP_BACK)));
            self.set_nodes();
        }
    }

    pub(crate) fn skew(&mut self, node: usize, by: i64) {
        if let Self::Manual { skew, .. } = self {
            skew[node] = by;
            self.set_nodes();
        }
    }

    fn set_nodes(&mut self) {
        if let Self::Manual { store, nodes, skew, highest } = self {
            let now = store.now().unix_millis();
            *highest = now.max(*highest);
            for (clock, by) in nodes.iter().zip(skew) {
                clock.set(at(now + *by));
            }
        }
    }
}

fn at(millis: Millis) -> Timestamp {
    Timestamp::from_unix_millis(millis)
}

//! Calls of the protected service.

use std::time::Duration;

use http::StatusCode;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use tower_jwt_auth_tests::harness::call_behind;

use crate::clients::Knowledge;
use crate::clocks::Clocks;
use crate::run::{Checked, Run};

/// The maximum number of checks whether a node has caught up.
const MAX_POLLS: u32 = 1000;

impl Run {
    /// Calls with the access token that is `back` tokens older than the newest one.
    pub(crate) async fn call_back(&mut self, session: usize, back: usize, node: usize) -> Checked {
        let session = self.pick(session);
        match self.clients[session].access.len().checked_sub(back + 1) {
            Some(access) => self.call(session, access, node).await,
            None => Ok(()),
        }
    }

    /// Calls with every access token of a session.
    pub(crate) async fn call_all(&mut self, session: usize, node: usize) -> Checked {
        for access in 0..self.clients[session].access.len() {
            self.call(session, access, node).await?;
        }
        Ok(())
    }

    async fn call(&mut self, session: usize, access: usize, node: usize) -> Checked {
        // Earlier faults do not explain a failure of this call.
        self.failed(&[]);
        let client = &self.clients[session];
        let token = &client.access[access];
        let over = token.expires_at + self.rules.leeway;
        let mut known = Knowledge::None;
        if client.row.is_ended {
            known = known.max(client.end[node]);
        }
        if token.is_revoked {
            known = known.max(token.revocation[node]);
        }
        let is_over = client.row.is_ended || token.is_revoked;
        let was_behind = self.is_behind(node);
        let begun = self.clocks.begin(node);
        let status = call_behind(&self.nodes[node].auth, &token.text).await.status;
        let at = self.clocks.end(begun, node);
        if at.node.0 >= over || known == Knowledge::Answered {
            prop_assert_eq!(
                status,
                StatusCode::UNAUTHORIZED,
                "the node accepted an access token that is over"
            );
            let is_expired = at.node.0 >= over;
            self.note(if is_expired { "refused as expired" } else { "refused as answered" });
            return Ok(());
        }
        // A node whose list may be incomplete queries the store.
        if known == Knowledge::Found || (is_over && was_behind) {
            prop_assert!(
                status != StatusCode::OK,
                "the node accepted an access token that is over"
            );
            self.note("refused or unavailable by the store");
            return self.check_failure(&["is_revoked"], status != StatusCode::UNAUTHORIZED);
        }
        if is_over {
            return self.wait_until_refused(session, access, node).await;
        }
        if at.node.1 >= over {
            return Ok(());
        }
        match status {
            StatusCode::OK => {
                self.note(if was_behind { "accepted by the store" } else { "accepted" });
                self.check_failure(&["is_revoked"], false)
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                self.note("unavailable call");
                self.check_failure(&["is_revoked"], true)
            }
            other => Err(TestCaseError::fail(format!("{other} for a token that is valid"))),
        }
    }

    /// Waits until a node refuses a token after another node, or a call whose response was lost, has ended the session.
    async fn wait_until_refused(&mut self, session: usize, access: usize, node: usize) -> Checked {
        for _ in 0..MAX_POLLS {
            let token = &self.clients[session].access[access].text;
            let status = call_behind(&self.nodes[node].auth, token).await.status;
            if status == StatusCode::UNAUTHORIZED {
                self.note("refused after another node's end");
                let client = &mut self.clients[session];
                let token = &mut client.access[access];
                // If both the session and the token are revoked, the node may know only one of the revocations.
                if client.row.is_ended != token.is_revoked {
                    let found = |of: &mut Knowledge| *of = (*of).max(Knowledge::Found);
                    if client.row.is_ended {
                        found(&mut client.end[node]);
                    } else {
                        found(&mut token.revocation[node]);
                    }
                }
                return Ok(());
            }
            let failed = self.failed(&["is_revoked"]) || self.has_hung;
            prop_assert!(status == StatusCode::OK || failed, "{} without a fault", status);
            self.pause().await;
        }
        Err(TestCaseError::fail("a node never refuses an access token that is over"))
    }

    /// Waits until both nodes have read the log to its end, without faults.
    pub(crate) async fn settle(&mut self) -> Checked {
        self.faulty.heal();
        for node in 0..2 {
            let mut polls = 0;
            while self.is_behind(node) {
                polls += 1;
                prop_assert!(polls < MAX_POLLS * 10, "a list stays stale");
                self.pause().await;
            }
            // After a successful call, the node no longer treats the store as hanging.
            let listed = self.nodes[node].sessions.list("nobody", None).await;
            prop_assert!(listed.is_ok(), "a call fails without a fault");
        }
        self.has_hung = false;
        Ok(())
    }

    fn is_behind(&self, node: usize) -> bool {
        let staleness = self.nodes[node].sessions.revocations().staleness();
        staleness.is_none_or(|staleness| staleness > Duration::from_secs(30))
    }

    async fn pause(&self) {
        // Heartbeats use real time.
        let real = matches!(self.clocks, Clocks::Wall { .. });
        if !real {
            std::thread::sleep(Duration::from_micros(200));
        }
        tokio::time::sleep(Duration::from_millis(if real { 10 } else { 50 })).await;
    }
}

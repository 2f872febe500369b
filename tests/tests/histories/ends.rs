//! Ends and revocations.

use proptest::prelude::*;
use tower_jwt_auth::Timestamp;
use tower_jwt_auth::sessions::SessionError;
use tower_jwt_auth::store::Revocation;
use tower_jwt_auth_core::RevocationKey;
use tower_jwt_auth_tests::ISSUER;

use crate::clients::{Client, Knowledge};
use crate::run::{Checked, Run, SUBJECTS};

impl Run {
    pub(crate) async fn log_out(&mut self, session: usize, back: usize, node: usize) -> Checked {
        let session = self.pick(session);
        let Some((_, token)) = self.clients[session].token(back) else { return Ok(()) };
        let answer = self.nodes[node].sessions.end_presented(&token).await;
        let answer = answer.map(usize::from);
        self.ended(&[session], node, &answer)?;
        self.know_end(session, node, &answer);
        Ok(())
    }

    pub(crate) async fn end(&mut self, session: usize, is_own: bool, node: usize) -> Checked {
        let session = self.pick(session);
        let client = &self.clients[session];
        let subject = if is_own { client.subject } else { 1 - client.subject };
        let answer = self.nodes[node].sessions.end(SUBJECTS[subject], client.id).await;
        let answer = answer.map(usize::from);
        if !is_own {
            return self.ended(&[], node, &answer);
        }
        self.ended(&[session], node, &answer)?;
        self.know_end(session, node, &answer);
        Ok(())
    }

    pub(crate) async fn end_all(&mut self, subject: usize, node: usize) -> Checked {
        let answer = self.nodes[node].sessions.end_all(SUBJECTS[subject]).await;
        self.ended(&self.of(subject, None), node, &answer)
    }

    pub(crate) async fn end_others(&mut self, keep: usize, node: usize) -> Checked {
        let keep = self.pick(keep);
        let Client { subject, id, .. } = self.clients[keep];
        let answer = self.nodes[node].sessions.end_others(SUBJECTS[subject], id).await;
        self.ended(&self.of(subject, Some(keep)), node, &answer)
    }

    /// Notes that a node knows the end of a session. The call that ends a session and a later one get the same
    /// response.
    fn know_end(&mut self, session: usize, node: usize, answer: &Result<usize, SessionError>) {
        let client = &mut self.clients[session];
        if answer.is_ok() && !client.is_removed {
            client.end[node] = Knowledge::Answered;
        }
    }

    fn of(&self, subject: usize, keep: Option<usize>) -> Vec<usize> {
        let all = 0..self.clients.len();
        let of_subject = |at: &usize| self.clients[*at].subject == subject && Some(*at) != keep;
        all.filter(of_subject).collect()
    }

    /// Checks that these sessions have ended if the call succeeded, and that the call returned the number of newly
    /// ended sessions.
    fn ended(
        &mut self,
        concerned: &[usize],
        node: usize,
        answer: &Result<usize, SessionError>,
    ) -> Checked {
        self.check_failure(&["end", "load"], answer.is_err())?;
        let ending: Vec<_> =
            concerned.iter().copied().filter(|at| self.clients[*at].can_end()).collect();
        if let Ok(count) = *answer {
            prop_assert_eq!(count, ending.len(), "the number of newly ended sessions");
        }
        for session in ending {
            self.clients[session].expect_end(answer.is_ok());
            if answer.is_ok() {
                self.clients[session].end[node] = Knowledge::Answered;
            }
        }
        Ok(())
    }

    pub(crate) async fn revoke(&mut self, session: usize, node: usize) -> Checked {
        let session = self.pick(session);
        let Some(access) = self.clients[session].access.last_mut() else { return Ok(()) };
        let revocation = Revocation::Token {
            issuer: ISSUER.into(),
            jti: access.jti.clone(),
            until: Timestamp::from_unix_millis(access.expires_at),
        };
        let answer = self.nodes[node].sessions.revoke(revocation).await;
        let key = RevocationKey::Token { issuer: ISSUER, jti: &access.jti };
        access.is_revoked = self.store.is_revoked(&[key]).await.unwrap();
        if answer.is_ok() {
            access.revocation[node] = Knowledge::Answered;
        }
        prop_assert!(answer.is_err() || access.is_revoked, "the log lacks an acknowledged entry");
        // The fault may have hit a heartbeat instead.
        let failed = self.failed(&["append"]);
        prop_assert!(answer.is_ok() || failed || self.has_hung, "a call failed without a fault");
        Ok(())
    }
}

//! Sign-ins and lists.

use proptest::prelude::*;
use tower_jwt_auth::SignIn;
use tower_jwt_auth::sessions::{Session, SessionId};
use tower_jwt_auth_tests::{ISSUER, Profile};

use crate::clients::{Access, Client, Knowledge};
use crate::reference::{Row, Span};
use crate::run::{Checked, Run, SUBJECTS};

impl Run {
    pub(crate) async fn sign_in(&mut self, subject: usize, node: usize) -> Checked {
        let begun = self.clocks.begin(node);
        let who =
            SignIn::new(SUBJECTS[subject]).with_claims(Profile { name: SUBJECTS[subject].into() });
        let answer = self.nodes[node].sessions.start(who).await;
        let at = self.clocks.end(begun, node);
        self.check_failure(&["insert"], answer.is_err())?;
        let new = match &answer {
            Ok(tokens) => Some(tokens.refresh().session_id()),
            Err(_) => self.unknown_session(subject).await,
        };
        let Some(id) = new else { return Ok(()) };
        if answer.is_err() {
            self.note("sign-in of which the answer was lost");
        }
        let (from, to) = at.node;
        let (earliest, latest) = (Row::new(&self.rules, from), Row::new(&self.rules, to));
        let of_subject = |client: &Client| client.subject == subject && !client.is_removed;
        let live: Vec<_> = (0..self.clients.len())
            .filter(|other| of_subject(&self.clients[*other]))
            .filter(|other| self.clients[*other].row.is_live(at.store.0))
            .collect();
        let beyond = (live.len() + 1).saturating_sub(self.rules.max_sessions);
        for displaced in &live[..beyond] {
            self.note("end for the limit");
            self.clients[*displaced].expect_end(true);
            if answer.is_ok() {
                self.clients[*displaced].end[node] = Knowledge::Answered;
            }
        }
        let expected = Span::new(earliest.clone(), latest);
        let mut client = Client::new(id, subject, earliest, expected);
        if let Ok(tokens) = answer {
            client.access.push(Access::new(&tokens));
            client.tokens.insert(0, tokens.refresh().as_str().to_owned());
        }
        self.clients.push(client);
        Ok(())
    }

    /// Returns a session that was added by a call whose response was lost.
    async fn unknown_session(&self, subject: usize) -> Option<SessionId> {
        let page = self.store.list(ISSUER, SUBJECTS[subject], None, 100).await.unwrap();
        let mut ids = page.sessions.iter().map(Session::id);
        ids.find(|id| self.clients.iter().all(|client| client.id != *id))
    }

    pub(crate) async fn list(&mut self, subject: usize, node: usize) -> Checked {
        let begun = self.clocks.begin(node);
        let answer = self.nodes[node].sessions.list(SUBJECTS[subject], None).await;
        let at = self.clocks.end(begun, node);
        self.check_failure(&["list"], answer.is_err())?;
        let Ok(page) = answer else { return Ok(()) };
        let listed: Vec<_> = page.sessions.iter().map(Session::id).collect();
        let is_live = |client: &&Client| {
            client.subject == subject && !client.is_removed && client.row.is_live(at.store.0)
        };
        let live: Vec<_> = self.clients.iter().filter(is_live).map(|client| client.id).collect();
        prop_assert_eq!(listed, live);
        Ok(())
    }
}

//! Single refreshes, and two concurrent ones.

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use tower_jwt_auth::Tokens;
use tower_jwt_auth::sessions::{RefreshError, RefreshRejection};

use crate::clients::{Access, Knowledge};
use crate::reference::{Moment, RefreshCall, RefreshResponse, Span};
use crate::run::{Checked, Run};
use crate::steps::Refresh;

/// The methods of the store that a refresh may call.
const ASKED: [&str; 5] = ["advance", "load", "late_retry", "end", "is_revoked"];

impl Run {
    pub(crate) async fn refresh(&mut self, refresh: Refresh) -> Checked {
        let Some((session, generation, token)) = self.chosen(refresh) else { return Ok(()) };
        let begun = self.clocks.begin(refresh.node);
        let answer = self.nodes[refresh.node].sessions.refresh(&token).await;
        let at = self.clocks.end(begun, refresh.node);
        let failed = self.failed(&ASKED);
        let ask = RefreshCall {
            presented: generation,
            at,
            may_fail: failed || self.has_hung,
            must_fail: failed,
        };
        let given = observed(&answer)?;
        let expected = fitting(&given, &self.outcomes(session, &ask))?;
        self.note_outcome(session, given, &expected);
        if let Ok(tokens) = &answer {
            let row = expected.iter().map(Span::access_until).min().unwrap();
            let least = self.rules.access_expiry(at.node.0).min(row);
            let exp = tokens.access().expires_at().unix_millis();
            prop_assert!(exp >= least, "the access token expires too early");
        }
        let client = &mut self.clients[session];
        client.expected = expected;
        let end = &mut client.end[refresh.node];
        *end = (*end).max(match &answer {
            Err(RefreshError::Rejected(RefreshRejection::Reuse | RefreshRejection::Ended)) => {
                Knowledge::Answered
            }
            // The node may have queried the store, and it does not record that answer.
            Err(RefreshError::Rejected(RefreshRejection::Revoked)) => Knowledge::Found,
            _ => Knowledge::None,
        });
        self.take(session, answer, at)
    }

    pub(crate) async fn race(&mut self, one: Refresh, other: Refresh) -> Checked {
        let (Some(first), Some(second)) = (self.chosen(one), self.chosen(other)) else {
            return Ok(());
        };
        let begun = [self.clocks.begin(one.node), self.clocks.begin(other.node)];
        let (answer, next) = tokio::join!(
            self.nodes[one.node].sessions.refresh(&first.2),
            self.nodes[other.node].sessions.refresh(&second.2),
        );
        let at = [self.clocks.end(begun[0], one.node), self.clocks.end(begun[1], other.node)];
        let failed = self.failed(&ASKED);
        let may_fail = failed || self.has_hung;
        let ask = |presented, at| RefreshCall { presented, at, may_fail, must_fail: false };
        let asks = [ask(first.1, at[0]), ask(second.1, at[1])];
        let given = [observed(&answer)?, observed(&next)?];
        if first.0 == second.0
            && given.iter().all(|answer| matches!(answer, RefreshResponse::Tokens(_)))
        {
            self.note("race with two answers");
        }
        let same_session = first.0 == second.0;
        if same_session && !self.clients[first.0].is_removed {
            let may_share = one.node == other.node && first.1 == second.1;
            let span = Span::exactly(&self.clients[first.0].row);
            let outcomes = span.race(&self.rules, [&asks[0], &asks[1]], may_share);
            self.clients[first.0].expected = fitting(&given, &outcomes)?;
        } else {
            for ((session, ..), ask, given) in
                [(&first, asks[0], given[0]), (&second, asks[1], given[1])]
            {
                self.clients[*session].expected = fitting(&given, &self.outcomes(*session, &ask))?;
            }
        }
        self.take(first.0, answer, at[0])?;
        self.take(second.0, next, at[1])
    }

    fn note_outcome(&mut self, session: usize, given: RefreshResponse, expected: &[Span]) {
        let row = &self.clients[session].row;
        let is_unchanged = expected.iter().all(|span| span.holds(row, &self.rules));
        self.note(match (given, is_unchanged) {
            (RefreshResponse::Tokens(_), true) => "replay",
            // Whether it is a rotation or a late retry is seen in the row.
            (RefreshResponse::Tokens(_), false) => "tokens",
            (RefreshResponse::Rejected, true) => "refusal",
            (RefreshResponse::Rejected, false) => "reuse",
            (RefreshResponse::Unavailable, _) => "unavailable refresh",
        });
    }

    fn outcomes(&self, session: usize, ask: &RefreshCall) -> Vec<(RefreshResponse, Span)> {
        let client = &self.clients[session];
        let span = Span::exactly(&client.row);
        if !client.is_removed {
            return span.refresh(&self.rules, ask);
        }
        let mut outcomes = vec![(RefreshResponse::Rejected, span.clone())];
        if ask.may_fail {
            outcomes.push((RefreshResponse::Unavailable, span));
        }
        outcomes
    }

    fn chosen(&self, refresh: Refresh) -> Option<(usize, u64, String)> {
        let session = self.pick(refresh.session);
        let (generation, token) = self.clients[session].token(refresh.back)?;
        Some((session, generation, token))
    }

    /// Gives the tokens of a response to the client.
    fn take(
        &mut self,
        session: usize,
        answer: Result<Tokens, RefreshError>,
        at: Moment,
    ) -> Checked {
        let Ok(tokens) = answer else { return Ok(()) };
        let latest = self.rules.access_expiry(at.node.1);
        let client = &mut self.clients[session];
        let refresh = tokens.refresh();
        prop_assert_eq!(refresh.session_id(), client.id);
        let text = refresh.as_str().to_owned();
        let known = client.tokens.entry(refresh.generation()).or_insert_with(|| text.clone());
        prop_assert_eq!(&*known, &text, "a generation has one token");
        let access = Access::new(&tokens);
        prop_assert!(access.expires_at <= latest, "the access token expires too late");
        // Clients that shared a refresh have the same access token.
        if client.access.iter().all(|other| other.jti != access.jti) {
            client.access.push(access);
        }
        Ok(())
    }
}

/// Returns the rows that are possible after this response.
fn fitting<A: PartialEq + std::fmt::Debug>(
    given: &A,
    outcomes: &[(A, Span)],
) -> Result<Vec<Span>, TestCaseError> {
    let rows = outcomes.iter().filter(|(answer, _)| answer == given);
    let rows: Vec<_> = rows.map(|(_, span)| span.clone()).collect();
    prop_assert!(
        !rows.is_empty(),
        "the response is {given:?}, but the reference allows {outcomes:?}"
    );
    Ok(rows)
}

fn observed(answer: &Result<Tokens, RefreshError>) -> Result<RefreshResponse, TestCaseError> {
    match answer {
        Ok(tokens) => Ok(RefreshResponse::Tokens(tokens.refresh().generation())),
        Err(RefreshError::Rejected(_)) => Ok(RefreshResponse::Rejected),
        Err(RefreshError::Unavailable { .. }) => Ok(RefreshResponse::Unavailable),
        Err(other) => Err(TestCaseError::fail(format!("a refresh failed: {other:?}"))),
    }
}

//! An independent implementation of the rotation rule. It uses plain numbers and no types of the library.

/// Milliseconds since the Unix epoch.
pub(crate) type Millis = i64;

const SECOND: Millis = 1000;

/// The configuration of the sessions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) grace: Millis,
    pub(crate) late_retries: u32,
    pub(crate) idle: Millis,
    pub(crate) absolute: Millis,
    /// The lifetime of an access token. The token is accepted for the leeway beyond it.
    pub(crate) access: Millis,
    pub(crate) leeway: Millis,
    /// The maximum number of live sessions of a subject.
    pub(crate) max_sessions: usize,
    /// The maximum difference between two readings of one clock, because the engines round.
    pub(crate) slack: Millis,
}

impl Rules {
    /// Returns the `exp` of an access token that is issued now.
    pub(crate) fn access_expiry(&self, now: Millis) -> Millis {
        whole_seconds(now) + self.access
    }
}

pub(crate) fn whole_seconds(time: Millis) -> Millis {
    time.div_euclid(SECOND) * SECOND
}

/// The period of a step by the store's clock and by the node's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) store: (Millis, Millis),
    pub(crate) node: (Millis, Millis),
}

/// The fields of a session that the rule uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) generation: u64,
    pub(crate) rotated_at: Millis,
    /// The generation of the last late retry, and the length of the run that it ends.
    pub(crate) late: Option<(u64, u32)>,
    pub(crate) idle_until: Millis,
    pub(crate) expires_at: Millis,
    pub(crate) access_until: Millis,
    pub(crate) is_ended: bool,
}

impl Row {
    pub(crate) fn new(rules: &Rules, node_now: Millis) -> Self {
        let expires_at = node_now + rules.absolute;
        Self {
            generation: 0,
            rotated_at: node_now,
            late: None,
            idle_until: expires_at.min(node_now + rules.idle),
            expires_at,
            access_until: rules.access_expiry(node_now),
            is_ended: false,
        }
    }

    pub(crate) fn is_live(&self, now: Millis) -> bool {
        !self.is_ended && now < self.idle_until && now < self.expires_at
    }

    fn expected_rotation(&self, rules: &Rules, presented: u64, now: Millis) -> ExpectedRotation {
        if !self.is_live(now) || presented > self.generation {
            return ExpectedRotation::Rejected;
        }
        let age = self.generation - presented;
        if age >= 2 {
            return ExpectedRotation::Reuse;
        }
        if self.generation > 0 && (now - self.rotated_at).abs() < rules.grace {
            return ExpectedRotation::Replay;
        }
        if age == 0 {
            return ExpectedRotation::Rotate;
        }
        let run = match self.late {
            Some((last, _)) if last == presented => return ExpectedRotation::Reuse,
            Some((last, length)) if last + 1 == presented => length + 1,
            _ => 1,
        };
        if rules.grace > 0 && run <= rules.late_retries {
            ExpectedRotation::Late(presented, run)
        } else {
            ExpectedRotation::Reuse
        }
    }

    fn after(
        &self,
        rules: &Rules,
        rotation: ExpectedRotation,
        now: Millis,
        node_now: Millis,
    ) -> Self {
        let mut row = self.clone();
        match rotation {
            ExpectedRotation::Rotate => {
                row.generation += 1;
                row.rotated_at = now;
                row.idle_until = row.expires_at.min(now + rules.idle);
                row.access_until = row.access_until.max(rules.access_expiry(node_now));
            }
            ExpectedRotation::Late(generation, run) => {
                row.rotated_at = now;
                row.late = Some((generation, run));
                row.access_until = row.access_until.max(rules.access_expiry(node_now));
            }
            ExpectedRotation::Reuse => row.is_ended = true,
            ExpectedRotation::Replay | ExpectedRotation::Rejected => {}
        }
        row
    }

    fn times(&self) -> [Millis; 4] {
        [self.rotated_at, self.idle_until, self.expires_at, self.access_until]
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ExpectedRotation {
    Rotate,
    Replay,
    Late(u64, u32),
    Reuse,
    Rejected,
}

/// A row whose times are between those of two rows.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    earliest: Row,
    latest: Row,
}

impl Span {
    pub(crate) fn new(earliest: Row, latest: Row) -> Self {
        Self { earliest, latest }
    }

    pub(crate) fn exactly(row: &Row) -> Self {
        Self::new(row.clone(), row.clone())
    }

    pub(crate) fn ended(&self) -> Self {
        let end = |row: &Row| Row { is_ended: true, ..row.clone() };
        Self::new(end(&self.earliest), end(&self.latest))
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.earliest.is_ended
    }

    pub(crate) fn access_until(&self) -> Millis {
        self.earliest.access_until
    }

    pub(crate) fn holds(&self, row: &Row, rules: &Rules) -> bool {
        let same = |other: &Row| {
            (row.generation, row.late, row.is_ended)
                == (other.generation, other.late, other.is_ended)
        };
        let (from, to) = (self.earliest.times(), self.latest.times());
        let mut times = row.times().into_iter().zip(from.into_iter().zip(to));
        let slack = if from == to { 0 } else { rules.slack };
        same(&self.earliest)
            && times.all(|(time, (from, to))| (from - slack..=to + slack).contains(&time))
    }

    /// Returns the possible outcomes of a refresh. After a fault the response is unknown, but a write happens
    /// completely or not at all.
    pub(crate) fn refresh(&self, rules: &Rules, ask: &RefreshCall) -> Vec<(RefreshResponse, Self)> {
        let Moment { store: (from, to), node } = ask.at;
        let mut rotations = Vec::new();
        // The token's own `exp` is in whole seconds, and the node checks it by its own clock.
        let exp = whole_seconds(self.earliest.expires_at);
        if node.1 >= exp {
            rotations.push(ExpectedRotation::Rejected);
        }
        if node.0 < exp {
            rotations.push(self.earliest.expected_rotation(rules, ask.presented, to + rules.slack));
            rotations.push(self.latest.expected_rotation(rules, ask.presented, from - rules.slack));
        }
        rotations.dedup();
        let mut outcomes = Vec::new();
        for rotation in rotations {
            let next = Self::new(
                self.earliest.after(rules, rotation, from, node.0),
                self.latest.after(rules, rotation, to, node.1),
            );
            if ask.may_fail {
                outcomes.push((RefreshResponse::Unavailable, self.clone()));
                outcomes.push((RefreshResponse::Unavailable, next.clone()));
            }
            if !ask.must_fail {
                let answer = match rotation {
                    ExpectedRotation::Reuse | ExpectedRotation::Rejected => {
                        RefreshResponse::Rejected
                    }
                    _ => RefreshResponse::Tokens(next.earliest.generation),
                };
                outcomes.push((answer, next));
            }
        }
        outcomes
    }

    /// Returns the possible outcomes of two concurrent refreshes: those of either order. Two refreshes with the same
    /// token on one node may share a response.
    pub(crate) fn race(
        &self,
        rules: &Rules,
        [one, other]: [&RefreshCall; 2],
        may_share: bool,
    ) -> Vec<([RefreshResponse; 2], Self)> {
        let mut all = Vec::new();
        for (first, second, is_turned) in [(one, other, false), (other, one, true)] {
            for (answer, between) in self.refresh(rules, first) {
                if may_share {
                    all.push(([answer; 2], between.clone()));
                }
                for (next, after) in between.refresh(rules, second) {
                    let pair = if is_turned { [next, answer] } else { [answer, next] };
                    all.push((pair, after));
                }
            }
        }
        // A node that learns of the end during a refresh rejects the refresh, even if it has written.
        for (pair, after) in all.clone() {
            let refused = |answer| match answer {
                RefreshResponse::Tokens(_) => RefreshResponse::Rejected,
                other => other,
            };
            if after.is_ended() {
                let [one, other] = pair;
                all.push(([refused(one), other], after.clone()));
                all.push(([one, refused(other)], after.clone()));
                all.push(([refused(one), refused(other)], after));
            }
        }
        all
    }
}

/// A call to refresh.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RefreshCall {
    /// The generation of the token.
    pub(crate) presented: u64,
    pub(crate) at: Moment,
    /// Whether "unavailable" is a possible response, and whether it is the only one.
    pub(crate) may_fail: bool,
    pub(crate) must_fail: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefreshResponse {
    /// The response has the tokens of this generation.
    Tokens(u64),
    Rejected,
    Unavailable,
}

use std::fmt::Debug;
use std::hash::Hash;

/// A refresh token, as a number that the rule assigns.
pub type Token = u8;

/// A time between events in ticks. It is negative after the clock was set back.
pub type Ticks = i8;

/// The next call of the store for a request.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_rotation_model::{Rule, Shipped, Stage, StepOutcome};
///
/// let rule = Shipped::new(4, 1, 0);
/// let (mut session, token) = rule.start();
/// let outcome = rule.step(&mut session, token, Stage::Begin { attempts: 0 });
/// assert_eq!(outcome, StepOutcome::Answer(1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The next call is the conditional write.
    Begin {
        /// The number of earlier attempts.
        attempts: u8,
    },
    /// The conditional write did not apply. The next call reads the session.
    Load {
        /// The number of earlier attempts.
        attempts: u8,
    },
    /// The rule allows a late retry. The next call writes it.
    RetryLate {
        /// The number of earlier attempts.
        attempts: u8,
    },
    /// The rule found reuse. The next call ends the session.
    End,
}

/// The outcome of one call of the store.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_rotation_model::{Rule, Shipped, Stage, StepOutcome};
///
/// let rule = Shipped::new(4, 1, 0);
/// let (mut session, token) = rule.start();
/// rule.step(&mut session, token, Stage::Begin { attempts: 0 });
///
/// // The token is spent. Within the window, the store replays the current one.
/// let outcome = rule.step(&mut session, token, Stage::Begin { attempts: 0 });
/// assert_eq!(outcome, StepOutcome::Next(Stage::Load { attempts: 0 }));
/// let outcome = rule.step(&mut session, token, Stage::Load { attempts: 0 });
/// assert_eq!(outcome, StepOutcome::Answer(1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepOutcome {
    /// The request needs another call.
    Next(Stage),
    /// The response brings this token.
    Answer(Token),
    /// The request is accepted, and the client keeps its token.
    Accepted,
    /// The request is rejected.
    Rejected,
    /// The client is asked to try again later.
    TryLater,
}

/// The session that a store keeps.
///
/// It holds times relative to now and tokens relative to the current one, so that the number of states is finite
/// however long the session lives.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_rotation_model::{Rule, SessionState, Shipped};
///
/// let (session, token) = Shipped::new(4, 1, 0).start();
/// assert!(session.is_current(token) && !session.is_ended());
/// assert_eq!((session.generation(), session.lineages()), (0, 1));
/// ```
pub trait SessionState: Clone + Debug + Eq + Hash + Send + Sync {
    /// Returns the number of rotations. It may be cyclic, but differs before and after a rotation.
    fn generation(&self) -> u8;

    /// Returns whether a client with this token is up to date.
    fn is_current(&self, token: Token) -> bool;

    /// Returns whether the session has ended.
    fn is_ended(&self) -> bool;

    /// Returns how many tokens can be refreshed independently of each other.
    fn lineages(&self) -> usize {
        1
    }
}

/// A rotation rule.
///
/// # Examples
///
/// A rule without a grace window signs out a user with two tabs:
///
/// ```
/// use tower_jwt_auth_rotation_model::{
///     Extent, Finding, Rule, Scenario, SessionState, Stage, StepOutcome, Ticks, Token, Violation,
/// };
///
/// #[derive(Clone)]
/// struct NoGrace;
///
/// /// The current token, or `None` once the session has ended.
/// #[derive(Clone, Debug, PartialEq, Eq, Hash)]
/// struct Current(Option<Token>);
///
/// impl SessionState for Current {
///     fn generation(&self) -> u8 {
///         self.0.unwrap_or_default()
///     }
///
///     fn is_current(&self, token: Token) -> bool {
///         self.0 == Some(token)
///     }
///
///     fn is_ended(&self) -> bool {
///         self.0.is_none()
///     }
/// }
///
/// impl Rule for NoGrace {
///     type Session = Current;
///
///     fn start(&self) -> (Current, Token) {
///         (Current(Some(0)), 0)
///     }
///
///     fn step(&self, session: &mut Current, token: Token, _: Stage) -> StepOutcome {
///         if !session.is_current(token) {
///             session.0 = None;
///             return StepOutcome::Rejected;
///         }
///         session.0 = Some(token + 1);
///         StepOutcome::Answer(token + 1)
///     }
///
///     fn is_in_window(&self, _: &Current) -> bool {
///         false
///     }
///
///     fn advance_clock(&self, _: &mut Current, _: Ticks) {}
///
///     // The violation is found before the number of states matters.
///     fn normalize(&self, _: &mut Current, _: &mut [&mut Token]) {}
/// }
///
/// let Finding::Fails(found) = Scenario::Tabs.check(NoGrace, Extent::Small) else { unreachable!() };
/// assert_eq!(found.violation, Violation::SignedOut);
/// // Two tabs send the same token, and the store judges one request after the other.
/// assert_eq!(found.events.len(), 4);
/// ```
pub trait Rule: Send + Sync {
    /// The session that the store keeps.
    type Session: SessionState;

    /// Returns a new session and its first token.
    fn start(&self) -> (Self::Session, Token);

    /// Makes one call of the store for a request with this token. The call is atomic.
    fn step(&self, session: &mut Self::Session, token: Token, stage: Stage) -> StepOutcome;

    /// Returns whether a request with this token would be answered now.
    fn accepts(&self, session: &Self::Session, token: Token) -> bool {
        let (mut session, mut stage) = (session.clone(), Stage::Begin { attempts: 0 });
        loop {
            match self.step(&mut session, token, stage) {
                StepOutcome::Next(next) => stage = next,
                StepOutcome::Answer(_) | StepOutcome::Accepted => return true,
                StepOutcome::Rejected | StepOutcome::TryLater => return false,
            }
        }
    }

    /// Returns whether the session rotated less than the grace window ago.
    fn is_in_window(&self, session: &Self::Session) -> bool;

    /// Moves the store's clock by this much, which is negative if the clock is set back.
    fn advance_clock(&self, session: &mut Self::Session, ticks: Ticks);

    /// Returns whether every response must bring the current token.
    fn is_linear(&self) -> bool {
        true
    }

    /// Returns whether the checker continues from this session. Rules with unbounded sessions are cut off here.
    fn is_within_bounds(&self, _: &Self::Session) -> bool {
        true
    }

    /// Renumbers tokens, so that sessions that differ by the numbers alone become equal.
    fn normalize(&self, session: &mut Self::Session, tokens: &mut [&mut Token]);
}

use std::time::Duration;

/// How refresh tokens rotate.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_jwt_auth_core::RotationPolicy;
///
/// let policy = RotationPolicy::default()
///     .with_idle(Duration::from_secs(7 * 24 * 3600))
///     .with_absolute(Duration::from_secs(30 * 24 * 3600));
/// assert_eq!(policy.grace(), Duration::from_secs(10));
/// assert_eq!(policy.late_retries(), 1);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct RotationPolicy {
    grace: Duration,
    idle: Duration,
    absolute: Duration,
    late_retries: u32,
}

const DAY: Duration = Duration::from_secs(24 * 3600);

impl Default for RotationPolicy {
    /// A grace window of 10 seconds, 1 late retry, 30 days idle, 90 days at most.
    fn default() -> Self {
        Self { grace: Duration::from_secs(10), idle: 30 * DAY, absolute: 90 * DAY, late_retries: 1 }
    }
}

impl RotationPolicy {
    /// The default without late retries: once the grace window is over, a token of the generation before is
    /// reuse.
    ///
    /// A client that loses the answer to a refresh and comes back after the window is signed out.
    pub fn strict() -> Self {
        Self::default().with_late_retries(0)
    }

    /// Sets the grace window: how long after a rotation the session does not rotate again. Both the token of
    /// the current generation and the one before are answered with the current one in that time.
    ///
    /// A window of zero forgives nothing: every refresh rotates, and the token of the generation before is reuse
    /// at once, whatever [`with_late_retries`](Self::with_late_retries) says.
    pub fn with_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets how long a session lives without being refreshed.
    pub fn with_idle(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    /// Sets how long a session lives in any case.
    pub fn with_absolute(mut self, absolute: Duration) -> Self {
        self.absolute = absolute;
        self
    }

    /// Sets in how many generations running a late retry is granted: a refresh with the token of the generation
    /// before, after the grace window. One generation grants one at most.
    ///
    /// A client needs one when it loses an answer and comes back after the window. An application for bad
    /// networks may allow more. The price: a thief and the owner of a session, who refresh outside of each
    /// other's windows, are found out within `late_retries + 1` rotations after the theft.
    pub fn with_late_retries(mut self, late_retries: u32) -> Self {
        self.late_retries = late_retries;
        self
    }

    /// Returns how long after a rotation the session does not rotate again.
    pub fn grace(&self) -> Duration {
        self.grace
    }

    /// Returns how long a session lives without being refreshed.
    pub fn idle(&self) -> Duration {
        self.idle
    }

    /// Returns how long a session lives in any case.
    pub fn absolute(&self) -> Duration {
        self.absolute
    }

    /// Returns in how many generations running a late retry is granted; 0 without a grace window.
    pub fn late_retries(&self) -> u32 {
        if self.grace.is_zero() { 0 } else { self.late_retries }
    }
}

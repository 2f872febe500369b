use std::time::Duration;

/// How refresh tokens rotate and how long sessions live.
///
/// [`Session::evaluate`](crate::Session::evaluate) states the rule that these settings control.
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
    /// Returns a policy with a grace window of 10 seconds, 1 late retry, an idle lifetime of 30 days and an absolute
    /// lifetime of 90 days.
    fn default() -> Self {
        Self { grace: Duration::from_secs(10), idle: 30 * DAY, absolute: 90 * DAY, late_retries: 1 }
    }
}

impl RotationPolicy {
    /// Returns the default policy without late retries: after the grace window, a token of the previous generation is
    /// reuse.
    ///
    /// A client that loses the response to a refresh and returns after the window is signed out.
    pub fn strict() -> Self {
        Self::default().with_late_retries(0)
    }

    /// Sets the grace window: the time after a rotation in which the session does not rotate again. In this time the
    /// tokens of the current and of the previous generation are both answered with the current one.
    ///
    /// Without a window ([`Duration::ZERO`]) every refresh rotates, and a token of the previous generation is reuse at
    /// once, whatever [`with_late_retries`](Self::with_late_retries) allows.
    pub fn with_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets how long a session lives without a refresh.
    pub fn with_idle(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    /// Sets how long a session lives in total, however often it is refreshed.
    pub fn with_absolute(mut self, absolute: Duration) -> Self {
        self.absolute = absolute;
        self
    }

    /// Sets in how many consecutive generations a late retry is granted: a refresh with the token of the previous
    /// generation after the grace window. Each generation grants one at most.
    ///
    /// A client needs a late retry when it loses a response and returns after the window. An application for bad
    /// networks may allow more of them. The cost: when a thief and the owner of a session refresh outside of each
    /// other's windows, the theft is detected within `late_retries + 1` rotations after it.
    pub fn with_late_retries(mut self, late_retries: u32) -> Self {
        self.late_retries = late_retries;
        self
    }

    /// Returns the grace window: the time after a rotation in which the session does not rotate again.
    pub fn grace(&self) -> Duration {
        self.grace
    }

    /// Returns how long a session lives without a refresh.
    pub fn idle(&self) -> Duration {
        self.idle
    }

    /// Returns how long a session lives in total.
    pub fn absolute(&self) -> Duration {
        self.absolute
    }

    /// Returns in how many consecutive generations a late retry is granted. Returns 0 if there is no grace window.
    pub fn late_retries(&self) -> u32 {
        if self.grace.is_zero() { 0 } else { self.late_retries }
    }
}

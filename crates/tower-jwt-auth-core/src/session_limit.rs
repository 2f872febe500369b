/// The maximum number of live sessions of a subject.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::SessionLimit;
///
/// assert_eq!(SessionLimit::default().max(), Some(100));
/// assert_eq!(SessionLimit::none().max(), None);
/// assert_eq!(SessionLimit::end_oldest(5).max(), Some(5));
/// assert!(SessionLimit::reject_new(5).rejects_new());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct SessionLimit {
    max: Option<usize>,
    rejects_new: bool,
}

impl Default for SessionLimit {
    /// Returns a limit of 100 sessions that ends the oldest. Subjects that many clients share (a guest account, a job
    /// that signs in repeatedly) may need more.
    fn default() -> Self {
        Self::end_oldest(100)
    }
}

impl SessionLimit {
    /// The maximum number of sessions that one sign-in ends.
    pub const MAX_ENDED: usize = 100;

    /// Returns a limit that allows any number of sessions.
    pub const fn none() -> Self {
        Self { max: None, rejects_new: false }
    }

    /// Returns a limit of `max` sessions, at least the new one. A sign-in beyond it ends the oldest sessions.
    pub const fn end_oldest(max: usize) -> Self {
        Self { max: Some(max), rejects_new: false }
    }

    /// Returns a limit of `max` sessions. A sign-in beyond it is rejected.
    ///
    /// A session whose token was lost counts until its idle lifetime is over. Until then its owner cannot sign in,
    /// unless there is another session to end.
    pub const fn reject_new(max: usize) -> Self {
        Self { max: Some(max), rejects_new: true }
    }

    /// Returns the maximum number of live sessions, or `None` if there is no limit.
    pub const fn max(self) -> Option<usize> {
        self.max
    }

    /// Returns whether a sign-in beyond the limit is rejected. Otherwise it ends the oldest sessions.
    pub const fn rejects_new(self) -> bool {
        self.rejects_new
    }

    /// Returns the maximum number of live sessions that a store must count to decide about a sign-in.
    pub fn max_counted(self) -> usize {
        self.max.map_or(0, |max| max.saturating_add(Self::MAX_ENDED))
    }

    /// Returns by how many sessions a sign-in exceeds the limit if there are `live` sessions before it.
    ///
    /// If the result is not 0, the sign-in is rejected, or it ends that many of the oldest sessions, at most
    /// [`MAX_ENDED`](Self::MAX_ENDED).
    pub fn surplus(self, live: usize) -> usize {
        self.max.map_or(0, |max| live.saturating_add(1).saturating_sub(max))
    }
}

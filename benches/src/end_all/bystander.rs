use std::time::{Duration, Instant};

use tokio::time::sleep;
use tower_jwt_auth::Sessions;
use tower_jwt_auth_tests::Profile;

use crate::load::Load;
use crate::{BoxError, sample};

/// How long it is until the next one signs in.
const PAUSE: Duration = Duration::from_millis(5);

/// People who sign in one after the other, each of them once.
pub(super) struct Bystander {
    sessions: Sessions<Profile>,
    count: usize,
}

impl Bystander {
    pub(super) fn new(sessions: Sessions<Profile>) -> Self {
        Self { sessions, count: 0 }
    }

    /// Lets them sign in until this holds of the number of those who have.
    pub(super) async fn sign_in_until(
        &mut self,
        is_over: impl Fn(usize) -> bool,
    ) -> Result<Load, BoxError> {
        let begun = Instant::now();
        let mut steps = Vec::new();
        while !is_over(steps.len()) {
            sleep(PAUSE).await;
            let who = sample::sign_in(self.count);
            let started = Instant::now();
            let _tokens = self.sessions.start(who).await?;
            steps.push(u64::try_from(started.elapsed().as_nanos())?);
            self.count += 1;
        }
        Ok(Load::new(begun.elapsed(), steps))
    }
}

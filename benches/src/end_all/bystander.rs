use std::time::Duration;

use tower_jwt_auth::Sessions;
use tower_jwt_auth_tests::Profile;

use crate::load::Client;
use crate::{BoxError, sample};

/// A client that signs in another subject at each step.
pub(super) struct Bystander {
    sessions: Sessions<Profile>,
    sign_ins: usize,
}

impl Bystander {
    pub(super) fn new(sessions: Sessions<Profile>) -> Self {
        Self { sessions, sign_ins: 0 }
    }
}

impl Client for Bystander {
    const PAUSE: Duration = Duration::from_millis(5);

    async fn step(&mut self) -> Result<(), BoxError> {
        let sign_in = sample::sign_in(&sample::subject(self.sign_ins));
        self.sign_ins += 1;
        let _tokens = self.sessions.start(sign_in).await?;
        Ok(())
    }
}

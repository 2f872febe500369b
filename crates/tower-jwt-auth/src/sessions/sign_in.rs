use std::fmt;

use tower_jwt_auth_core::{ClientInfo, Timestamp};

/// Someone who has proved who they are: what a session is started with.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::sessions::ClientInfo;
/// use tower_jwt_auth::SignIn;
///
/// let who = SignIn::new("alice")
///     .with_scope("read write")
///     .with_client_info(ClientInfo::default().with_user_agent("Mozilla/5.0"));
/// ```
#[must_use]
pub struct SignIn<C = ()> {
    pub(super) subject: String,
    pub(super) claims: C,
    pub(super) scope: String,
    pub(super) client_id: Option<String>,
    pub(crate) client_info: ClientInfo,
    pub(super) auth_time: Option<Timestamp>,
    pub(super) replaced_tokens: Vec<String>,
}

impl SignIn {
    /// Creates the sign-in of this subject, without claims of the application.
    pub fn new(subject: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            claims: (),
            scope: String::new(),
            client_id: None,
            client_info: ClientInfo::default(),
            auth_time: None,
            replaced_tokens: Vec::new(),
        }
    }
}

impl<C> SignIn<C> {
    /// Sets the application's own claims. They go into every access token of the session, which its holder can read.
    pub fn with_claims<D>(self, claims: D) -> SignIn<D> {
        SignIn {
            subject: self.subject,
            claims,
            scope: self.scope,
            client_id: self.client_id,
            client_info: self.client_info,
            auth_time: self.auth_time,
            replaced_tokens: self.replaced_tokens,
        }
    }

    /// The scope, space-separated; none, unless set.
    pub fn with_scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = scope.into();
        self
    }

    /// The client that signs in; the issuer's default, unless set.
    pub fn with_client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = Some(client_id.into());
        self
    }

    /// Where the session is started from, for its owner to recognise it by.
    pub fn with_client_info(mut self, client_info: ClientInfo) -> Self {
        self.client_info = client_info;
        self
    }

    /// When the user proved who they are; now, unless set. A login elsewhere may have been earlier.
    /// A time in the future, as of a clock that is ahead, counts as now.
    pub fn with_auth_time(mut self, auth_time: Timestamp) -> Self {
        self.auth_time = Some(auth_time);
        self
    }

    /// A refresh token that came along; [`with_request`](Self::with_request) finds them. Its session ends, so that
    /// no session is left whose token nobody holds. One that is not valid is passed over. Several may be given, of
    /// which 50 at most are looked at.
    pub fn replacing_token(mut self, refresh_token: &str) -> Self {
        self.replaced_tokens.push(refresh_token.to_owned());
        self
    }
}

impl<C> fmt::Debug for SignIn<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignIn")
            .field("subject", &self.subject)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

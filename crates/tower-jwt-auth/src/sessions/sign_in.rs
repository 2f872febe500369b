use std::fmt;

use tower_jwt_auth_core::{ClientInfo, Timestamp};

/// A user who has authenticated. [`Sessions::start`](super::Sessions::start) starts a session for them.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::SignIn;
/// use tower_jwt_auth::sessions::ClientInfo;
///
/// let sign_in = SignIn::new("alice")
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
    ///
    /// A type that names registered claims, such as `sub`, to read them must not write them: give these fields
    /// `#[serde(skip_serializing)]`.
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

    /// Sets the scope: words separated by spaces (RFC 6749 §3.3). The default is an empty scope.
    pub fn with_scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = scope.into();
        self
    }

    /// Sets the id of the OAuth client that signs in, the `client_id` claim (RFC 9068 §2.2). The default is that of the
    /// issuer.
    pub fn with_client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = Some(client_id.into());
        self
    }

    /// Sets the user agent and the address of the client, by which the user can recognise the session.
    pub fn with_client_info(mut self, client_info: ClientInfo) -> Self {
        self.client_info = client_info;
        self
    }

    /// Sets the time at which the user authenticated, the `auth_time` claim (RFC 9068 §2.2.1). The default is now. An
    /// authentication by another service may have been earlier. A time in the future, from a clock that is ahead,
    /// counts as now.
    pub fn with_auth_time(mut self, auth_time: Timestamp) -> Self {
        self.auth_time = Some(auth_time);
        self
    }

    /// Adds a refresh token that the new session replaces. Its session ends, because the client loses that token.
    /// [`with_request`](Self::with_request) adds the tokens of a request.
    ///
    /// A token that is not valid is ignored. At most 50 sessions end.
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

/// The client that started a session, as text by which its owner recognizes the session. No decision depends on it.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::ClientInfo;
///
/// let client = ClientInfo::default().with_user_agent("Mozilla/5.0").with_address("192.0.2.7");
/// assert_eq!(client.user_agent(), Some("Mozilla/5.0"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ClientInfo {
    user_agent: Option<String>,
    address: Option<String>,
}

impl ClientInfo {
    /// The maximum length of a user agent or address in bytes. Longer texts are truncated.
    pub const MAX_LENGTH: usize = 512;

    /// Sets the client's `User-Agent` (RFC 9110 §10.1.5).
    #[must_use]
    pub fn with_user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = Some(truncate(user_agent.into()));
        self
    }

    /// Sets the client's address as the application sees it.
    #[must_use]
    pub fn with_address(mut self, address: impl Into<String>) -> Self {
        self.address = Some(truncate(address.into()));
        self
    }

    /// Returns the client's `User-Agent` (RFC 9110 §10.1.5).
    pub fn user_agent(&self) -> Option<&str> {
        self.user_agent.as_deref()
    }

    /// Returns the client's address.
    pub fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }
}

/// Truncates a text at a character boundary.
fn truncate(mut text: String) -> String {
    let mut end = text.len().min(ClientInfo::MAX_LENGTH);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_truncated_at_a_character() {
        let client = ClientInfo::default().with_user_agent("é".repeat(400));
        assert_eq!(client.user_agent().map(str::len), Some(512));
    }
}

//! The origin of a request.

use serde::{Deserialize, Serialize};

/// The origin of a request, for the list of a user's sessions and for events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Client {
    /// The client's address, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The `User-Agent` (RFC 9110 section 10.1.5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
}

impl Client {
    /// The maximum length of an address, in characters; a longer one is cut.
    pub const MAX_ADDRESS: usize = 45;
    /// The maximum length of a user agent, in characters; a longer one is cut.
    pub const MAX_USER_AGENT: usize = 255;

    /// Creates a client. Values that are too long are cut, and control characters removed.
    pub fn new(address: Option<&str>, user_agent: Option<&str>) -> Self {
        let cut = |text: &str, longest: usize| -> Option<String> {
            let text: String = text.chars().filter(|c| !c.is_control()).take(longest).collect();
            (!text.is_empty()).then_some(text)
        };
        Self {
            address: address.and_then(|text| cut(text, Self::MAX_ADDRESS)),
            user_agent: user_agent.and_then(|text| cut(text, Self::MAX_USER_AGENT)),
        }
    }
}

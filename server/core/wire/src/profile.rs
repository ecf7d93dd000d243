//! People as clients show them.

use ident::UserId;
use serde::{Deserialize, Serialize};

use crate::field::absent;

/// Names and picture of a user that some node of the map belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UserProfile {
    #[serde(rename = "ID")]
    pub id: UserId,
    /// Like an e-mail address.
    #[serde(default)]
    pub login_name: String,
    #[serde(default)]
    pub display_name: String,
    /// Absolute, or empty.
    #[serde(rename = "ProfilePicURL", default, skip_serializing_if = "absent")]
    pub profile_pic_url: String,
}

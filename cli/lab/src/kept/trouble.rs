//! Why a lab cannot be built, used or removed, and what to do.

use std::path::PathBuf;

use thiserror::Error;

/// What stands in the way.
#[derive(Debug, Error)]
pub enum Trouble {
    /// The machine lacks something.
    #[error("{0}")]
    Machine(String),
    /// No official client was found.
    #[error("{0}")]
    Clients(String),
    #[error("lab {0} is up already")]
    Taken(String),
    #[error("there is no lab {0}")]
    None(String),
    #[error("lab {0} was begun and never finished")]
    Half(String),
    #[error("lab {0} is dead: its hosts have ended")]
    Dead(String),
    #[error("another meshctl works on lab {0}")]
    Busy(String),
    #[error("{} is no lab of meshctl, and was not touched", .0.display())]
    Foreign(PathBuf),
}

impl Trouble {
    /// One line: what to do next.
    pub fn hint(&self) -> String {
        match self {
            Self::Machine(_) => {
                "run it as root on Linux, with the Debian packages named above installed; in a \
                container, with /dev/net/tun and CAP_SYS_ADMIN"
                    .into()
            }
            Self::Clients(_) => "`tests/clients/go/build` builds both; or name yours with --tailscaled PATH \
                --tailscale PATH"
                .into(),
            Self::Taken(name) => {
                format!("use it with `meshctl lab test --name {name}`, or choose another --name")
            }
            Self::None(name) => format!("`meshctl lab up --name {name}` builds it"),
            Self::Half(name) | Self::Dead(name) => {
                format!("`meshctl lab down --name {name}` removes what is left of it")
            }
            Self::Busy(_) => "wait until it is done, or end it; then try again".into(),
            Self::Foreign(_) => "choose another --name or --dir, or look what it is".into(),
        }
    }
}

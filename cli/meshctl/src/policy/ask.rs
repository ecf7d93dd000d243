//! What questions about policies are asked of: texts, and the devices that there are.

mod excerpt;
mod snapshot;

use std::{
    path::{Path, PathBuf},
    str::FromStr,
};

use api::policy::{GET, VERSION};
use policy::{Document, MAX_BYTES, PolicyErrors};

use crate::talk::{Context, Failure, read_text_within};

pub use excerpt::excerpt;
pub use snapshot::{Nodes, devices};

/// Where a policy's text comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// The policy in force.
    Live,
    /// One that was in force.
    Version(u64),
    /// A file, `-` for standard input.
    File(PathBuf),
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("version:") {
            Some(number) => number.parse().map(Self::Version).map_err(|_| {
                "a version is written version:3; `meshctl policy history` shows them".to_owned()
            }),
            None if text == "live" => Ok(Self::Live),
            None => Ok(Self::File(text.into())),
        }
    }
}

impl Source {
    /// Whether it comes from a server.
    pub fn is_live(&self) -> bool {
        !matches!(self, Self::File(_))
    }

    /// What to call it.
    pub fn name(&self) -> String {
        match self {
            Self::Live => "the policy in force".to_owned(),
            Self::Version(number) => format!("version {number}"),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// The text.
    pub async fn text(&self, context: &Context) -> Result<String, Failure> {
        match self {
            Self::Live => Ok(context.read(&GET, &[], &()).await?.policy),
            Self::Version(number) => Ok(context.read(&VERSION, &[&number.to_string()], &()).await?.policy),
            Self::File(path) => read(path),
        }
    }

    /// The policy; one that was never set denies everything.
    pub async fn document(&self, context: &Context) -> Result<Document, Failure> {
        let text = self.text(context).await?;
        let text = if text.is_empty() && self.is_live() { "{}".to_owned() } else { text };
        Document::parse(&text).map_err(|errors| mistaken(&self.name(), &text, &errors))
    }
}

/// A policy's text.
pub fn read(path: &Path) -> Result<String, Failure> {
    read_text_within(path, MAX_BYTES as u64 * 64)
}

/// A policy that cannot be asked anything.
pub fn mistaken(name: &str, text: &str, errors: &PolicyErrors) -> Failure {
    let failure = Failure::failed(format!("{name} is no policy")).code("policy_invalid");
    errors.iter().take(20).fold(failure, |failure, error| {
        let words = excerpt(name, text, error).replace('\n', "\n  ").trim_end().to_owned();
        let value = serde_json::json!({
            "line": error.line, "column": error.column, "message": error.message, "hint": error.hint,
        });
        failure.place(words, value)
    })
}

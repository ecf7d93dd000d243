//! What a verb answers: one value, shown as JSON or as words.

use api::Changed;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Context, Exit, Failure, Screen};

/// Words for people, from the same value that becomes JSON.
pub trait Render {
    /// The words, with a line feed behind the last.
    fn render(&self, screen: &Screen) -> String;
}

/// What a verb answers.
pub struct Answer {
    pub(super) json: Value,
    pub(super) text: String,
    /// How the program ends.
    pub exit: Exit,
}

impl Answer {
    /// This value; JSON says as well which server and tailnet it came from.
    pub fn of<T: Serialize + Render>(context: &Context, value: &T) -> Result<Self, Failure> {
        let body = serde_json::to_value(value).map_err(|e| Failure::failed(e.to_string()))?;
        let mut json = Map::new();
        if let Some(target) = context.target() {
            json.insert("server".into(), serde_json::json!(target.origin()));
            json.insert("tailnet".into(), target.tailnet.clone().into());
        }
        match body {
            Value::Object(members) => json.extend(members),
            other => _ = json.insert("answer".into(), other),
        }
        Ok(Self { json: Value::Object(json), text: value.render(context.screen()), exit: Exit::Ok })
    }
    /// A value in the form of another program, which must not meet members of ours: the same in words and as JSON.
    pub fn foreign(value: Value) -> Self {
        let text = format!("{value:#}\n");
        Self { json: value, text, exit: Exit::Ok }
    }
    /// Nothing more to say.
    pub fn silent() -> Self {
        Self { json: Value::Null, text: String::new(), exit: Exit::Ok }
    }
    /// The same with another end.
    pub fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }
}

/// What a verb does, in words.
pub struct Deed {
    /// `create`.
    pub verb: &'static str,
    /// `created`.
    pub past: &'static str,
    /// `user alice`.
    pub thing: String,
}

/// A change with its words.
#[derive(Serialize)]
pub struct Done<T> {
    #[serde(flatten)]
    change: Changed<T>,
    #[serde(skip)]
    deed: Deed,
}

impl<T> Done<T> {
    /// This change was this deed.
    pub fn new(change: Changed<T>, verb: &'static str, past: &'static str, thing: String) -> Self {
        Self { change, deed: Deed { verb, past, thing } }
    }
}

impl<T> Render for Done<T> {
    fn render(&self, _: &Screen) -> String {
        self.deed.sentence(self.change.changed, self.change.check)
    }
}

impl Deed {
    /// One line about what was done, would be done or need not be done.
    pub fn sentence(&self, changed: bool, check: bool) -> String {
        let Deed { verb, past, thing } = self;
        match (changed, check) {
            (true, false) => format!("{past} {thing}\n"),
            (true, true) => format!("would {verb} {thing}\n"),
            (false, _) => format!("nothing to change: {thing}\n"),
        }
    }
}

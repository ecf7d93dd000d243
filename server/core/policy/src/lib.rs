//! The access policy: what it says, and who may see, reach, tag and route what.
//!
//! Enters: the policy's text (HuJSON) and, per node, a [`Subject`]. Leaves: a [`Policy`], its [`Compiled`] form and answers; for
//! questions about a whole tailnet a [`Document`] and what it tells every node of a [`Roster`].
//! Must not know: storage, sockets, the wire's JSON, which nodes exist. The same input gives the same output.

mod alias;
mod answer;
mod ask;
mod compiled;
mod destination;
mod error;
mod likeness;
mod parse;
mod policy;
mod port;
mod posture;
mod protocol;
mod source;
mod subject;

pub use answer::{
    CapGrant, CaseAnswer, Device, Document, FilterRule, MAX_CASE_BYTES, MAX_CASE_NODES, Peer, Person,
    PortSpan, Reached, RecordingFailure, Roster, SshAction, SshPrincipal, SshRecording, SshRule, View,
    answer_case,
};
pub use ask::{
    Admission, Cell, Difference, Explanation, Kind, MOST_PAIRS, MOST_ROWS, Matrix, Near, Question, Row, Said,
    Shift, Side, TooLarge, Whose,
};
pub use compiled::{
    Access, Badge, Compiled, LOGIN_CHECK, Login, NOT_RECORDED, NextDns, RECORDER_PORT, RECORDING_STOPPED,
    Reach, ReachLine, ReachedLine, Rule, SUGGEST_EXIT_NODE, Signature,
};
pub use destination::{Destination, Target, internet};
pub use error::{PolicyError, PolicyErrors};
pub use likeness::Standing;
pub use policy::{MAX_BYTES, MAX_DEPTH, MAX_RULES, Policy, Relaying};
pub use port::PortRange;
pub use posture::Traits;
pub use source::{SourceRange, SourceSet};
pub use subject::Subject;

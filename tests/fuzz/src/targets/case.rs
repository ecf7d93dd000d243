//! Lines of `policy compile --cases`.

use std::{fs, path::Path};

use serde_json::Value;

use super::{Outcome, Target, law};
use crate::{Dice, mutate, pool::Pool};

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../policy/corpus");
const WORDS: [&str; 22] = [
    "id",
    "users",
    "nodes",
    "policy",
    "name",
    "email",
    "roles",
    "hostname",
    "tags",
    "user",
    "ipv4",
    "ipv6",
    "approved_routes",
    "tag:web",
    "odin",
    "100.64.0.1",
    "fd7a:115c:a1e0::1",
    "10.0.0.0/8",
    "0.0.0.0/0",
    "::/0",
    "*",
    "",
];

pub struct Cases;

/// Cases of the corpus without their answers, at most so many bytes each.
pub(super) fn corpus(most_bytes: usize) -> Vec<Value> {
    let mut cases = Vec::new();
    let mut files: Vec<_> =
        fs::read_dir(Path::new(CORPUS)).into_iter().flatten().flatten().map(|e| e.path()).collect();
    files.sort();
    for path in files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "jsonl")) {
        for line in fs::read_to_string(path).unwrap_or_default().lines() {
            let Ok(Value::Object(mut case)) = serde_json::from_str(line) else { continue };
            for answer in ["expect", "error", "accepted", "description", "tailnet"] {
                case.remove(answer);
            }
            let case = Value::Object(case);
            cases.extend((case.to_string().len() <= most_bytes).then_some(case));
        }
    }
    cases
}

impl Target for Cases {
    fn name(&self) -> &'static str {
        "case"
    }
    fn about(&self) -> &'static str {
        "lines of `policy compile --cases`: people, nodes and a policy"
    }
    fn weight(&self) -> u32 {
        2
    }
    fn seeds(&self) -> Vec<Vec<u8>> {
        corpus(6 << 10).iter().step_by(7).map(|case| case.to_string().into_bytes()).collect()
    }
    fn next(&self, pool: &Pool, dice: &mut Dice) -> Vec<u8> {
        let parse = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).ok();
        let (parent, donor) = (parse(pool.pick(dice)), parse(pool.pick(dice)));
        match parent {
            Some(parent) if !dice.once_in(8) => {
                mutate::altered(parent, &donor.unwrap_or_default(), &WORDS, dice).to_string().into_bytes()
            }
            _ => mutate::damaged(pool, dice),
        }
    }
    fn run(&self, input: &[u8]) -> Result<Outcome, String> {
        let line = String::from_utf8_lossy(input);
        let answer = policy::answer_case(&line);
        law(answer.accepted == answer.error.is_empty(), || format!("accepted with {:?}", answer.error))?;
        law(answer.accepted || answer.nodes.is_empty(), || "refused, with an answer".to_owned())?;
        let said = serde_json::to_string(&answer).map_err(|error| error.to_string())?;
        law(!said.contains('\n'), || "the answer is not one line".to_owned())?;
        let id = serde_json::from_str::<Value>(&line)
            .ok()
            .and_then(|case| Some(case.get("id")?.as_str()?.to_owned()));
        law(id.is_none_or(|id| id == answer.id), || format!("the id became {:?}", answer.id))?;
        Ok(Outcome::of((answer.accepted, shape(&answer.error), answer.nodes.len().min(3))))
    }
}

/// A message without what it says about this input.
pub(super) fn shape(message: &str) -> String {
    let mut quoted = false;
    let plain = message.chars().filter(|c| {
        quoted ^= *c == '"';
        !quoted && !c.is_ascii_digit()
    });
    plain.take(120).collect()
}

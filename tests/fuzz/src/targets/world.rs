//! Histories: a line is what somebody says, from requests of devices to an operator's wishes.
//!
//! `r3 BODY` and `m3 BODY` are requests of machine 3; `c NODE` ends a stream, `q NODE no` leaves a question
//! unanswered, `t SECONDS` lets time pass; `n NODE NAME`,
//! `g NODE TAG`, `a NODE ROUTE`, `x NODE`, `e NODE`, `u LOGIN`, `p POLICY` are wishes of an operator.

mod laws;
mod tailnet;

use serde_json::Value;

use super::{Outcome, Target, bodies};
use crate::{Dice, mutate, pool::Pool};

pub(super) use tailnet::{Tailnet, context};

pub struct Worlds;

const MOST_LINES: usize = 40;
const WISHES: [&str; 24] = [
    "c 1",
    "c 2",
    "q 1 no",
    "q 2 yes",
    "t 1",
    "t 11",
    "t 2000",
    "t 999999999",
    "n 1 web",
    "n 2 web-1",
    "n 2 Web",
    "g 1 tag:b",
    "g 2 tag:none",
    "a 1 10.1.0.0/16",
    "a 2 0.0.0.0/0",
    "a 2 10.0.0.0/8",
    "x 1",
    "e 2",
    "u alice@example.com",
    "p 0",
    "p 1",
    "p 2",
    "p 3",
    "x 9",
];

impl Target for Worlds {
    fn name(&self) -> &'static str {
        "world"
    }
    fn about(&self) -> &'static str {
        "histories of requests and wishes through `decide` and `apply`, and the maps that come of them"
    }
    fn weight(&self) -> u32 {
        4
    }
    fn longest(&self) -> usize {
        48 << 10
    }
    fn seeds(&self) -> Vec<Vec<u8>> {
        let [join, route, stream, lite, leave] = bodies::SEEDS;
        let joined = format!(
            "p 1\nr1 {join}\nr2 {route}\nm1 {stream}\nm1 {lite}\nt 5\nc 1\nt 11\nr1 {join}\nr1 {leave}"
        );
        let routed = format!(
            "p 1\nr2 {route}\na 1 10.1.0.0/16\na 1 0.0.0.0/0\nr3 {route}\np 2\ng 1 tag:a\nx 1\nt 4000"
        );
        let mut seeds = vec![joined.into_bytes(), routed.into_bytes(), WISHES.join("\n").into_bytes()];
        seeds
            .extend(bodies::SEEDS.iter().map(|body| format!("r1 {join}\nr1 {body}\nm1 {body}").into_bytes()));
        seeds
    }
    fn next(&self, pool: &Pool, dice: &mut Dice) -> Vec<u8> {
        mutate::rearranged(pool, dice, MOST_LINES, |line, dice| match line.split_once(' ') {
            Some((who, body)) if body.starts_with('{') => {
                let donor = dice.pick(&bodies::SEEDS).and_then(|seed| serde_json::from_str(seed).ok());
                let who = if dice.once_in(3) {
                    format!("{}{}", ["r", "m"][dice.below(2)], dice.below(5))
                } else {
                    who.to_owned()
                };
                match serde_json::from_str::<Value>(body) {
                    Ok(body) if !dice.once_in(3) => {
                        format!(
                            "{who} {}",
                            mutate::altered(body, &donor.unwrap_or_default(), &bodies::WORDS, dice)
                        )
                    }
                    _ => format!("{who} {body}"),
                }
            }
            Some(_) if !dice.once_in(3) => mutate::respelled(line, &WISHES, dice),
            _ => dice.pick(&WISHES).copied().unwrap_or_default().to_owned(),
        })
    }
    fn run(&self, input: &[u8]) -> Result<Outcome, String> {
        let mut tailnet = Tailnet::begun()?;
        let mut answers = Vec::new();
        for line in String::from_utf8_lossy(input).lines().take(MOST_LINES) {
            answers.extend(tailnet.hear(line)?);
        }
        laws::maps(&tailnet)?;
        laws::reload(&tailnet)?;
        answers.sort();
        answers.dedup();
        Ok(Outcome::of((answers, tailnet.world.nodes.len().min(4), tailnet.world.classes.len().min(4))))
    }
}

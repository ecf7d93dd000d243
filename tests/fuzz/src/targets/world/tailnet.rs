//! A tailnet that hears what devices and operators say, as the doors of a server would put it.

use std::{collections::BTreeSet, sync::Arc};

use ident::{AuthKeyId, MachineKey, NodeId, NodeKey};
use jiff::{SignedDuration, Timestamp};
use wire::{Hostinfo, MapRequest, RegisterRequest};
use world::{
    Command, Context, Draft, DurableEvent, KeyDefaults, KeyProof, NodeReport, NonEmpty, Prepared,
    Registration, Role, Settings, Verifier, World,
};

use crate::targets::law;

const POLICIES: [&str; 4] = [
    r#"{"tagOwners":{"tag:a":[],"tag:b":[]},"acls":[{"action":"accept","src":["tag:a"],"dst":["tag:b:22"]}]}"#,
    r#"{"tagOwners":{"tag:a":[],"tag:b":[]},"acls":[{"action":"accept","src":["*"],"dst":["*:*"]}]}"#,
    r#"{"tagOwners":{"tag:a":[],"tag:b":[]},"acls":[{"action":"accept","src":["tag:b"],"dst":["10.0.0.0/8:*"]}],
        "autoApprovers":{"routes":{"10.0.0.0/8":["tag:b"]},"exitNode":["tag:b"]}}"#,
    r#"{"tagOwners":{"tag:a":[]},"grants":[{"src":["tag:a","100.64.0.0/10"],"dst":["*"],"ip":["tcp:22"]}]}"#,
];

/// Its World, and the time.
pub struct Tailnet {
    pub world: World,
    pub now: Timestamp,
    streams: u64,
}

impl Tailnet {
    /// With two roles and their keys: `key-1` for tag:a pays once, `key-2` for tag:b as often as it is shown.
    pub fn begun() -> Result<Self, String> {
        let world = World::empty(Settings::default());
        let mut tailnet = Self { world, now: "2026-01-01T00:00:00Z".parse().unwrap_or_default(), streams: 0 };
        tailnet.wish(&policy(0)?)?;
        for (n, tag, reusable) in [(1, "tag:a", false), (2, "tag:b", true)] {
            let tags = tag.parse().ok().and_then(|tag| NonEmpty::new(vec![tag])).ok_or("no tag")?;
            let key =
                KeyDefaults { expiry_seconds: 86_400, reusable, ephemeral: false, node_expiry_seconds: None };
            tailnet.wish(&Command::SetRole {
                role: Role { name: format!("role-{n}"), tags, description: String::new(), key },
            })?;
            tailnet.wish(&Command::CreateAuthKey {
                role: format!("role-{n}"),
                user: None,
                verifier: verifier(n),
                expires: None,
                reusable: None,
                ephemeral: None,
                allow_no_access: true,
            })?;
        }
        Ok(tailnet)
    }

    /// A device of this machine joins with the key that may be used again.
    pub fn join(&mut self, machine: u8, hostinfo: Arc<Hostinfo>) -> Result<(), String> {
        let node_key = NodeKey::from_bytes([machine.max(1); 32]).map_err(|error| error.to_string())?;
        let command = Command::Register(Registration {
            machine: machine_key(machine)?,
            node_key,
            old_node_key: None,
            proof: proof("key-2"),
            hostinfo,
            ephemeral: false,
            expiry: None,
            capver: 130,
        });
        self.wish(&command).map(drop)
    }

    /// What came of a line: the code of a refusal or a word; an error is a broken law.
    pub fn hear(&mut self, line: &str) -> Result<Vec<String>, String> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (object, value) = rest.split_once(' ').unwrap_or((rest, ""));
        let node = || object.parse::<NodeId>().ok();
        let command = match verb.split_at_checked(1) {
            Some(("r", machine)) => self.registration(machine, rest)?,
            Some(("m", machine)) => return self.map_request(machine, rest),
            Some(("t", "")) => {
                let later = object
                    .parse()
                    .ok()
                    .and_then(|s: u32| self.now.checked_add(SignedDuration::from_secs(s.into())).ok());
                self.now = later.unwrap_or(self.now);
                Some(Command::Tick)
            }
            Some(("c", "")) => {
                node().map(|node| Command::StreamClosed { node, instance: 1, epoch: self.streams })
            }
            Some(("q", "")) => node().map(|node| Command::Questioned {
                node,
                instance: 1,
                epoch: self.streams,
                answered: value == "yes",
            }),
            Some(("n", "")) => node().map(|id| Command::RenameNode { id, name: value.to_owned() }),
            Some(("g", "")) => node().map(|id| Command::TagNode {
                id,
                tags: value.split(',').filter_map(|tag| tag.parse().ok()).collect(),
            }),
            Some(("a", "")) => {
                let routes: BTreeSet<_> = value.split(',').filter_map(|route| route.parse().ok()).collect();
                node().map(|id| Command::ApproveRoutes { id, routes })
            }
            Some(("x", "")) => node().map(|id| Command::DeleteNode { id }),
            Some(("e", "")) => node().map(|id| Command::ExpireNode { id }),
            Some(("u", "")) => {
                Some(Command::CreateUser { login: rest.to_owned(), display_name: rest.to_owned() })
            }
            Some(("p", "")) => Some(policy(object.parse().unwrap_or_default())?),
            _ => None,
        };
        match command {
            Some(command) => Ok(vec![self.wish(&command)?]),
            None => Ok(Vec::new()),
        }
    }

    fn registration(&self, machine: &str, body: &str) -> Result<Option<Command>, String> {
        let Ok(request) = wire::decode::<RegisterRequest>(body.as_bytes()) else { return Ok(None) };
        let (machine, Some(node_key)) = (machine_key(machine.parse().unwrap_or(1))?, request.node_key) else {
            return Ok(None);
        };
        if request.expiry.is_some_and(|at| at <= self.now) {
            return Ok(Some(Command::Logout { machine, node_key }));
        }
        Ok(Some(Command::Register(Registration {
            machine,
            node_key,
            old_node_key: request.old_node_key,
            proof: request.auth.and_then(|auth| proof(auth.auth_key?.expose())),
            hostinfo: lasting(request.hostinfo.unwrap_or_default()),
            ephemeral: request.ephemeral,
            expiry: request.expiry,
            capver: request.version.0.min(u32::from(u16::MAX)),
        })))
    }

    fn map_request(&mut self, machine: &str, body: &str) -> Result<Vec<String>, String> {
        let Ok(request) = wire::decode::<MapRequest>(body.as_bytes()) else { return Ok(Vec::new()) };
        let (machine, Some(node_key)) = (machine_key(machine.parse().unwrap_or(1))?, request.node_key) else {
            return Ok(Vec::new());
        };
        let (hostinfo, lite) = (request.hostinfo.clone(), request.is_lite());
        let home = hostinfo.as_ref().and_then(|host| host.net_info.as_ref()).map(|net| net.preferred_derp);
        let mut endpoints = request.endpoints();
        endpoints.sort();
        endpoints.dedup();
        let report = Command::Report(NodeReport {
            machine,
            node_key,
            hostinfo: hostinfo.filter(|_| lite).map(lasting),
            endpoints: lite.then_some(endpoints),
            disco: request.disco_key,
            home_derp: home.and_then(|home| u16::try_from(home).ok()),
            capver: request.version.0.min(u32::from(u16::MAX)),
        });
        let mut answers = vec![self.wish(&report)?];
        let own = self.world.nodes.by_node_key(&node_key).filter(|node| node.machine == machine);
        if let Some(node) = own.filter(|_| request.stream).map(|node| node.id) {
            self.streams += 1;
            answers.push(self.wish(&Command::StreamOpened { node, instance: 1, epoch: self.streams })?);
        }
        Ok(answers)
    }

    /// Decides and applies; a refusal must leave everything as it was, and the laws of the World hold after every step.
    fn wish(&mut self, command: &Command) -> Result<String, String> {
        let mut draft = Draft::new(&self.world);
        let answer = match draft.step(command, context(self.now)) {
            Err(refusal) => {
                law(draft.changes.is_empty(), || format!("a refused {command:?} changed something"))?;
                return Ok(refusal.code().to_owned());
            }
            Ok(step) => {
                for event in step.durable() {
                    let json =
                        serde_json::to_string(event).map_err(|error| format!("cannot be stored: {error}"))?;
                    let again: DurableEvent = serde_json::from_str(&json)
                        .map_err(|error| format!("stops a boot: {error} in {json}"))?;
                    let back = serde_json::to_string(&again).map_err(|error| error.to_string())?;
                    law(back == json, || format!("{json} is read back as {back}"))?;
                }
                format!("{:?}", std::mem::discriminant(&step.answer))
            }
        };
        draft.world.check_invariants()?;
        self.world = draft.world;
        Ok(answer)
    }
}

pub(in crate::targets) fn context(now: Timestamp) -> Context {
    Context { now, rng: now.as_second().unsigned_abs() }
}

fn policy(number: usize) -> Result<Command, String> {
    let text = POLICIES[number % POLICIES.len()];
    Ok(Command::SetPolicy { prepared: Prepared::parse(text).map_err(|errors| errors.to_string())? })
}

fn machine_key(number: u8) -> Result<MachineKey, String> {
    MachineKey::from_bytes([number % 5 + 1; 32]).map_err(|error| error.to_string())
}

fn verifier(number: u8) -> Verifier {
    Verifier { pepper: 1, digest: [number; 32] }
}

/// `key-2` is a key that exists; `key-200` one that does not.
fn proof(text: &str) -> Option<KeyProof> {
    let number: u8 = text.strip_prefix("key-")?.parse().ok()?;
    Some(KeyProof { id: AuthKeyId::new(number.into()).ok()?, verifier: verifier(number) })
}

/// As the server keeps it.
fn lasting(hostinfo: Hostinfo) -> Arc<Hostinfo> {
    Arc::new(Hostinfo { net_info: None, ..hostinfo.sanitised() })
}

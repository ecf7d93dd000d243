//! Names, as a host's client answers them.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::{Bench, DOMAIN};
use crate::patience::until;

/// Where a client answers its own machine.
const RESOLVER: (Ipv4Addr, u16) = (Ipv4Addr::new(100, 100, 100, 100), 53);
const PATIENCE: Duration = Duration::from_secs(3);
pub const NO_ERROR: u8 = 0;
pub const NO_SUCH_NAME: u8 = 3;
/// What follows a name in an answer: type A, class IN, four bytes of lifetime, two of length, four of address.
const RECORD: usize = 14;

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub code: u8,
    pub addresses: Vec<Ipv4Addr>,
    pub took: Duration,
}

impl Bench<'_> {
    /// What the client on `host` answers to the name of a node.
    pub(crate) fn ask(&self, host: &str, name: &str) -> Result<Found> {
        let socket = self.host(host)?.in_network(|| UdpSocket::bind("0.0.0.0:0"))??;
        socket.set_read_timeout(Some(PATIENCE))?;
        let question = question(&format!("{name}.{DOMAIN}"));
        let (begun, mut answer) = (Instant::now(), [0; 1500]);
        socket.send_to(&question, RESOLVER)?;
        let length = socket.recv(&mut answer).with_context(|| format!("{host} has no answer for {name}"))?;
        let took = begun.elapsed();
        let (code, addresses) = parse(&answer[..length], &question)?;
        Ok(Found { code, addresses, took })
    }

    /// Waits until the client on `host` answers so; how long that took.
    pub(crate) fn await_name(
        &self,
        host: &str,
        name: &str,
        address: Option<Ipv4Addr>,
        limit: Duration,
    ) -> Result<Duration> {
        let begun = Instant::now();
        let wanted = (if address.is_some() { NO_ERROR } else { NO_SUCH_NAME }, Vec::from_iter(address));
        until(limit, &format!("{host} to find {wanted:?} for {name}"), || {
            let found = self.ask(host, name)?;
            ensure!((found.code, &found.addresses) == (wanted.0, &wanted.1), "{name} is {found:?}");
            Ok(Some(begun.elapsed()))
        })
    }

    /// The address that programs on `host` get for a name, by the system's own way.
    pub(crate) fn look_up(&self, host: &str, name: &str) -> Result<Ipv4Addr> {
        let found = self.host(host)?.exec(&["getent", "ahostsv4", name])?.stdout;
        let first = found.split_whitespace().next().with_context(|| format!("{host} finds no {name}"))?;
        Ok(first.parse()?)
    }

    /// Puts a name into the domain of the mesh; who learns it holds a new map.
    pub(crate) fn announce(&self, name: &str, address: Ipv4Addr) -> Result<()> {
        self.server.meshctl(&["dns", "record", "set", name, &address.to_string()]).map(drop)
    }

    /// Takes such a name away.
    pub(crate) fn withdraw(&self, name: &str) -> Result<()> {
        self.server.meshctl(&["dns", "record", "delete", name]).map(drop)
    }
}

/// A question for the IPv4 addresses of a name.
fn question(name: &str) -> Vec<u8> {
    let mut packet = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        packet.push(u8::try_from(label.len()).unwrap_or(63));
        packet.extend_from_slice(label.as_bytes());
    }
    packet.extend_from_slice(&[0, 0, 1, 0, 1]);
    packet
}

/// The code, and the addresses when the answer is nothing but addresses.
fn parse(answer: &[u8], question: &[u8]) -> Result<(u8, Vec<Ipv4Addr>)> {
    ensure!(answer.len() >= question.len() && answer[..2] == question[..2], "no answer to this question");
    let (mut addresses, mut rest) = (Vec::new(), &answer[question.len()..]);
    for _ in 0..u16::from_be_bytes([answer[6], answer[7]]) {
        // each begins with a name, whole or as a reference to the question's
        let is_reference = rest.first().is_some_and(|byte| byte & 0xc0 == 0xc0);
        let name = if is_reference { Some(2) } else { rest.iter().position(|b| *b == 0).map(|end| end + 1) };
        let record =
            name.and_then(|end| rest.get(end..)).filter(|r| r.len() >= RECORD && r[..4] == [0, 1, 0, 1]);
        let record = record.context("an answer that is no address")?;
        addresses.push(Ipv4Addr::new(record[10], record[11], record[12], record[13]));
        rest = &record[RECORD..];
    }
    Ok((answer[3] & 15, addresses))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses_and_codes() {
        let asked = question("a.test");
        let mut answer = asked.clone();
        answer[3] = 0x80;
        answer[7] = 1;
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 100, 64, 0, 7]);
        assert_eq!(parse(&answer, &asked).unwrap(), (0, vec![Ipv4Addr::new(100, 64, 0, 7)]));
        assert!(parse(&answer[..answer.len() - 1], &asked).is_err(), "cut");
        let mut none = asked.clone();
        none[3] = 0x83;
        assert_eq!(parse(&none, &asked).unwrap(), (3, vec![]));
        assert!(parse(&[], &asked).is_err());
    }
}

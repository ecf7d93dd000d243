//! One request over HTTP, from a host.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};

use super::Bench;

const PATIENCE: Duration = Duration::from_secs(5);
const LONGEST: u64 = 1 << 20;

impl Bench<'_> {
    /// The answer to `GET /` at `address`, asked under `name`, headers and all. An error when nobody answers.
    pub(crate) fn get(&self, from: &str, address: Ipv4Addr, name: &str) -> Result<String> {
        let request = format!("GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n");
        self.host(from)?
            .in_network(|| exchange((address, 80).into(), request.as_bytes()))?
            .with_context(|| format!("{from} gets nothing from http://{address}"))
    }

    /// True when nobody takes a connection from this host to port 80 there.
    pub(crate) fn is_closed(&self, from: &str, address: Ipv4Addr) -> Result<bool> {
        let address = (address, 80).into();
        let tried = self.host(from)?.in_network(|| TcpStream::connect_timeout(&address, PATIENCE / 2))?;
        Ok(tried.is_err())
    }
}

fn exchange(address: SocketAddr, request: &[u8]) -> Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request)?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

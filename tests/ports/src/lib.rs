//! Addresses on loopback for servers that tests start, which no other test takes in the meantime.
//!
//! To bind port 0, look and let go is a race: until the server binds it, the kernel may give the port to anybody.
#![allow(clippy::expect_used, reason = "all of this is test code")]

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr as Name, UnixListener},
    },
    process,
    sync::{Mutex, PoisonError},
};

/// Below the ports that the kernel gives to outgoing connections, so that none of these takes one either.
const FIRST: u16 = 10_000;
const BLOCKS: u16 = 200;
const EACH: u16 = 100;

/// The block of this process that is in use, with the ports of it that were not given out, and the blocks before it.
struct Own {
    left: Vec<u16>,
    held: Vec<UnixListener>,
}

/// An address where nobody listens on TCP or UDP. It is given out once, and to this process only.
///
/// # Panics
/// When every port is taken.
pub fn free_address() -> SocketAddr {
    static OWN: Mutex<Own> = Mutex::new(Own { left: Vec::new(), held: Vec::new() });
    let mut own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let Some(port) = own.left.pop() else {
            let (block, held) = free_block();
            own.held.push(held);
            own.left.extend((0..EACH).rev().map(|n| FIRST + block * EACH + n));
            continue;
        };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok() {
            return address;
        }
    }
}

/// A block that no other process in this network has. Its mark stands in no folder and goes with the process.
fn free_block() -> (u16, UnixListener) {
    let start = process::id() % u32::from(BLOCKS);
    let blocks = (start..start + u32::from(BLOCKS)).map(|n| (n % u32::from(BLOCKS)) as u16);
    let mut free = blocks.filter_map(|block| {
        let name = Name::from_abstract_name(format!("meshctl tests: ports, block {block}")).ok()?;
        Some((block, UnixListener::bind_addr(&name).ok()?))
    });
    free.next().expect("a block of ports that no other test has")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_block_is_had_by_one_and_an_address_is_given_once() {
        let (one, other) = (free_block(), free_block());
        assert_ne!(one.0, other.0);
        let mut all = BTreeSet::new();
        for _ in 0..2 * EACH {
            let address = free_address();
            assert!(all.insert(address), "{address} twice");
            assert!((FIRST..FIRST + BLOCKS * EACH).contains(&address.port()));
            assert!(![one.0, other.0].contains(&((address.port() - FIRST) / EACH)), "somebody else's");
        }
    }
}

//! Every frame on every wire of a lab, searched for what must not be seen there.

use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, anyhow};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, setsockopt, socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};

use crate::host::Host;

/// The longest frame: offloading hands over several packets as one.
const LONGEST: usize = 1 << 17;
/// What may wait to be read.
const BACKLOG: usize = 32 << 20;
const IPV4: [u8; 2] = [8, 0];
const UDP: u8 = 17;
const TCP: u8 = 6;
/// How a data packet of WireGuard begins.
const WIREGUARD_DATA: [u8; 4] = [4, 0, 0, 0];

/// What passed by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub frames: u64,
    pub bytes: u64,
    /// Data packets of WireGuard over UDP.
    pub wireguard: u64,
    /// Segments of TCP with a payload.
    pub tcp: u64,
    /// Frames with the word, and the first of them in printable letters.
    pub found: u64,
    pub example: Option<String>,
}

/// Listens until it is asked for what it saw.
pub struct Capture {
    stop: Arc<AtomicBool>,
    reader: JoinHandle<Result<Seen>>,
}

impl Capture {
    /// All interfaces of `host`; what carries `word` is counted.
    pub fn start(host: &Host, word: &str) -> Result<Self> {
        let raw = host.in_network(open)?.context("cannot listen to frames")?;
        let stop = Arc::new(AtomicBool::new(false));
        let (word, stopped) = (word.as_bytes().to_vec(), Arc::clone(&stop));
        Ok(Self { stop, reader: thread::spawn(move || read(&raw, &word, &stopped)) })
    }

    /// Ends once no frame waits to be read.
    pub fn finish(self) -> Result<Seen> {
        self.stop.store(true, Ordering::Relaxed);
        self.reader.join().map_err(|_| anyhow!("the capture panicked"))?
    }
}

fn open() -> nix::Result<OwnedFd> {
    let raw = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::EthAll)?;
    setsockopt(&raw, sockopt::RcvBufForce, &BACKLOG)?;
    setsockopt(&raw, sockopt::ReceiveTimeout, &TimeVal::milliseconds(200))?;
    Ok(raw)
}

fn read(raw: &OwnedFd, word: &[u8], stop: &AtomicBool) -> Result<Seen> {
    let (mut seen, mut frame) = (Seen::default(), vec![0; LONGEST]);
    loop {
        match recv(raw.as_raw_fd(), &mut frame, MsgFlags::empty()) {
            Ok(length) => seen.add(&frame[..length], word),
            Err(Errno::EAGAIN) if stop.load(Ordering::Relaxed) => return Ok(seen),
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(why) => return Err(why).context("cannot read frames"),
        }
    }
}

impl Seen {
    fn add(&mut self, frame: &[u8], word: &[u8]) {
        self.frames += 1;
        self.bytes += frame.len() as u64;
        match transport(frame) {
            Some((UDP, payload)) if payload.starts_with(&WIREGUARD_DATA) => self.wireguard += 1,
            Some((TCP, payload)) if !payload.is_empty() => self.tcp += 1,
            _ => {}
        }
        if contains(frame, word) {
            self.found += 1;
            self.example.get_or_insert_with(|| printable(frame));
        }
    }
}

/// Protocol and payload of UDP or TCP over IPv4 in a frame of Ethernet.
fn transport(frame: &[u8]) -> Option<(u8, &[u8])> {
    let packet = frame.get(14..).filter(|packet| frame[12..14] == IPV4 && packet.len() >= 20)?;
    let whole = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
    let segment = packet.get(usize::from(packet[0] & 15) * 4..whole)?;
    let header = match packet[9] {
        UDP => 8,
        TCP => usize::from(segment.get(12)? >> 4) * 4,
        _ => return None,
    };
    Some((packet[9], segment.get(header..)?))
}

fn contains(frame: &[u8], word: &[u8]) -> bool {
    let Some(first) = word.first() else { return false };
    let mut rest = frame;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        if rest[at..].starts_with(word) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

fn printable(frame: &[u8]) -> String {
    frame.iter().take(200).map(|b| if b.is_ascii_graphic() { char::from(*b) } else { '.' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn udp(payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0; 12];
        frame.extend([8, 0, 0x45, 0]);
        frame.extend(u16::try_from(28 + payload.len()).unwrap().to_be_bytes());
        frame.extend([0, 0, 0, 0, 64, UDP, 0, 0]);
        frame.extend([0; 8]);
        frame.extend([0; 8]);
        frame.extend(payload);
        frame
    }

    #[test]
    fn tells_wireguard_and_finds_the_word() {
        let mut seen = Seen::default();
        seen.add(&udp(&[4, 0, 0, 0, 9]), b"secret");
        seen.add(&udp(b"a sesecret"), b"secret");
        seen.add(&udp(b"a secre"), b"secret");
        assert_eq!((seen.frames, seen.wireguard, seen.found), (3, 1, 1));
        assert!(seen.example.unwrap().ends_with("a.sesecret"));
    }

    #[test]
    fn no_frame_is_too_short() {
        let whole = udp(b"secret");
        for length in 0..whole.len() {
            Seen::default().add(&whole[..length], b"secret");
        }
    }
}

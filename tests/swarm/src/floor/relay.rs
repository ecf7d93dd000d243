//! Packets from one client to another: one thread reads from whoever sent something, rewrites the frames where they
//! stand, and seals them for whom they are for. Nothing is dropped: who sends to somebody that takes nothing is not
//! read from until that changes.

use std::{
    convert::Infallible,
    io::{self, ErrorKind, Read, Write},
    mem,
    net::{TcpListener, TcpStream},
    sync::Arc,
};

use anyhow::{Context, Result, bail};
use bytes::{Buf, BytesMut};
use derp::{Decoder, Frame, HEADER_BYTES, MAX_PACKET_BYTES, ServerKey};
use ident::Secret;
use nix::{
    errno::Errno,
    sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
};
use rustls::ServerConfig;

use super::{
    runs::{Table, runs},
    tunnel::{RECORD_BYTES, Tunnel, config, sealed_bytes},
};
use crate::open_files;

const READ_BYTES: usize = 64 << 10;
/// Who has so much to take yet holds up those that send more; half of it lets them go on.
const FULL_BYTES: usize = 256 << 10;
/// The longest frame that is to be passed on, without its last byte, and one read behind it.
const PLAIN_BYTES: usize = HEADER_BYTES + 32 + MAX_PACKET_BYTES + READ_BYTES + RECORD_BYTES;
const HEAD_END: &[u8] = b"\r\n\r\n";
const MAX_HEAD_BYTES: usize = 8 << 10;
/// The listener's place.
const DOOR: u64 = u64::MAX;

/// Serves whoever comes.
pub fn serve(door: TcpListener) -> Result<Infallible> {
    open_files::make_room(0)?;
    door.set_nonblocking(true)?;
    let mut relay = Relay::new(door)?;
    let mut desk = Desk::new();
    let mut events = [EpollEvent::empty(); 64];
    loop {
        let ready = match relay.epoll.wait(&mut events, EpollTimeout::NONE) {
            Ok(ready) => ready,
            Err(Errno::EINTR) => continue,
            Err(e) => return Err(e.into()),
        };
        for event in &events[..ready] {
            match event.data() {
                DOOR => relay.let_in()?,
                place => relay.turn(usize::try_from(place)?, event.events(), &mut desk),
            }
        }
    }
}

/// Buffers that all connections share, one after the other.
struct Desk {
    came: Vec<u8>,
    plain: Vec<u8>,
    sealed: Vec<u8>,
}

impl Desk {
    fn new() -> Self {
        Self {
            came: vec![0; RECORD_BYTES + READ_BYTES],
            plain: Vec::with_capacity(PLAIN_BYTES),
            sealed: vec![0; sealed_bytes(PLAIN_BYTES)],
        }
    }
}

struct Relay {
    epoll: Epoll,
    door: TcpListener,
    tls: Arc<ServerConfig>,
    key: ServerKey,
    guests: Vec<Option<Box<Guest>>>,
    free: Vec<usize>,
    table: Table,
}

struct Guest {
    socket: TcpStream,
    tunnel: Tunnel,
    said: Said,
    /// Opened, and not whole yet.
    partial: Vec<u8>,
    /// Sealed, and not taken by the socket yet.
    unsent: BytesMut,
    /// Places of those that are not read from because of it.
    holds_up: Vec<usize>,
    is_held_up: bool,
    watched: EpollFlags,
}

/// How far somebody has come.
#[derive(Clone, Copy)]
enum Said {
    Nothing,
    Head,
    Hello([u8; 32]),
}

impl Relay {
    fn new(door: TcpListener) -> Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&door, EpollEvent::new(EpollFlags::EPOLLIN, DOOR))?;
        let key = ServerKey::new(Secret::new([0x0f; 32]));
        let (guests, free, table) = (Vec::new(), Vec::new(), Table::new());
        Ok(Self { epoll, door, tls: config()?, key, guests, free, table })
    }

    fn let_in(&mut self) -> Result<()> {
        loop {
            let socket = match self.door.accept() {
                Ok((socket, _)) => socket,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(e) => return Err(e.into()),
            };
            socket.set_nonblocking(true)?;
            socket.set_nodelay(true)?;
            let place = self.free.pop().unwrap_or_else(|| {
                self.guests.push(None);
                self.guests.len() - 1
            });
            let watched = EpollFlags::EPOLLIN;
            self.epoll.add(&socket, EpollEvent::new(watched, place as u64))?;
            self.guests[place] = Some(Box::new(Guest::new(socket, Tunnel::new(&self.tls)?, watched)));
        }
    }

    /// Something happened to the connection in this place.
    fn turn(&mut self, place: usize, what: EpollFlags, desk: &mut Desk) {
        let mut done = Ok(());
        if what.contains(EpollFlags::EPOLLOUT) {
            done = self.write(place);
        }
        if done.is_ok() && what != EpollFlags::EPOLLOUT {
            done = self.read(place, desk);
        }
        if done.is_err() {
            self.leave(place);
        }
    }

    fn read(&mut self, place: usize, desk: &mut Desk) -> Result<()> {
        let Some(guest) = &mut self.guests[place] else { return Ok(()) };
        guest.read(desk)?;
        let used = match guest.said {
            Said::Nothing => guest.hear_head(&self.key, desk)?,
            Said::Head => {
                let used = guest.hear_hello(&self.key, desk)?;
                if let Said::Hello(key) = guest.said {
                    self.table.insert(key, place);
                }
                used
            }
            Said::Hello(key) => self.pass_on(place, &key, desk)?,
        };
        let Some(guest) = &mut self.guests[place] else { return Ok(()) };
        guest.partial = desk.plain[used..].to_vec();
        self.watch(place)
    }

    fn pass_on(&mut self, from: usize, key: &[u8; 32], desk: &mut Desk) -> Result<usize> {
        let (runs, used) = runs(&mut desk.plain, key, &self.table)?;
        for (to, run) in runs {
            let Some(guest) = &mut self.guests[to] else { continue };
            let sent = guest.send(&desk.plain[run], &mut desk.sealed);
            if sent.is_ok() && guest.unsent.len() > FULL_BYTES {
                guest.holds_up.push(from);
                if let Some(guest) = &mut self.guests[from] {
                    guest.is_held_up = true;
                }
            }
            if sent.and_then(|()| self.watch(to)).is_err() {
                self.leave(to);
            }
        }
        Ok(used)
    }

    fn write(&mut self, place: usize) -> Result<()> {
        let Some(guest) = &mut self.guests[place] else { return Ok(()) };
        guest.write()?;
        if guest.unsent.len() <= FULL_BYTES / 2 {
            let held_up = mem::take(&mut guest.holds_up);
            self.go_on(held_up)?;
        }
        self.watch(place)
    }

    fn go_on(&mut self, held_up: Vec<usize>) -> Result<()> {
        for place in held_up {
            if let Some(guest) = &mut self.guests[place] {
                guest.is_held_up = false;
            }
            self.watch(place)?;
        }
        Ok(())
    }

    /// Tells the kernel what is waited for, when that is something else than before.
    fn watch(&mut self, place: usize) -> Result<()> {
        let Some(guest) = &mut self.guests[place] else { return Ok(()) };
        let mut wanted = EpollFlags::empty();
        wanted.set(EpollFlags::EPOLLIN, !guest.is_held_up);
        wanted.set(EpollFlags::EPOLLOUT, !guest.unsent.is_empty());
        if wanted != guest.watched {
            self.epoll.modify(&guest.socket, &mut EpollEvent::new(wanted, place as u64))?;
            guest.watched = wanted;
        }
        Ok(())
    }

    fn leave(&mut self, place: usize) {
        let Some(guest) = self.guests[place].take() else { return };
        self.free.push(place);
        if let Said::Hello(key) = guest.said
            && self.table.get(&key) == Some(&place)
        {
            self.table.remove(&key);
        }
        // An error would be of a connection that shows it by itself.
        let _ = self.go_on(guest.holds_up);
    }
}

impl Guest {
    fn new(socket: TcpStream, tunnel: Tunnel, watched: EpollFlags) -> Self {
        let (partial, unsent, holds_up) = (Vec::new(), BytesMut::new(), Vec::new());
        Self { socket, tunnel, said: Said::Nothing, partial, unsent, holds_up, is_held_up: false, watched }
    }

    /// Leaves on the desk what was said, behind what was not whole before.
    fn read(&mut self, desk: &mut Desk) -> Result<()> {
        let rest = self.tunnel.take_rest();
        desk.came[..rest.len()].copy_from_slice(&rest);
        let whole = rest.len() + READ_BYTES;
        let read = match self.socket.read(&mut desk.came[rest.len()..whole]) {
            Ok(0) => bail!("it left"),
            other => as_much_as_fits(other)?,
        };
        desk.plain.clear();
        desk.plain.extend_from_slice(&mem::take(&mut self.partial));
        let mut answer = Vec::new();
        self.tunnel.open(&mut desk.came[..rest.len() + read], &mut desk.plain, &mut answer)?;
        self.send_sealed(&answer)
    }

    /// The head of a request that waits for no answer.
    fn hear_head(&mut self, own: &ServerKey, desk: &mut Desk) -> Result<usize> {
        let end = desk.plain.windows(HEAD_END.len()).position(|window| window == HEAD_END);
        let Some(end) = end else {
            return if desk.plain.len() > MAX_HEAD_BYTES { bail!("a head without an end") } else { Ok(0) };
        };
        self.said = Said::Head;
        self.send(&own.greeting().to_bytes(), &mut desk.sealed)?;
        Ok(end + HEAD_END.len())
    }

    fn hear_hello(&mut self, own: &ServerKey, desk: &mut Desk) -> Result<usize> {
        let mut decoder = Decoder::new();
        decoder.push(&desk.plain);
        let Some(frame) = decoder.next_frame()? else { return Ok(0) };
        let Frame::ClientInfo { key, sealed } = frame else { bail!("a frame before the hello") };
        own.open_client_info(&key, &sealed)?;
        let mut nonce = [0; 24];
        aws_lc_rs::rand::fill(&mut nonce).ok().context("random bytes")?;
        self.send(&own.seal_server_info(&key, nonce)?.to_bytes(), &mut desk.sealed)?;
        self.said = Said::Hello(*key.as_bytes());
        Ok(desk.plain.len() - decoder.buffer().len())
    }

    fn send(&mut self, plain: &[u8], sealed: &mut [u8]) -> Result<()> {
        let bytes = self.tunnel.seal(plain, sealed)?;
        self.send_sealed(&sealed[..bytes])
    }

    fn send_sealed(&mut self, sealed: &[u8]) -> Result<()> {
        let at_once = self.unsent.is_empty() && !sealed.is_empty();
        let taken = if at_once { as_much_as_fits(self.socket.write(sealed))? } else { 0 };
        self.unsent.extend_from_slice(&sealed[taken..]);
        Ok(())
    }

    fn write(&mut self) -> Result<()> {
        let taken = as_much_as_fits(self.socket.write(&self.unsent))?;
        self.unsent.advance(taken);
        if self.unsent.is_empty() {
            self.unsent = BytesMut::new();
        }
        Ok(())
    }
}

/// What would have to wait is nothing.
fn as_much_as_fits(done: io::Result<usize>) -> Result<usize> {
    match done {
        Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(0),
        other => Ok(other?),
    }
}

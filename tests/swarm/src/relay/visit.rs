//! One client's connection to the relay.

use std::{sync::Arc, time::Instant};

use anyhow::{Context, Result, bail, ensure};
use derp::{ClientInfo, Decoder, Frame};
use harness::{Server, Socket};
use ident::NodeKey;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc,
};
use wire::DerpNode;

use super::{packet::Packet, pinned::pinned};
use crate::{fleet::Device, listener::Shared, topology::Topology};

const FAST_START: &[u8] =
    b"GET /derp HTTP/1.1\r\nHost: relay\r\nUpgrade: DERP\r\nConnection: Upgrade\r\nDerp-Fast-Start: 1\r\n\r\n";
/// 0 in the map stands for it.
const USUAL_PORT: u16 = 443;
/// What the relay's map puts before the digest of a certificate that nobody signed.
const PINNED: &str = "sha256-raw:";

/// Where the relay is, and whom to trust there.
pub struct Door {
    server: Server,
    /// What packets count their time from.
    pub epoch: Instant,
}

impl Door {
    /// By what a map says of it; `control` is trusted for relays without a certificate of their own.
    pub fn of(node: &DerpNode, control: &Server) -> Result<Self> {
        let port = if node.derp_port == 0 { USUAL_PORT } else { node.derp_port };
        let host = if node.ipv4.is_empty() { &node.host_name } else { &node.ipv4 };
        let tls = node.cert_name.strip_prefix(PINNED).map(pinned).transpose()?;
        Ok(Self { server: control.beside(host, port, tls), epoch: Instant::now() })
    }
}

/// A client that said hello.
pub struct Visit {
    device: usize,
    partner: NodeKey,
    epoch: Instant,
    io: Socket,
    decoder: Decoder,
    /// The number of the last packet.
    heard: Option<u64>,
}

/// So often may a client be wrong before nobody listens any more.
const PATIENCE: u64 = 100;

impl Visit {
    /// Connects and proves who it is.
    pub async fn begin(door: &Door, device: &Device) -> Result<Self> {
        let mut io = door.server.dial().await?;
        io.write_all(FAST_START).await?;
        let key = &device.identity.relay;
        let partner = Device::new(device.number ^ 1, Topology::Mesh)?.identity.node;
        let (device, epoch) = (device.number, door.epoch);
        let mut visit = Self { device, partner, epoch, io, decoder: Decoder::new(), heard: None };
        let Frame::ServerKey(server) = visit.next().await? else { bail!("the relay does not say who it is") };
        let info = ClientInfo { version: 2, ..ClientInfo::default() };
        // Whoever emulates a device by its number has no secrets to keep.
        let hello = key.seal_client_info(&server, [7; 24], &info)?;
        visit.io.write_all(&hello.to_bytes()).await?;
        let Frame::ServerInfo { .. } = visit.next().await? else { bail!("the relay refuses") };
        Ok(visit)
    }

    pub fn device(&self) -> usize {
        self.device
    }

    /// Sends what it is given and judges what comes, until nothing more is to be sent. Answers with how often it got
    /// something wrong.
    pub async fn stay(mut self, mut packets: mpsc::Receiver<Packet>, shared: Arc<Shared>) -> u64 {
        let mut wrong = 0;
        while wrong < PATIENCE {
            let done = tokio::select! {
                biased;
                packet = packets.recv() => match packet {
                    Some(packet) => self.send(packet).await,
                    None => break,
                },
                frame = self.next() => frame.and_then(|frame| self.judge(&frame, &shared)),
            };
            if let Err(e) = done {
                shared.ledger.complain(&format!("device {}: {e:#}", self.device));
                wrong += 1;
            }
        }
        wrong
    }

    async fn send(&mut self, packet: Packet) -> Result<()> {
        let frame = Frame::SendPacket { to: self.partner, packet: packet.encode() };
        self.io.write_all(&frame.to_bytes()).await.context("a packet to the relay")
    }

    async fn next(&mut self) -> Result<Frame> {
        loop {
            if let Some(frame) = self.decoder.next_frame()? {
                return Ok(frame);
            }
            let read = self.io.read_buf(self.decoder.buffer()).await.context("the relay")?;
            ensure!(read > 0, "the relay ends the connection");
        }
    }

    /// Packets come from the partner, for this device, each later than the one before.
    fn judge(&mut self, frame: &Frame, shared: &Shared) -> Result<()> {
        let Frame::RecvPacket { from, packet: bytes } = frame else {
            ensure!(matches!(frame, Frame::KeepAlive | Frame::Health(_)), "unexpected: {frame:?}");
            return Ok(());
        };
        let packet = Packet::decode(bytes).context("a packet that nobody sent")?;
        let Packet { number, .. } = packet;
        ensure!(*from == self.partner && packet.from == self.device ^ 1, "packet {number} of a stranger");
        ensure!(packet.to == self.device, "packet {number}, which is for {}", packet.to);
        ensure!(self.heard.is_none_or(|heard| heard < number), "packet {number} after {:?}", self.heard);
        self.heard = Some(number);
        shared.ledger.message(bytes.len());
        shared.ledger.met(self.epoch + packet.sent);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn visit(device: usize) -> Visit {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let key = Device::new(0, Topology::Mesh).unwrap().identity.machine_key();
        let io = Server::at("127.0.0.1", port, key).dial().await.unwrap();
        let partner = Device::new(device ^ 1, Topology::Mesh).unwrap().identity.node;
        Visit { device, partner, epoch: Instant::now(), io, decoder: Decoder::new(), heard: None }
    }

    #[tokio::test]
    async fn sender_addressee_order_and_content_are_judged() {
        let (mut visit, shared) = (visit(1).await, Shared::new(2, None));
        let (partner, stranger) = (visit.partner, Device::new(9, Topology::Mesh).unwrap().identity.node);
        let packet = |number| Packet { from: 0, to: 1, number, sent: Duration::ZERO };
        let frame = |from, packet: Packet| Frame::RecvPacket { from, packet: packet.encode() };
        visit.judge(&frame(partner, packet(0)), &shared).unwrap();
        visit.judge(&frame(partner, packet(4)), &shared).unwrap();
        visit.judge(&Frame::KeepAlive, &shared).unwrap();
        for wrong in [
            frame(partner, packet(4)),
            frame(partner, packet(3)),
            frame(stranger, packet(5)),
            frame(partner, Packet { to: 2, ..packet(5) }),
            frame(partner, Packet { from: 4, ..packet(5) }),
            Frame::RecvPacket { from: partner, packet: b"short".to_vec().into() },
            Frame::Restarting { reconnect_in_ms: 0, try_for_ms: 0 },
        ] {
            assert!(visit.judge(&wrong, &shared).is_err(), "{wrong:?}");
        }
        assert_eq!(shared.ledger.delivered(), 2);
    }
}

//! One set of verbs over two network stacks: the client's own, or the kernel's.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tailscale::{Device, NodeInfo, netstack};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net;
use tokio::time::timeout;

use crate::node;

/// Where to dial from and listen on.
#[derive(Clone)]
pub enum Sockets {
    Mesh(Arc<Device>),
    Kernel,
}

pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

pub enum Listener {
    Mesh(netstack::TcpListener),
    Kernel(net::TcpListener),
}

pub enum Datagrams {
    Mesh(netstack::UdpSocket),
    Kernel(net::UdpSocket),
}

/// `call`, or an error that names `what` after `limit`.
pub async fn within<T, E>(limit: Duration, what: &str, call: impl Future<Output = Result<T, E>>) -> Result<T>
where
    E: Into<anyhow::Error>,
{
    let Ok(answer) = timeout(limit, call).await else { bail!("{what} took longer than {limit:?}") };
    answer.map_err(Into::into).with_context(|| what.to_owned())
}

impl Sockets {
    pub fn device(&self) -> Result<Arc<Device>> {
        let Self::Mesh(device) = self else { bail!("only a peer in a mesh can do that") };
        Ok(device.clone())
    }

    pub async fn own(&self, limit: Duration) -> Result<Value> {
        let own = within(limit, "asking for the own node", self.device()?.self_node()).await?;
        Ok(node::describe(&own))
    }

    pub async fn peer(&self, to: &str, limit: Duration) -> Result<Value> {
        Ok(find(&*self.device()?, to, limit).await?.as_ref().map_or(Value::Null, node::describe))
    }

    /// The address of `to`: itself, or the IPv4 address of the peer (or host) of that name.
    pub async fn resolve(&self, to: &str, limit: Duration) -> Result<IpAddr> {
        if let Ok(address) = to.parse() {
            return Ok(address);
        }
        let Self::Mesh(device) = self else {
            let mut found = within(limit, "looking up a host", net::lookup_host((to, 0))).await?;
            return found.find(SocketAddr::is_ipv4).map(|found| found.ip()).context("no such host");
        };
        let peer = find(device, to, limit).await?.with_context(|| format!("no peer is called `{to}`"))?;
        Ok(peer.tailnet_address.ipv4.addr().into())
    }

    /// The addresses to listen on so that both protocols reach this peer. The kernel's one takes IPv4 too.
    pub async fn own_addresses(&self, limit: Duration) -> Result<Vec<IpAddr>> {
        let Self::Mesh(device) = self else { return Ok(vec![Ipv6Addr::UNSPECIFIED.into()]) };
        let ipv4 = within(limit, "asking for the own address", device.ipv4_addr()).await?;
        let ipv6 = within(limit, "asking for the own address", device.ipv6_addr()).await?;
        Ok(vec![ipv4.into(), ipv6.into()])
    }

    pub async fn connect(&self, to: SocketAddr, limit: Duration) -> Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Mesh(device) => Box::new(within(limit, "connecting", device.tcp_connect(to)).await?),
            Self::Kernel => Box::new(within(limit, "connecting", net::TcpStream::connect(to)).await?),
        })
    }

    pub async fn listen(&self, on: SocketAddr, limit: Duration) -> Result<Listener> {
        Ok(match self {
            Self::Mesh(device) => Listener::Mesh(within(limit, "listening", device.tcp_listen(on)).await?),
            Self::Kernel => Listener::Kernel(within(limit, "listening", net::TcpListener::bind(on)).await?),
        })
    }

    pub async fn bind(&self, on: SocketAddr, limit: Duration) -> Result<Datagrams> {
        Ok(match self {
            Self::Mesh(device) => Datagrams::Mesh(within(limit, "binding", device.udp_bind(on)).await?),
            Self::Kernel => Datagrams::Kernel(within(limit, "binding", net::UdpSocket::bind(on)).await?),
        })
    }

    /// A socket to dial `to` from. The client's stack picks no port itself, so it gets one that was not used yet.
    pub async fn bind_for(&self, to: SocketAddr, limit: Duration) -> Result<Datagrams> {
        static NEXT: AtomicU16 = AtomicU16::new(20_000);
        let Self::Mesh(_) = self else {
            let any: IpAddr =
                if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
            return self.bind((any, 0).into(), limit).await;
        };
        let own = self.own_addresses(limit).await?;
        let from = own.into_iter().find(|own| own.is_ipv4() == to.is_ipv4()).context("no such address")?;
        self.bind((from, NEXT.fetch_add(1, Ordering::Relaxed)).into(), limit).await
    }
}

async fn find(device: &Device, to: &str, limit: Duration) -> Result<Option<NodeInfo>> {
    match to.parse() {
        Ok(address) => {
            within(limit, "asking for a peer by address", device.peer_by_tailnet_ip(address)).await
        }
        Err(_) => within(limit, "asking for a peer by name", device.peer_by_name(to)).await,
    }
}

impl Listener {
    pub async fn accept(&self) -> Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Mesh(listener) => Box::new(listener.accept().await?),
            Self::Kernel(listener) => Box::new(listener.accept().await?.0),
        })
    }
}

impl Datagrams {
    pub async fn send(&self, bytes: &[u8], to: SocketAddr) -> Result<()> {
        match self {
            Self::Mesh(socket) => socket.send_to(to, bytes).await?,
            Self::Kernel(socket) => socket.send_to(bytes, to).await.map(drop)?,
        }
        Ok(())
    }

    pub async fn receive(&self, buffer: &mut [u8]) -> Result<(SocketAddr, usize)> {
        Ok(match self {
            Self::Mesh(socket) => socket.recv_from(buffer).await?,
            Self::Kernel(socket) => socket.recv_from(buffer).await.map(|(count, from)| (from, count))?,
        })
    }
}

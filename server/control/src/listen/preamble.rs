//! The PROXY protocol: what a proxy says of a connection before anything else on it.
//! Source: the protocol's specification, versions 1 (a line) and 2 (binary).

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use tokio::io::{AsyncRead, AsyncReadExt};

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Of version 1, with the end of the line.
const LONGEST_LINE: usize = 107;
/// Of version 2: addresses, and what else proxies like to add.
const MOST_BYTES: usize = 4096;

/// Reads it and not a byte more. None when the proxy speaks for itself, as in a health check.
pub(super) async fn read(io: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    let mut head = [0; SIGNATURE.len()];
    io.read_exact(&mut head).await?;
    if head != SIGNATURE {
        let line = line(io, head.to_vec()).await?;
        return version_1(&line).ok_or_else(|| bad("no PROXY line"));
    }
    let (command, family) = (io.read_u8().await?, io.read_u8().await?);
    let length = usize::from(io.read_u16().await?);
    if length > MOST_BYTES {
        return Err(bad("a PROXY header of more than 4096 bytes"));
    }
    let mut addresses = vec![0; length];
    io.read_exact(&mut addresses).await?;
    version_2(command, family, &addresses).ok_or_else(|| bad("a PROXY header of another kind"))
}

async fn line(io: &mut (impl AsyncRead + Unpin), mut line: Vec<u8>) -> io::Result<Vec<u8>> {
    if !line.starts_with(b"PROXY ") {
        return Err(bad("no PROXY header"));
    }
    while !line.ends_with(b"\r\n") {
        if line.len() == LONGEST_LINE {
            return Err(bad("a PROXY line without an end"));
        }
        line.push(io.read_u8().await?);
    }
    Ok(line)
}

fn version_1(line: &[u8]) -> Option<Option<SocketAddr>> {
    let words: Vec<&str> = str::from_utf8(line).ok()?.trim_end().split(' ').collect();
    let (source, destination, port) = match words.as_slice() {
        ["PROXY", "UNKNOWN", ..] => return Some(None),
        ["PROXY", "TCP4", source, destination, port, _] => {
            let ip = |text: &str| text.parse::<Ipv4Addr>().map(IpAddr::V4);
            (ip(source).ok()?, ip(destination), port)
        }
        ["PROXY", "TCP6", source, destination, port, _] => {
            let ip = |text: &str| text.parse::<Ipv6Addr>().map(IpAddr::V6);
            (ip(source).ok()?, ip(destination), port)
        }
        _ => return None,
    };
    destination.ok()?;
    Some(Some(SocketAddr::new(source.to_canonical(), port.parse().ok()?)))
}

fn version_2(command: u8, family: u8, bytes: &[u8]) -> Option<Option<SocketAddr>> {
    match (command, family) {
        (0x20, _) | (0x21, 0x00) => Some(None),
        (0x21, 0x11) => {
            let (source, ports) = (bytes.first_chunk::<4>()?, bytes.get(8..12)?);
            Some(Some(SocketAddr::new((*source).into(), port(ports)?)))
        }
        (0x21, 0x21) => {
            let (source, ports) = (bytes.first_chunk::<16>()?, bytes.get(32..36)?);
            Some(Some(SocketAddr::new(IpAddr::from(*source).to_canonical(), port(ports)?)))
        }
        _ => None,
    }
}

fn port(ports: &[u8]) -> Option<u16> {
    ports.first_chunk::<2>().map(|port| u16::from_be_bytes(*port))
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is found, and what is left for the next reader.
    fn found(bytes: &[u8]) -> Result<(Option<String>, Vec<u8>), String> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut rest = bytes;
        let found = runtime.block_on(read(&mut rest)).map_err(|e| e.to_string())?;
        Ok((found.map(|at| at.to_string()), rest.to_vec()))
    }

    fn two(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let length = u16::try_from(addresses.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, addresses].concat()
    }

    #[test]
    fn both_versions_are_read_to_their_end_and_no_further() {
        let v4 = [192, 0, 2, 1, 192, 0, 2, 2, 0x10, 0, 0, 80];
        let v6 = [&[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1][..], &[0; 16], &[0x10, 0, 0, 80]];
        let with_more = [&v4[..], &[4, 0, 1, 9]].concat();
        for (bytes, who) in [
            (b"PROXY TCP4 192.0.2.1 192.0.2.2 4096 80\r\n".to_vec(), Some("192.0.2.1:4096")),
            (b"PROXY TCP6 2001:db8::1 2001:db8::2 4096 80\r\n".to_vec(), Some("[2001:db8::1]:4096")),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (b"PROXY UNKNOWN whatever else\r\n".to_vec(), None),
            (two(0x21, 0x11, &v4), Some("192.0.2.1:4096")),
            (two(0x21, 0x11, &with_more), Some("192.0.2.1:4096")),
            (two(0x21, 0x21, &v6.concat()), Some("[2001:db8::1]:4096")),
            (two(0x20, 0x00, &[]), None),
            (two(0x21, 0x00, &[1, 2, 3]), None),
        ] {
            let whole = [&bytes[..], b"GET /"].concat();
            assert_eq!(found(&whole).unwrap(), (who.map(str::to_owned), b"GET /".to_vec()), "{bytes:?}");
        }
    }

    #[test]
    fn what_is_no_header_is_refused_within_bounds() {
        let long = [b"PROXY UNKNOWN ".to_vec(), vec![b'x'; 1000]].concat();
        for bytes in [
            b"GET /key?v=100 HTTP/1.1\r\n\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.1 192.0.2.2 4096\r\n".to_vec(),
            b"PROXY TCP4 2001:db8::1 192.0.2.2 4096 80\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.1 192.0.2.2 99999 80\r\n".to_vec(),
            long,
            two(0x21, 0x11, &[1, 2, 3]),
            two(0x21, 0x31, &[0; 216]),
            two(0x31, 0x11, &[0; 12]),
            two(0x21, 0x11, &[0; 5000]),
            SIGNATURE.to_vec(),
        ] {
            assert!(found(&bytes).is_err(), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_end_well(bytes in prop::collection::vec(any::<u8>(), 0..300), signed in any::<bool>()) {
            let head = if signed { SIGNATURE.to_vec() } else { b"PROXY TCP".to_vec() };
            let _ = found(&[head, bytes].concat());
        }
    }
}

//! Handshakes per second of one core: ours, snow as it comes, and the bare curve operations that nobody can avoid.
//! The three take turns in short rounds, so that a noisy machine is unfair to all of them alike.

use std::time::Duration;

use anyhow::{Result, anyhow};
use aws_lc_rs::agreement::{self, UnparsedPublicKey, X25519};
use noise::{Initiator, PrivateKey, Responder};
use serde::Serialize;
use snow::{
    Builder,
    params::{CipherChoice, DHChoice, HashChoice},
    resolvers::{CryptoResolver, DefaultResolver},
    types::{Cipher, Dh, Hash, Random},
};

use crate::{gauge::own_thread, report::median};

const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_millis(250);
/// Handshakes between two looks at the clock.
const BATCH: u32 = 32;
/// Bytes of version and header in front of an initiation's Noise message.
const FRONT: usize = 5;

/// Medians over the rounds, per second of one core.
#[derive(Debug, Serialize)]
pub struct Handshakes {
    pub accepts: f64,
    pub stock_snow: f64,
    /// Four agreements and one new key, with the same cryptography as ours.
    pub bound: f64,
}

/// Measures on the calling thread.
pub fn measure() -> Result<Handshakes> {
    let server = PrivateKey::new([7; 32])?;
    let client = PrivateKey::new([9; 32])?;
    let (initiation, _) = Initiator::new(&client, server.public_key(), [11; 32], 130)?;
    let (mut accepts, mut stock, mut bound) = (Vec::new(), Vec::new(), Vec::new());
    let mut bare = Bare::new()?;
    for _ in 0..ROUNDS {
        accepts.push(rate(|n| accept(&server, &initiation, n))?);
        stock.push(rate(|n| accept_with_snow(&initiation, n))?);
        bound.push(rate(|n| bare.agree(n))?);
    }
    Ok(Handshakes { accepts: median(accepts), stock_snow: median(stock), bound: median(bound) })
}

fn accept(server: &PrivateKey, initiation: &[u8], n: u32) -> Result<()> {
    std::hint::black_box(Responder::accept(server, ephemeral(n), initiation)?);
    Ok(())
}

/// Like our own responder, with snow's default primitives.
fn accept_with_snow(initiation: &[u8], n: u32) -> Result<()> {
    let resolver = Stock(ephemeral(n));
    let mut state = Builder::with_resolver("Noise_IK_25519_ChaChaPoly_BLAKE2s".parse()?, Box::new(resolver))
        .local_private_key(&[7; 32])?
        .prologue(b"Tailscale Control Protocol v130")?
        .build_responder()?;
    state.read_message(&initiation[FRONT..], &mut [0; 128])?;
    let mut response = [0; 128];
    state.write_message(&[], &mut response)?;
    std::hint::black_box((response, state.into_transport_mode()?));
    Ok(())
}

/// snow's own choice of everything, but with an ephemeral key that is given, as ours has it.
struct Stock([u8; 32]);

impl CryptoResolver for Stock {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(Given(self.0)))
    }
    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        DefaultResolver.resolve_dh(choice)
    }
    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }
    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        DefaultResolver.resolve_cipher(choice)
    }
}

struct Given([u8; 32]);

impl Random for Given {
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), snow::Error> {
        let bytes = self.0.get(..dest.len()).ok_or(snow::Error::Rng)?;
        dest.copy_from_slice(bytes);
        Ok(())
    }
}

/// The curve operations of a responder: the ephemeral's public half, then es, ss, ee and se.
struct Bare {
    fixed: agreement::PrivateKey,
    theirs: Vec<u8>,
}

impl Bare {
    fn new() -> Result<Self> {
        let other = x25519(&[9; 32])?;
        let theirs = other.compute_public_key().map_err(|_| anyhow!("no public key"))?.as_ref().to_vec();
        Ok(Self { fixed: x25519(&[7; 32])?, theirs })
    }

    fn agree(&mut self, n: u32) -> Result<()> {
        let fresh = x25519(&ephemeral(n))?;
        std::hint::black_box(fresh.compute_public_key().map_err(|_| anyhow!("no public key"))?);
        for key in [&self.fixed, &self.fixed, &fresh, &fresh] {
            let theirs = UnparsedPublicKey::new(&X25519, &self.theirs);
            let shared: [u8; 32] =
                agreement::agree(key, theirs, anyhow!("no agreement"), |s| Ok(s.try_into()?))?;
            std::hint::black_box(shared);
        }
        Ok(())
    }
}

fn x25519(raw: &[u8; 32]) -> Result<agreement::PrivateKey> {
    agreement::PrivateKey::from_private_key(&X25519, raw).map_err(|_| anyhow!("no private key"))
}

fn ephemeral(n: u32) -> [u8; 32] {
    let mut bytes = [0x5a; 32];
    bytes[..4].copy_from_slice(&n.to_le_bytes());
    bytes
}

/// How often this can be done in a second of the thread's CPU time.
fn rate(mut once: impl FnMut(u32) -> Result<()>) -> Result<f64> {
    let start = own_thread()?;
    let mut done = 0;
    loop {
        for _ in 0..BATCH {
            once(done)?;
            done += 1;
        }
        let used = own_thread()?.saturating_sub(start);
        if used >= ROUND {
            return Ok(f64::from(done) / used.as_secs_f64());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_three_accept_what_a_client_says() {
        let server = PrivateKey::new([7; 32]).unwrap();
        let client = PrivateKey::new([9; 32]).unwrap();
        let (mut initiation, _) = Initiator::new(&client, server.public_key(), [11; 32], 130).unwrap();
        accept(&server, &initiation, 1).unwrap();
        accept_with_snow(&initiation, 1).unwrap();
        Bare::new().unwrap().agree(1).unwrap();
        initiation[60] ^= 1;
        assert!(accept(&server, &initiation, 1).is_err());
        assert!(accept_with_snow(&initiation, 1).is_err());
    }
}

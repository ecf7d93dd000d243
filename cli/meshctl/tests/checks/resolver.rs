//! Resolvers on addresses of this machine (dnsmasq).

use std::{
    net::TcpStream,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::bench::address;

/// A name that clients need before the tunnel.
pub const NAME: &str = "vpn.example.com";
/// An address that everybody can reach.
pub const PUBLIC: &str = "93.184.216.34";
/// A key of the root that signed nothing.
const ANCHOR: &str =
    "--trust-anchor=.,12345,13,2,0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A resolver; ends with the value.
pub struct Resolver {
    process: Child,
    pub at: String,
}

impl Resolver {
    /// Answers for example.com alone, with these addresses for [`NAME`].
    pub fn start(addresses: &[&str]) -> Self {
        let records = addresses.iter().map(|to| format!("--host-record={NAME},{to}"));
        Self::run(std::iter::once("--local=/example.com/".to_owned()).chain(records))
    }

    /// Asks this one and verifies what it says, which nobody signed.
    pub fn validating(of: &Self) -> Self {
        let upstream = format!("--server={}", of.at.replace(':', "#"));
        Self::run([upstream, "--dnssec".to_owned(), ANCHOR.to_owned()])
    }

    fn run(words: impl IntoIterator<Item = String>) -> Self {
        let ip = address();
        let at = format!("{ip}:5353");
        let mut command = Command::new("dnsmasq");
        command.args(["--no-daemon", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--user="]);
        command.args(["--port=5353", "--bind-interfaces", "--pid-file="]);
        command.arg(format!("--listen-address={ip}")).args(words);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().expect("dnsmasq (Debian: dnsmasq-base)");
        let resolver = Self { process, at };
        let until = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(&resolver.at).is_err() {
            assert!(Instant::now() < until, "dnsmasq does not listen");
            sleep(Duration::from_millis(20));
        }
        resolver
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

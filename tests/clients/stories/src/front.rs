//! A server at `https://mesh.test`, whoever does its TLS, and clients that find and trust it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use lab::{Clients, Host, Lab, Server, Tailscaled};

use crate::{POLICY, ROLES};

/// Where clients find it.
pub const URL: &str = "https://mesh.test";
/// Its name.
pub const NAME: &str = "mesh.test";
const TRUSTED: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Gives the name to these hosts.
pub fn name(lab: &Lab, hosts: &[&str]) -> Result<()> {
    for host in hosts {
        let line = format!("{} {NAME}\n", lab::SERVER_ADDRESS);
        lab.host(host)?.feed(&["tee", "-a", "/etc/hosts"], &line)?;
    }
    Ok(())
}

/// An authority's certificate and key, made by openssl, as files on the host.
pub fn authority(host: &Host) -> Result<(PathBuf, PathBuf)> {
    let [certificate, key] = ["authority.pem", "authority-key.pem"].map(|name| host.dir().join(name));
    let words = ["-subj", "/CN=authority", "-days", "2", "-addext", "keyUsage=critical,keyCertSign"];
    openssl(host, &["req", "-x509"], &words, &certificate, &key)?;
    Ok((certificate, key))
}

/// A certificate of that authority for this name or address (`DNS:…`, `IP:…`), and its key.
pub fn certificate(
    host: &Host,
    (authority, authority_key): &(PathBuf, PathBuf),
    subject: &str,
) -> Result<(PathBuf, PathBuf)> {
    let [certificate, key] = ["leaf.pem", "leaf-key.pem"].map(|name| host.dir().join(name));
    let alternative = format!("subjectAltName={subject}");
    let words = [
        "-subj",
        "/CN=leaf",
        "-days",
        "2",
        "-CA",
        text(authority)?,
        "-CAkey",
        text(authority_key)?,
        "-addext",
        &alternative,
        "-addext",
        "basicConstraints=critical,CA:false",
    ];
    openssl(host, &["req", "-x509"], &words, &certificate, &key)?;
    Ok((certificate, key))
}

fn openssl(host: &Host, verb: &[&str], words: &[&str], certificate: &Path, key: &Path) -> Result<()> {
    let fresh = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let files = ["-out", text(certificate)?, "-keyout", text(key)?];
    let all = [&["openssl"], verb, &fresh, words, &files].concat();
    host.exec(&all).map(drop)
}

/// From now on programs on the host trust these certificates (PEM), too.
pub fn trust(host: &Host, pem: &str) -> Result<()> {
    host.exec(&["mkdir", "-p", "/etc/ssl/certs"])?;
    host.feed(&["tee", "-a", TRUSTED], pem).map(drop)
}

/// Puts policy and roles in place.
pub fn furnish(server: &Server<'_>) -> Result<()> {
    server.set_policy(POLICY)?;
    server.apply_roles(ROLES)
}

/// A member on this host.
pub fn member<'lab>(lab: &'lab Lab, server: &Server<'_>, host: &str) -> Result<Tailscaled<'lab>> {
    let key = server.create_key("member", &format!("member-{host}"))?;
    let client = Tailscaled::start(lab.host(host)?, &Clients::find()?)?;
    client.up(URL, &key, host, &[]).with_context(|| format!("{host} does not join"))?;
    Ok(client)
}

/// The text of a file on the host.
pub fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| path.display().to_string())
}

/// A path as a word.
pub fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path that is no text")
}

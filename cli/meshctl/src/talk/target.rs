//! Which server is meant, decided from flags, environment, profiles and the sockets that are there.

use std::{
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{
    Failure, Options,
    profile::{Profile, Profiles},
};

/// Where local servers listen, nearest first.
const LOCAL_SOCKETS: [&str; 2] = ["./mesh-data/control.sock", "/run/meshctl/control.sock"];

/// A server, how to get there, and which of its meshes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// How to get there.
    pub way: Way,
    /// What named it, for people.
    pub named_by: String,
    /// Which mesh.
    pub tailnet: String,
    /// What the operator should know before it is used.
    pub notes: Vec<String>,
}

/// How to get to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// Over its socket, as whoever runs this.
    Socket(PathBuf),
    /// Over the network with a credential.
    Url { url: String, api_key_file: PathBuf },
}

/// What the verb is about to do; a mistake about the server costs more when it changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Look.
    Read,
    /// Change.
    Write,
}

/// What is found outside the flags.
#[derive(Debug, Default)]
pub struct Surroundings {
    /// `MESHCTL_SERVER`.
    pub server: Option<String>,
    /// `MESHCTL_API_KEY_FILE`.
    pub api_key_file: Option<PathBuf>,
    /// The operator's profiles.
    pub profiles: Profiles,
    /// Sockets that are there, nearest first.
    pub sockets: Vec<PathBuf>,
}

impl Surroundings {
    /// The sockets at the known places.
    pub fn local_sockets() -> Vec<PathBuf> {
        let is_socket = |p: &Path| p.metadata().is_ok_and(|m| m.file_type().is_socket());
        LOCAL_SOCKETS.iter().map(PathBuf::from).filter(|p| is_socket(p)).collect()
    }
}

/// What every answer says about where it came from.
#[derive(Debug, Serialize)]
pub struct Origin {
    url: String,
    named_by: String,
}

impl Target {
    /// A server by its socket.
    pub fn socket(path: PathBuf, tailnet: Option<&str>) -> Self {
        Self::new(Way::Socket(path), "--socket", tailnet)
    }
    /// The first that is named: flags, environment, `--profile`, a local socket, the default profile.
    pub fn find(flags: &Options, around: &Surroundings, purpose: Purpose) -> Result<Self, Failure> {
        let tailnet = flags.tailnet.as_deref();
        let key_file = flags.api_key_file.as_ref().or(around.api_key_file.as_ref());
        if let Some(url) = &flags.server {
            return Self::url(url, key_file, "--server", tailnet);
        }
        if let Some(path) = &flags.socket {
            return Ok(Self::new(Way::Socket(path.clone()), "--socket", tailnet));
        }
        if let Some(url) = &around.server {
            let mut target = Self::url(url, key_file, "MESHCTL_SERVER", tailnet)?;
            if flags.profile.is_some() {
                target.notes.push("MESHCTL_SERVER is set and comes before --profile".into());
            }
            return Ok(target);
        }
        if let Some(name) = &flags.profile {
            return Self::profile(name, around.profiles.get(name)?, key_file, tailnet);
        }
        let default = around.profiles.chosen()?;
        match (around.sockets.first(), default) {
            (Some(socket), Some((name, _))) if purpose == Purpose::Write => Err(ambiguous(socket, name)),
            (Some(socket), _) => Ok(Self::new(Way::Socket(socket.clone()), "found here", tailnet)),
            (None, Some((name, profile))) => Self::profile(name, profile, key_file, tailnet),
            (None, None) => Err(nowhere()),
        }
    }
    /// What every answer says about where it came from.
    pub fn origin(&self) -> Origin {
        Origin { url: self.place(), named_by: self.named_by.clone() }
    }
    /// The server in one word, for people.
    pub fn place(&self) -> String {
        match &self.way {
            Way::Socket(path) => format!("unix:{}", path.display()),
            Way::Url { url, .. } => url.clone(),
        }
    }

    fn new(way: Way, named_by: &str, tailnet: Option<&str>) -> Self {
        let tailnet = tailnet.unwrap_or(api::DEFAULT_TAILNET).to_owned();
        Self { way, named_by: named_by.to_owned(), tailnet, notes: Vec::new() }
    }
    fn url(
        url: &str,
        key_file: Option<&PathBuf>,
        named_by: &str,
        tailnet: Option<&str>,
    ) -> Result<Self, Failure> {
        let Some(key_file) = key_file else {
            let hint = "add --api-key-file FILE; `meshctl apikey create --out FILE` on the server makes one";
            return Err(Failure::usage(format!("{url} needs an API key")).hint(hint));
        };
        let url = url.trim_end_matches('/');
        let mut notes = Vec::new();
        let Some((scheme, rest)) = url.split_once("://").filter(|(s, _)| matches!(*s, "http" | "https"))
        else {
            return Err(Failure::usage(format!("`{url}` is no URL of a server"))
                .hint("it looks like https://mesh.example.com"));
        };
        if scheme == "http" && !is_loopback(rest) {
            notes.push(format!("the API key travels to {url} without encryption"));
        }
        let way = Way::Url { url: url.to_owned(), api_key_file: key_file.clone() };
        Ok(Self { notes, ..Self::new(way, named_by, tailnet) })
    }
    fn profile(
        name: &str,
        profile: &Profile,
        key_file: Option<&PathBuf>,
        tailnet: Option<&str>,
    ) -> Result<Self, Failure> {
        let named_by = format!("profile {name}");
        let tailnet = tailnet.or(profile.tailnet.as_deref());
        match (&profile.socket, &profile.server) {
            (Some(socket), None) => Ok(Self::new(Way::Socket(socket.clone()), &named_by, tailnet)),
            (None, Some(url)) => {
                Self::url(url, profile.api_key_file.as_ref().or(key_file), &named_by, tailnet)
            }
            _ => Err(Failure::usage(format!("profile {name} must have either `server` or `socket`"))),
        }
    }
}

fn is_loopback(rest: &str) -> bool {
    let authority = rest.split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[').and_then(|v6| v6.split_once(']')) {
        Some((v6, _)) => v6,
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn ambiguous(socket: &Path, profile: &str) -> Failure {
    let detail = format!("two servers could be meant: {} and profile {profile}", socket.display());
    let hint = format!("name one: --socket {} or --profile {profile}", socket.display());
    Failure::usage(detail).hint(hint).code("ambiguous_server")
}

fn nowhere() -> Failure {
    Failure::usage("no server is named, and none runs here")
        .hint("`meshctl quickstart` starts one here; `--server URL --api-key-file FILE` names another")
        .code("no_server")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(socket: bool, profile: bool) -> Surroundings {
        let yaml = "default: prod\nprofiles:\n  prod: {server: https://p.example, api_key_file: /k, tailnet: office}\n";
        Surroundings {
            sockets: socket.then(|| "/s/control.sock".into()).into_iter().collect(),
            profiles: if profile { Profiles::parse(yaml, None).unwrap() } else { Profiles::default() },
            ..Surroundings::default()
        }
    }
    fn named_by(flags: Options, around: &Surroundings, purpose: Purpose) -> String {
        match Target::find(&flags, around, purpose) {
            Ok(target) => format!("{} {}", target.named_by, target.tailnet),
            Err(failure) => format!("{}: {:?}", failure.code, failure.exit),
        }
    }

    #[test]
    fn the_nearest_name_wins() {
        let all = Surroundings {
            server: Some("https://e.example".into()),
            api_key_file: Some("/e".into()),
            ..around(true, true)
        };
        let server = Options { server: Some("https://f.example/".into()), ..Options::default() };
        assert_eq!(named_by(server, &all, Purpose::Write), "--server default");
        let socket = Options { socket: Some("/x".into()), ..Options::default() };
        assert_eq!(named_by(socket, &all, Purpose::Write), "--socket default");
        let profile = Options { profile: Some("prod".into()), ..Options::default() };
        assert_eq!(named_by(profile.clone(), &all, Purpose::Write), "MESHCTL_SERVER default");
        assert_eq!(named_by(profile, &around(true, true), Purpose::Write), "profile prod office");
        assert_eq!(named_by(Options::default(), &around(true, false), Purpose::Write), "found here default");
        assert_eq!(named_by(Options::default(), &around(false, true), Purpose::Write), "profile prod office");
        assert_eq!(named_by(Options::default(), &around(false, false), Purpose::Read), "no_server: Usage");
    }

    #[test]
    fn two_candidates_may_be_looked_at_but_not_changed() {
        let both = around(true, true);
        assert_eq!(named_by(Options::default(), &both, Purpose::Read), "found here default");
        assert_eq!(named_by(Options::default(), &both, Purpose::Write), "ambiguous_server: Usage");
    }

    #[test]
    fn a_credential_in_the_clear_is_mentioned_unless_it_stays_on_this_machine() {
        let notes = |url: &str| {
            let flags =
                Options { server: Some(url.into()), api_key_file: Some("/k".into()), ..Options::default() };
            Target::find(&flags, &around(false, false), Purpose::Read).unwrap().notes.len()
        };
        assert_eq!(notes("http://mesh.example.com:8080"), 1);
        for quiet in
            ["https://mesh.example.com", "http://127.0.0.1:8080/", "http://[::1]:80", "http://localhost"]
        {
            assert_eq!(notes(quiet), 0, "{quiet}");
        }
    }

    #[test]
    fn a_server_without_a_credential_or_scheme_is_refused() {
        let flags = Options { server: Some("https://m.example".into()), ..Options::default() };
        assert_eq!(named_by(flags, &around(true, false), Purpose::Read), "usage: Usage");
        let flags = Options {
            server: Some("m.example".into()),
            api_key_file: Some("/k".into()),
            ..Options::default()
        };
        assert_eq!(named_by(flags, &around(true, false), Purpose::Read), "usage: Usage");
    }
}

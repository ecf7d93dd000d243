//! `meshctl server reload` and SIGHUP, on a server in a process of its own, as a service manager runs it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::net::UnixDatagram,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

const MESHCTL: &str = env!("CARGO_BIN_EXE_meshctl");
const PATIENCE: Duration = Duration::from_secs(30);

struct Running {
    process: Child,
    manager: UnixDatagram,
}

impl Running {
    /// With `mesh.yaml` of the folder.
    fn start(folder: &Path) -> Self {
        let manager = UnixDatagram::bind(folder.join("notify")).unwrap();
        manager.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut command = meshctl(folder, &["server", "run", "--config", "mesh.yaml"]);
        command.env("NOTIFY_SOCKET", folder.join("notify")).stdout(Stdio::piped());
        command.stderr(fs::File::create(folder.join("log")).unwrap());
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("serving "), "{line} {}", fs::read_to_string(folder.join("log")).unwrap());
        let running = Self { process, manager };
        assert_eq!(running.told(), "READY=1");
        running
    }

    /// The next word to the service manager.
    fn told(&self) -> String {
        let mut bytes = [0; 512];
        let length = self.manager.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.process.id()).unwrap()), signal).unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn meshctl(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(MESHCTL);
    command.args(words).env_clear().env("HOME", folder).current_dir(folder).stdin(Stdio::null());
    command
}

/// Exit code, and what is said on both streams.
fn reload(folder: &Path, words: &[&str]) -> (i32, String) {
    let output = meshctl(folder, &[&["server", "reload"], words].concat()).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), said)
}

/// A loopback address of this process, and the rest of the file.
fn write(folder: &Path, rest: &str) {
    let [.., high, low] = std::process::id().to_be_bytes();
    let head = format!("listen: '127.85.{high}.{low}:8080'\nrelay: {{enabled: false}}\n");
    fs::write(folder.join("mesh.yaml"), head + rest).unwrap();
}

#[test]
fn a_reload_says_what_came_of_it_and_a_signal_does_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "");
    let mut server = Running::start(folder);
    assert_eq!(reload(folder, &[]), (0, "read again; nothing is different\n".to_owned()));

    write(folder, "leaving_grace: 1m\n");
    assert_eq!(reload(folder, &["--check"]), (0, "would apply leaving_grace\n".to_owned()));
    let (code, said) = reload(folder, &["--json"]);
    assert!(code == 0 && said.contains(r#""applied":["leaving_grace"],"changed":true"#), "{said}");
    assert_eq!(reload(folder, &["--check"]), (0, "would change nothing\n".to_owned()));

    write(folder, "leaving_grace: 2m\nepehmeral_grace: 1h\n");
    let (code, said) = reload(folder, &[]);
    assert!(code == 1 && said.contains("mesh.yaml: epehmeral_grace: unknown key"), "{said}");
    assert!(said.contains("did you mean ephemeral_grace?") && said.contains("nothing was changed"), "{said}");
    write(folder, "leaving_grace: 2m\ndomain: net.example\n");
    let (code, said) = reload(folder, &[]);
    assert!(code == 1 && said.contains("cannot change domain") && said.contains("hint: "), "{said}");
    fs::remove_file(folder.join("mesh.yaml")).unwrap();
    let (code, said) = reload(folder, &[]);
    assert!(code == 1 && said.contains("cannot read mesh.yaml"), "{said}");

    write(folder, "leaving_grace: 3m\n");
    server.signal(Signal::SIGHUP);
    let reloading = server.told();
    let usec = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
    assert!(usec.parse::<u64>().unwrap() > 0);
    assert_eq!(server.told(), "READY=1");
    assert_eq!(reload(folder, &["--check"]).1, "would change nothing\n", "the signal has had it applied");
    write(folder, "lisen: x\n");
    server.signal(Signal::SIGHUP);
    assert!(server.told().starts_with("RELOADING=1"));
    assert_eq!(server.told(), "READY=1");
    assert!(fs::read_to_string(folder.join("log")).unwrap().contains("THE CONFIGURATION IS NOT RELOADED"));

    server.signal(Signal::SIGTERM);
    assert_eq!(server.told(), "STOPPING=1");
    assert_eq!(server.process.wait().unwrap().code(), Some(0));
}

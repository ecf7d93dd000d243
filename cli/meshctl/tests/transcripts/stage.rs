//! A folder of its own for each page, an empty environment, and a server if the page wants one.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

const MESHCTL: &str = env!("CARGO_BIN_EXE_meshctl");

pub struct Stage {
    folder: TempDir,
    server: Option<(Child, u16)>,
}

impl Stage {
    pub fn set(with_server: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = with_server.then(|| serve(folder.path()));
        Self { folder, server }
    }
    /// Writes a file of the page.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    /// `http://SERVER` in the words is the server's URL. What it says: standard output, standard error, the exit code unless it is 0.
    pub fn run(&self, words: &[String]) -> Vec<String> {
        let port = self.server.as_ref().map_or(1, |(_, port)| *port);
        let words = words.iter().map(|w| w.replace("SERVER", &format!("127.0.0.1:{port}")));
        let output = command(self.folder.path()).args(words).stdin(Stdio::null()).output().unwrap();
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        let mut lines: Vec<String> = text.iter().flat_map(|t| t.lines()).map(str::to_owned).collect();
        match output.status.code() {
            Some(0) => {}
            Some(code) => lines.push(format!("[exit {code}]")),
            None => lines.push("[killed]".to_owned()),
        }
        lines
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some((server, _)) = &mut self.server {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new(MESHCTL);
    command.env_clear().env("HOME", folder).current_dir(folder);
    command
}

/// Returns once clients are served.
fn serve(folder: &Path) -> (Child, u16) {
    let port = ports::free_address().port();
    let config = format!("listen: 127.0.0.1:{port}\ndata_dir: mesh-data\nrelay: {{enabled: false}}\n");
    fs::write(folder.join("server.yaml"), config).unwrap();
    let arguments = ["server", "run", "--config", "server.yaml"];
    let mut server = command(folder).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.starts_with("serving "), "the server said {first:?}");
    (server, port)
}

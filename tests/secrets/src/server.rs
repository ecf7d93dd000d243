//! A server without a relay in the folder of a bench.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use crate::{Bench, bench::meshctl};

/// Ends with the value.
pub struct Server {
    child: Child,
    pub port: u16,
}

impl Server {
    /// Returns once it serves.
    pub fn start(bench: &Bench) -> Self {
        let port = ports::free_address().port();
        let config = format!("listen: 127.0.0.1:{port}\ndata_dir: mesh-data\nrelay: {{enabled: false}}\n");
        bench.write("server.yaml", &config);
        let mut command: Command = bench.command(&meshctl());
        command
            .args(["server", "run", "--config", "server.yaml"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        assert!(first.starts_with("serving "), "the server said {first:?}");
        Self { child, port }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! A small service that holds an API key in a file, answers its health by calling the server with it, and is asked
//! every 100 ms whether it may.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// Serves until it is dropped.
pub struct Consumer {
    pub port: u16,
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<()>>,
}

impl Consumer {
    /// Holds what stands in `key`, and calls the server on `api`.
    pub fn start(key: PathBuf, api: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (stop, asked, refused) = <(Arc<AtomicBool>, Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
        let serving = {
            let stop = stop.clone();
            thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    answer(stream, &key, api);
                }
            })
        };
        let asking = {
            let (stop, asked, refused) = (stop.clone(), asked.clone(), refused.clone());
            thread::spawn(move || {
                while !stop.load(Ordering::SeqCst) {
                    let status = get(port, "/healthz", None);
                    asked.fetch_add(1, Ordering::SeqCst);
                    refused.fetch_add(usize::from(status != Some(200)), Ordering::SeqCst);
                    thread::sleep(Duration::from_millis(100));
                }
            })
        };
        Self { port, stop, asked, refused, threads: vec![serving, asking] }
    }
    /// How often it was asked, and how often it could not.
    pub fn count(&self) -> (usize, usize) {
        (self.asked.load(Ordering::SeqCst), self.refused.load(Ordering::SeqCst))
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn answer(stream: TcpStream, key: &Path, api: u16) {
    let mut line = String::new();
    let mut reader = BufReader::new(&stream);
    while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
        line.clear();
    }
    let key = fs::read_to_string(key).unwrap_or_default();
    let good = get(api, "/api/mesh/v1/tailnet/default/apikey", Some(key.trim())) == Some(200);
    let status = if good { "200 OK" } else { "503 Service Unavailable" };
    let _ = write!(&stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

/// The status of a request on loopback.
fn get(port: u16, path: &str, key: Option<&str>) -> Option<u16> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let authorization = key.map(|k| format!("Authorization: Bearer {k}\r\n")).unwrap_or_default();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n{authorization}Connection: close\r\n\r\n")
        .ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    text.split(' ').nth(1)?.parse().ok()
}

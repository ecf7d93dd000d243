//! Where DERP maps are fetched from: an HTTP server that answers as a test says.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::house::free_address;

/// What the next requests get.
#[derive(Debug, Clone)]
pub enum Answer {
    Text(String),
    Status(u16),
    /// To itself.
    Redirect,
    /// 1 GiB by its headers, and as much of it as is read.
    Huge,
    /// Chunks without an end.
    Endless,
    /// A byte of the headers now and then.
    Trickle,
    /// Half of what the headers say, then the end.
    Torn,
    Silence,
    Bytes(Vec<u8>),
}

/// Ends with its last user.
pub struct Origin {
    address: SocketAddr,
    answer: Arc<Mutex<Answer>>,
    running: JoinHandle<()>,
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl Origin {
    pub async fn open(answer: Answer) -> Self {
        let (address, answer) = (free_address(), Arc::new(Mutex::new(answer)));
        let listener = TcpListener::bind(address).await.unwrap();
        let said = answer.clone();
        let running = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let answer = said.lock().unwrap().clone();
                tokio::spawn(serve(socket, answer));
            }
        });
        Self { address, answer, running }
    }

    pub fn url(&self) -> String {
        format!("http://{}/derp.json", self.address)
    }

    pub fn says(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }
}

/// Gives up when the other side does.
async fn serve(mut socket: TcpStream, answer: Answer) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await?);
    }
    // What is left unread would tear the answer.
    let asked = String::from_utf8_lossy(&head).to_lowercase();
    let length =
        asked.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse().ok());
    socket.read_exact(&mut vec![0; length.unwrap_or(0)]).await?;
    let head = |rest: &str| format!("HTTP/1.1 200 OK\r\nConnection: close\r\n{rest}\r\n");
    match answer {
        Answer::Text(text) => socket.write_all((head("") + &text).as_bytes()).await,
        Answer::Bytes(bytes) => socket.write_all(&[head("").as_bytes(), &bytes].concat()).await,
        Answer::Status(status) => {
            let line = format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n");
            socket.write_all(line.as_bytes()).await
        }
        Answer::Redirect => {
            let line = b"HTTP/1.1 302 Found\r\nLocation: /derp.json\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            socket.write_all(line).await
        }
        Answer::Huge => {
            socket.write_all(head("Content-Length: 1073741824\r\n").as_bytes()).await?;
            let block = vec![b' '; 1 << 20];
            for _ in 0..1024 {
                socket.write_all(&block).await?;
            }
            Ok(())
        }
        Answer::Endless => {
            socket.write_all(head("Transfer-Encoding: chunked\r\n").as_bytes()).await?;
            loop {
                socket.write_all(b"4\r\n    \r\n").await?;
            }
        }
        Answer::Trickle => loop {
            socket.write_all(b"H").await?;
            tokio::time::sleep(Duration::from_millis(100)).await;
        },
        Answer::Torn => {
            socket.write_all((head("Content-Length: 100\r\n") + "{\"Regions\": {").as_bytes()).await
        }
        Answer::Silence => std::future::pending().await,
    }
}

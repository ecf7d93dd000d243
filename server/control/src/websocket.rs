//! A WebSocket as a stream of bytes: binary messages, whose borders mean nothing.

use std::io;

use axum::extract::ws::{Message, WebSocket};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt, future::ready};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::io::{CopyToBytes, SinkWriter, StreamReader};

/// The bytes of all binary messages in a row; a text message ends the stream with an error.
pub fn bytes_of(socket: WebSocket) -> impl AsyncRead + AsyncWrite + Unpin + Send + 'static {
    let (sink, stream) = socket.split();
    let stream = stream.filter_map(|message| ready(payload(message).transpose()));
    let message = |bytes: Bytes| ready(Ok::<_, io::Error>(Message::Binary(bytes)));
    let sink = sink.sink_map_err(io::Error::other).with(message);
    tokio::io::join(StreamReader::new(stream), SinkWriter::new(CopyToBytes::new(sink)))
}

fn payload(message: Result<Message, axum::Error>) -> io::Result<Option<Bytes>> {
    match message.map_err(io::Error::other)? {
        Message::Binary(bytes) => Ok(Some(bytes)),
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) => Ok(None),
        Message::Text(_) => Err(io::ErrorKind::InvalidData.into()),
    }
}

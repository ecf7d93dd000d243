//! The Noise channel of the control protocol: handshake (IK, X25519, ChaCha20-Poly1305, BLAKE2s) and records.
//!
//! Enters: bytes in any chunking, and the ephemeral key as an argument. Leaves: bytes, and who the other side is.
//! Must not know: HTTP, JSON, sockets, randomness.

mod frame;
mod handshake;
mod key;
mod primitive;
mod record;

pub use frame::{INITIATION_LEN, RECORD_MAX_PLAINTEXT, RESPONSE_LEN, error_frame};
pub use handshake::{Accepted, HandshakeError, Initiator, Responder, initiation_version};
pub use key::{PrivateKey, PrivateKeyError};
pub use record::{Opener, RecordError, Sealer, Transport};

//! The lines a peer obeys.

use std::str::FromStr;

/// One line of standard input. `to` is a mesh address or the name of a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `self`: what the client holds of its own node
    Own,
    /// `peer TO`: what the client holds of a peer; `null` if it has none such
    Peer { to: String },
    /// `watch NAME...`: a `peers` event at once and whenever one of them changes
    Watch { names: Vec<String> },
    /// `serve-tcp PORT`, `serve-udp PORT`: echo from here on
    Serve { transport: Transport, port: u16 },
    /// `dial-tcp TO PORT [COUNT [SIZE]]`, `dial-udp ...`: send and await the echo, COUNT times SIZE bytes
    Dial { transport: Transport, to: String, port: u16, count: u32, size: usize },
    /// `quit`
    Quit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Tcp,
    Udp,
}

/// The largest echo: fits a datagram within the mesh's packets of 1280 bytes.
pub const LARGEST: usize = 1200;

const USAGE: &str = "self | peer TO | watch NAME... | serve-tcp PORT | serve-udp PORT | \
                     dial-tcp TO PORT [COUNT [SIZE]] | dial-udp TO PORT [COUNT [SIZE]] | quit";

impl FromStr for Command {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        use Transport::{Tcp, Udp};
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["self"] => Ok(Self::Own),
            ["peer", to] => Ok(Self::Peer { to: (*to).to_owned() }),
            ["watch", names @ ..] if !names.is_empty() => {
                Ok(Self::Watch { names: names.iter().map(|name| (*name).to_owned()).collect() })
            }
            ["serve-tcp", port] => Ok(Self::Serve { transport: Tcp, port: port.parse()? }),
            ["serve-udp", port] => Ok(Self::Serve { transport: Udp, port: port.parse()? }),
            ["dial-tcp", to, port, rest @ ..] => dial(Tcp, to, port, rest),
            ["dial-udp", to, port, rest @ ..] => dial(Udp, to, port, rest),
            ["quit"] => Ok(Self::Quit),
            _ => anyhow::bail!("`{line}` is none of: {USAGE}"),
        }
    }
}

fn dial(transport: Transport, to: &str, port: &str, rest: &[&str]) -> anyhow::Result<Command> {
    let (count, size) = match rest {
        [] => (1, 16),
        [count] => (count.parse()?, 16),
        [count, size] => (count.parse()?, size.parse()?),
        _ => anyhow::bail!("a dial takes TO PORT [COUNT [SIZE]]"),
    };
    anyhow::ensure!((8..=LARGEST).contains(&size), "SIZE is 8 to {LARGEST} bytes");
    Ok(Command::Dial { transport, to: to.to_owned(), port: port.parse()?, count, size })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dial_has_defaults() {
        let short: Command = "dial-udp web 7".parse().unwrap();
        assert_eq!(short, "dial-udp  web 7 1 16".parse().unwrap());
    }

    #[test]
    fn what_is_not_a_command_is_told_what_is() {
        for line in ["", "dial-tcp web", "serve-tcp 70000", "watch", "dial-udp web 7 1 9000", "quit now"] {
            assert!(line.parse::<Command>().is_err(), "{line}");
        }
    }
}

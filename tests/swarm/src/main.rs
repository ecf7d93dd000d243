//! The program: `swarm --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    swarm::main()
}

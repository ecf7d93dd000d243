//! The local socket belongs to the user who runs the server.

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        net::UnixStream,
        process::CommandExt,
    },
    path::Path,
    process::Command,
    thread::sleep,
    time::Duration,
};

use control_tests::patience::PATIENCE;
use nix::unistd::geteuid;

use crate::house::{House, config, free_address, soon, start, without_relay};

/// Nobody in particular.
const STRANGER: u32 = 65_534;
const SOCKET: &str = "SURROUNDINGS_SOCKET";

#[tokio::test(flavor = "multi_thread")]
async fn the_socket_and_the_folder_are_for_their_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("deep/er");
    let file = control::config::File { listen: Some(free_address().to_string()), ..without_relay() };
    let server = start(config(&data, &file)).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(&server.ready().socket), 0o600);
    assert_eq!(mode(&data), 0o700);
    for entry in fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path) & 0o022, 0, "{} can be written by others", path.display());
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_user_is_not_served_even_when_the_files_would_let_him_in() {
    if let Some(socket) = std::env::var_os(SOCKET) {
        return call(Path::new(&socket));
    }
    let house = House::open(without_relay()).await;
    let socket = house.server.ready().socket.clone();
    let open = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    open(house.folder(), 0o755);
    open(&socket, 0o666);
    // Others may not go where this program is.
    let program = house.folder().join("caller");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    open(&program, 0o755);

    assert!(called_by(None, &program, &socket).await.contains("answered HTTP/1.1 200 OK"), "its owner");
    if geteuid().is_root() {
        assert!(
            called_by(Some(STRANGER), &program, &socket).await.contains("answered nothing"),
            "a stranger"
        );
    }
    house.admin.call(&api::server::STATUS, &[], &()).await.unwrap();
    house.close().await;
}

/// Runs this test in a process of another user, where it is only the caller.
async fn called_by(uid: Option<u32>, program: &Path, socket: &Path) -> String {
    let mut command = Command::new(program);
    let this = "local::another_user_is_not_served_even_when_the_files_would_let_him_in";
    command.args(["--exact", this, "--nocapture"]).env(SOCKET, socket).current_dir("/");
    if let Some(uid) = uid {
        command.uid(uid).gid(uid);
    }
    let output = tokio::task::spawn_blocking(move || {
        loop {
            match command.output() {
                // Another test has just made a process, which for a moment holds the copy open as it was written.
                Err(e) if e.kind() == ErrorKind::ExecutableFileBusy => sleep(Duration::from_millis(20)),
                output => return output.unwrap(),
            }
        }
    });
    let output = soon("the caller", output).await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

fn call(socket: &Path) {
    let mut socket = UnixStream::connect(socket).expect("the files let it in");
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let path = api::server::STATUS.path().replace("{tailnet}", api::DEFAULT_TAILNET);
    let _ = write!(socket, "GET {path} HTTP/1.1\r\nHost: mesh\r\nConnection: close\r\n\r\n");
    let mut answer = Vec::new();
    let read = socket.read_to_end(&mut answer);
    assert!(!read.is_err_and(|e| e.kind() == std::io::ErrorKind::WouldBlock), "neither answered nor closed");
    let text = String::from_utf8(answer).unwrap();
    let mut out = std::io::stdout();
    writeln!(out, "answered {}", text.lines().next().unwrap_or("nothing")).unwrap();
}

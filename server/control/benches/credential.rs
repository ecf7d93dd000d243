//! What a credential costs at the door, good or bad: `cargo bench -p control`. The aim is below 5 µs.
#![allow(clippy::unwrap_used, reason = "all of this is measuring code")]

use control::{
    keyring::{Keyring, first_start, mint, present},
    store::Store,
};
use divan::{Bencher, black_box};
use ident::Secret;
use world::Verifier;

fn main() {
    divan::main();
}

fn open() -> (tempfile::TempDir, Keyring) {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("mesh.db");
    let first = first_start(folder.path(), &database).unwrap();
    Keyring::create(folder.path()).unwrap();
    let store = Store::open(&database).unwrap();
    let keyring = Keyring::open(folder.path(), &store, first).unwrap();
    (folder, keyring)
}

/// The header's text to a verdict.
fn check(keyring: &Keyring, known: &Verifier, text: &str) -> bool {
    let presented = present("api", &Secret::new(text.to_owned())).unwrap();
    known.matches(&keyring.verifier(&presented.secret))
}

#[divan::bench(args = ["good", "bad"])]
fn credential(bencher: Bencher, which: &str) {
    let (_folder, keyring) = open();
    let secret = mint();
    let known = keyring.verifier(&secret);
    let shown = if which == "good" { secret } else { mint() };
    let text = format!("mk-api-17-{}", shown.expose());
    assert_eq!(check(&keyring, &known, &text), which == "good");
    bencher.bench_local(|| check(&keyring, &known, black_box(&text)));
}

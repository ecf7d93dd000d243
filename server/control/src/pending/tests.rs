use std::net::{IpAddr, Ipv4Addr};

use wire::Hostinfo;
use world::{Settings, World};

use super::*;
use crate::store::PendingRow;

fn registration(machine: u16, key: u16) -> Registration {
    let bytes = |kind: u8, n: u16| {
        let mut bytes = [kind; 32];
        bytes[..2].copy_from_slice(&n.to_be_bytes());
        bytes
    };
    Registration {
        machine: MachineKey::from_bytes(bytes(1, machine)).unwrap(),
        node_key: NodeKey::from_bytes(bytes(2, key)).unwrap(),
        old_node_key: None,
        proof: None,
        hostinfo: Arc::new(Hostinfo { hostname: "laptop".into(), ..Hostinfo::default() }),
        ephemeral: false,
        expiry: None,
        capver: 130,
    }
}

fn house(n: u32) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::from(0xc000_0200 + n)), 7)
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn take(shelf: &mut Shelf, machine: u16, key: u16, from: u32) -> Result<Arc<Login>, NotTaken> {
    let login = Login::new(&registration(machine, key), house(from).ip(), at(i64::from(key)), at(900));
    shelf.take(login, house(from)).map(|(login, _)| login)
}

fn nobody() -> World {
    World::empty(Settings::default())
}

#[test]
fn a_household_has_its_share_and_a_newcomer_drops_nobody() {
    let (mut shelf, world) = (Shelf::new(), nobody());
    for n in 0..64 {
        take(&mut shelf, n, n, 1).unwrap();
    }
    assert_eq!(take(&mut shelf, 64, 64, 1).unwrap_err(), NotTaken::TooMany);
    take(&mut shelf, 65, 65, 2).unwrap();
    assert_eq!(shelf.waiting(&world, at(1)).len(), 65);
    shelf.look(&world, at(901));
    assert!(shelf.waiting(&world, at(1)).is_empty());
    take(&mut shelf, 64, 64, 1).expect("the places are free again");
}

#[test]
fn all_together_have_16_mib() {
    let (mut shelf, mut taken) = (Shelf::new(), 0_u16);
    while take(&mut shelf, taken, taken, u32::from(taken) / 60).is_ok() {
        taken += 1;
    }
    assert_eq!(taken, 8192);
    assert_eq!(take(&mut shelf, 9000, 9000, 9000).unwrap_err(), NotTaken::TooMany);
    assert_eq!(shelf.waiting(&nobody(), at(1)).len(), 8192);
}

#[test]
fn a_machine_with_key_after_key_drops_its_own_oldest() {
    let (mut shelf, world) = (Shelf::new(), nobody());
    let other = take(&mut shelf, 2, 1, 1).unwrap();
    let first = take(&mut shelf, 1, 1, 1).unwrap();
    for key in 2..=20 {
        take(&mut shelf, 1, key, 1).unwrap();
    }
    assert_eq!(shelf.waiting(&world, at(1)).len(), 1 + 8);
    assert!(shelf.find(&first.code, &world, at(1)).is_none());
    assert!(shelf.find(&other.code, &world, at(1)).is_some());
}

#[test]
fn who_says_too_much_is_not_taken() {
    let mut long = registration(1, 1);
    let tags = (0..64).map(|n| format!("tag:{n}{}", "x".repeat(100))).collect();
    long.hostinfo = Arc::new(Hostinfo { request_tags: tags, ..Hostinfo::default() });
    let login = Login::new(&long, house(1).ip(), at(0), at(900));
    assert_eq!(Shelf::new().take(login, house(1)).unwrap_err(), NotTaken::TooLong);
    let mut wordy = registration(1, 1);
    let long = "é".repeat(200);
    wordy.hostinfo = Arc::new(
        Hostinfo {
            hostname: long.clone(),
            os: long.clone(),
            os_version: long.clone(),
            ipn_version: long,
            ..Hostinfo::default()
        }
        .sanitised(),
    );
    let login = Login::new(&wordy, house(1).ip(), at(0), at(900));
    Shelf::new().take(login, house(1)).expect("the longest names of one device fit");
}

#[test]
fn what_was_written_is_put_back_and_what_is_broken_forgotten() {
    let (mut shelf, world) = (Shelf::new(), nobody());
    let login = take(&mut shelf, 1, 1, 1).unwrap();
    let mut rows = shelf.unwritten().kept;
    rows.push(PendingRow { code: "x".into(), expires: 900, body: "{".into() });
    let mut again = Shelf::new();
    again.put_back(rows);
    assert_eq!(again.find(&login.code, &world, at(1)), Some(login.clone()));
    assert_eq!(again.find(&login.code, &world, at(900)), None);
    assert_eq!(again.unwritten().gone, ["x"]);
    assert_eq!(again.of_keys(login.machine, login.node_key, &world, at(1)), Some(login));
}

#[tokio::test]
async fn a_login_is_waited_for_by_its_own_keys_and_one_request() {
    let mut shelf = Shelf::new();
    let login = take(&mut shelf, 1, 1, 1).unwrap();
    let other = registration(2, 1);
    assert!(shelf.wait(&login.code, other.machine, login.node_key).is_none());
    assert!(shelf.wait(&login.code, login.machine, registration(1, 2).node_key).is_none());
    let (_, first) = shelf.wait(&login.code, login.machine, login.node_key).unwrap();
    let (_, second) = shelf.wait(&login.code, login.machine, login.node_key).unwrap();
    assert!(first.is_cancelled() && !second.is_cancelled());
    shelf.look(&nobody(), at(901));
    assert!(second.is_cancelled(), "its time is over");
}

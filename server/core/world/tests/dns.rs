//! Who is asked for which names: what an edit changes, and what leads clients away from names that they need.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::{IpAddr, Ipv4Addr};

use jiff::Timestamp;
use proptest::{collection::vec, prelude::*};
use world::{Bootstrap, Command, Context, DnsEdit, Draft, Nameserver, Refusal, Settings, World, dns_dangers};

const CONTROL: &str = "control.corp.example";

fn world() -> World {
    World::empty(Settings { domain: "mesh.internal".into(), ..Settings::default() })
}

fn bootstrap() -> Vec<Bootstrap> {
    vec![Bootstrap { name: CONTROL.into(), what: "the control server".into() }]
}

fn say(world: &mut World, command: &Command) -> Result<bool, Refusal> {
    let mut draft = Draft::new(world);
    let step = draft.step(command, Context { now: Timestamp::UNIX_EPOCH, rng: 1 })?;
    *world = draft.world;
    Ok(step.changed())
}

fn edit(world: &mut World, edit: DnsEdit, force: bool) -> Result<bool, Refusal> {
    say(world, &Command::EditDns { edit, bootstrap: bootstrap(), force })
}

fn split(suffix: &str, to: &[&str]) -> DnsEdit {
    let to = to.iter().map(|t| t.parse().unwrap()).collect();
    DnsEdit { split: [(suffix.to_owned(), to)].into(), ..DnsEdit::default() }
}

fn record(name: &str, address: &str) -> Command {
    let addresses = [address.parse().unwrap()].into();
    Command::SetDnsRecord { name: name.into(), addresses, bootstrap: bootstrap(), force: false }
}

#[test]
fn an_edit_leaves_what_it_does_not_name() {
    let mut world = world();
    assert!(edit(&mut world, split("A.Example.", &["9.9.9.9", "9.9.9.9:53"]), false).unwrap());
    assert!(edit(&mut world, split("b.example", &["1.1.1.1"]), false).unwrap());
    assert_eq!(world.dns.settings.split["a.example"].len(), 1, "the same server twice is one");
    assert!(!edit(&mut world, split("b.example", &["1.1.1.1"]), false).unwrap());
    assert!(edit(&mut world, split("b.example", &[]), false).unwrap());
    assert_eq!(world.dns.settings.split.keys().collect::<Vec<_>>(), ["a.example"]);
    assert!(world.dns.settings.magic);
}

#[test]
fn nonsense_is_refused_with_its_name() {
    let mut world = world();
    let long = "x".repeat(300);
    for suffix in ["", ".", "a..b", "-a.example", "ä.example", "1.2.3.4", long.as_str()] {
        let refusal = edit(&mut world, split(suffix, &["9.9.9.9"]), false).unwrap_err();
        assert_eq!(refusal.code(), "bad_name", "{suffix}");
    }
    for suffix in ["mesh.internal", "x.mesh.internal"] {
        assert_eq!(edit(&mut world, split(suffix, &["9.9.9.9"]), false).unwrap_err().code(), "out_of_range");
    }
    let many: Vec<_> = (1..=17).map(|n| Nameserver::Address([9, 9, 9, n].into())).collect();
    let many = DnsEdit { resolvers: Some(many), ..DnsEdit::default() };
    assert_eq!(edit(&mut world, many, true).unwrap_err().code(), "out_of_range");
    assert_eq!(say(&mut world, &record("a b", "192.0.2.1")).unwrap_err().code(), "bad_name");
    assert_eq!(say(&mut world, &record("a", "0.0.0.0")).unwrap_err().code(), "out_of_range");
}

#[test]
fn a_trap_is_refused_with_its_reason_and_recorded_when_it_is_forced() {
    let mut world = world();
    let refusal = edit(&mut world, split("corp.example", &["100.64.0.9"]), false).unwrap_err();
    assert_eq!(refusal.code(), "dns_trap");
    let text = refusal.to_string();
    for part in [CONTROL, "the control server", "100.64.0.9", "corp.example"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(refusal.hint().unwrap().contains("--split"));
    assert!(edit(&mut world, split("corp.example", &["100.64.0.9"]), true).unwrap());
    // What is in danger already keeps nobody from other changes.
    assert!(edit(&mut world, split("other.example", &["100.64.0.9"]), false).unwrap());
    assert_eq!(say(&mut world, &record(CONTROL, "192.0.2.1")).unwrap_err().code(), "dns_trap");
    assert!(edit(&mut world, split(CONTROL, &["9.9.9.9"]), false).unwrap());
    assert!(dns_dangers(&world, &world.dns, &bootstrap()).is_empty());
}

#[test]
fn the_host_of_a_nameservers_url_must_be_found_too() {
    let mut world = world();
    let resolvers = Some(vec!["https://doh.corp2.example/q".parse().unwrap()]);
    assert!(edit(&mut world, DnsEdit { resolvers, ..DnsEdit::default() }, false).unwrap());
    let refusal = edit(&mut world, split("corp2.example", &["[fd7a:115c:a1e0::9]:54"]), false).unwrap_err();
    assert!(refusal.to_string().contains("doh.corp2.example"), "{refusal}");
}

#[test]
fn records_are_in_the_domain_when_they_have_one_label() {
    let mut world = world();
    assert!(say(&mut world, &record("Printer", "192.0.2.1")).unwrap());
    assert!(!say(&mut world, &record("printer.mesh.internal.", "192.0.2.1")).unwrap());
    assert!(say(&mut world, &Command::DeleteDnsRecord { name: "printer".into() }).unwrap());
    let again = say(&mut world, &Command::DeleteDnsRecord { name: "printer".into() });
    assert_eq!(again.unwrap_err().code(), "not_found");
}

#[test]
fn a_file_is_taken_whole_or_not_at_all() {
    let mut world = world();
    let read = |names: &[&str]| Command::ReadDnsRecords {
        records: names.iter().map(|n| ((*n).to_owned(), [IpAddr::from([192, 0, 2, 1])].into())).collect(),
        bootstrap: bootstrap(),
    };
    assert!(say(&mut world, &read(&["a", "b.example"])).unwrap());
    assert!(!say(&mut world, &read(&["a", "b.example"])).unwrap());
    assert_eq!(say(&mut world, &read(&["c", "bad name"])).unwrap_err().code(), "bad_name");
    assert_eq!(say(&mut world, &read(&["c", CONTROL])).unwrap_err().code(), "dns_trap");
    assert_eq!(world.dns.watched.keys().collect::<Vec<_>>(), ["a.mesh.internal", "b.example"]);
}

/// Labels from the last one, so that suffixes are simple to compare.
fn labels(name: &str) -> Vec<&str> {
    name.rsplit('.').collect()
}

fn suffixes() -> impl Strategy<Value = String> {
    let label = prop::sample::select(vec!["example", "corp", "control", "x"]);
    vec(label, 1..4).prop_map(|labels| labels.join("."))
}

fn addresses() -> impl Strategy<Value = Ipv4Addr> {
    prop_oneof![
        any::<u16>().prop_map(|n| Ipv4Addr::from(0x6440_0000 | u32::from(n) << 6)),
        any::<u32>().prop_map(Ipv4Addr::from).prop_filter("a host", |ip| {
            !ip.is_unspecified() && !ip.is_multicast() && *ip != Ipv4Addr::new(100, 100, 100, 100)
        }),
        Just(Ipv4Addr::new(100, 63, 255, 255)),
        Just(Ipv4Addr::new(100, 128, 0, 0)),
    ]
}

proptest! {
    /// The obvious way: every suffix is compared label by label, and an address is of the mesh by its number.
    #[test]
    fn refused_is_what_the_obvious_way_finds(
        split in prop::collection::btree_map(suffixes(), vec(addresses(), 1..3), 0..5),
        global in vec(addresses(), 0..3),
    ) {
        let server = |ip: &Ipv4Addr| Nameserver::Address(IpAddr::V4(*ip));
        let mut world = world();
        let wanted = DnsEdit {
            resolvers: Some(global.iter().map(server).collect()),
            split: split.iter().map(|(s, to)| (s.clone(), to.iter().map(server).collect())).collect(),
            ..DnsEdit::default()
        };
        let control = labels(CONTROL);
        let mut asked = &global;
        for length in 1..=control.len() {
            for (suffix, to) in &split {
                if labels(suffix) == control[..length] {
                    asked = to;
                }
            }
        }
        let of_mesh = |ip: &Ipv4Addr| (0x6440_0000..=0x647f_ffff).contains(&u32::from(*ip));
        let trap = !asked.is_empty() && asked.iter().all(of_mesh);
        let answer = edit(&mut world, wanted.clone(), false);
        prop_assert_eq!(answer.as_ref().err().map(Refusal::code), trap.then_some("dns_trap"));
        prop_assert!(edit(&mut world, wanted, true).is_ok());
        prop_assert_eq!(dns_dangers(&world, &world.dns, &bootstrap()).len(), usize::from(trap));
    }
}

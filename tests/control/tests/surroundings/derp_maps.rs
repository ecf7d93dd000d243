//! Further DERP maps: from files and from URLs, good ones, bad ones and ones that never come.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use control::config::{File, RelayFile};
use serde_json::json;

use crate::{
    house::{House, free_address, join},
    journal,
    origin::{Answer, Origin},
};

/// A start that fetches maps may take so long, however many there are: eight that hang, one by one, would take longer.
const SOON: Duration = Duration::from_secs(15);

fn region(id: u32, host: &str) -> serde_json::Value {
    let node = json!({"Name": format!("{id}a"), "RegionID": id, "HostName": host});
    json!({"RegionID": id, "RegionCode": format!("r{id}"), "RegionName": "Elsewhere", "Nodes": [node]})
}

/// A map of one region.
fn map(id: u32, host: &str) -> String {
    json!({"Regions": {id.to_string(): region(id, host)}}).to_string()
}

fn with(maps: &[String]) -> File {
    let relay = RelayFile {
        listen: Some(free_address().to_string()),
        stun: Some("off".into()),
        ..RelayFile::default()
    };
    File { derp_maps: maps.to_vec(), relay: Some(relay), ..File::default() }
}

fn kept(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn host(house: &House, id: u32) -> Option<String> {
    house.regions().get(&id).map(|r| r.nodes[0].host_name.clone())
}

/// Starts, soon.
async fn opens(maps: &[String]) -> House {
    let start = Instant::now();
    let house = House::open(with(maps)).await;
    assert!(start.elapsed() < SOON, "the start took {:?}", start.elapsed());
    house
}

#[tokio::test(flavor = "multi_thread")]
async fn regions_of_files_and_urls_reach_the_clients_whole() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = "\
# by hand
Regions:
  901:
    RegionID: 901
    RegionCode: yml
    RegionName: 'Written by hand'
    Latitude: 52.5
    Nodes:
      - {Name: 901a, RegionID: 901, HostName: a.example.com, DERPPort: 8443, STUNPort: -1, CanPort80: true}
      - Name: 901b
        RegionID: 901
        HostName: b.example.com
        IPv4: 192.0.2.1
        IPv6: none
        SomethingNewer: {of: [later, versions]}
  '905':
    {RegionID: 905, RegionCode: quoted, RegionName: x, Nodes: [{Name: a, RegionID: 905, HostName: q.example.com}]}
";
    let maps = [
        kept(folder.path(), "map.yaml", yaml),
        kept(folder.path(), "map.json", &map(902, "json.example.com")),
        format!("http://{}/derp.json", free_address()),
    ];
    let origin = Origin::open(Answer::Text(map(904, "url.example.com"))).await;
    let house = opens(&[&maps[..], &[origin.url()]].concat()).await;
    let key = house.key().await;
    let device = join(&house.at().await, &key, "laptop").await;
    let told = device.map().await.derp_map.unwrap();
    assert_eq!(told.regions, house.regions());
    assert_eq!(told.regions.keys().copied().collect::<Vec<_>>(), [900, 901, 902, 904, 905]);
    let by_hand = &told.regions[&901];
    assert_eq!((by_hand.region_code.as_str(), by_hand.region_name.as_str()), ("yml", "Written by hand"));
    assert_eq!(by_hand.latitude.as_ref().and_then(serde_json::Number::as_f64), Some(52.5));
    let [a, b] = by_hand.nodes.as_slice() else { panic!("{by_hand:?}") };
    assert_eq!((a.derp_port, a.stun_port, a.can_port80), (8443, -1, true));
    assert_eq!((b.ipv4.as_str(), b.ipv6.as_str()), ("192.0.2.1", "none"));
    assert_eq!(told.regions[&902].nodes[0].host_name, "json.example.com");
    assert_eq!(told.regions[&904].nodes[0].host_name, "url.example.com");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_that_fails_is_replaced_by_its_last_good_copy() {
    let origin = Origin::open(Answer::Text(map(901, "first.example.com"))).await;
    let mut house = opens(&[origin.url()]).await;
    assert_eq!(host(&house, 901).as_deref(), Some("first.example.com"));
    let nested = "[".repeat(1 << 20);
    let aliases = "a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\n\
        d: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e]\nRegions: {}\n";
    let failures = [
        Answer::Status(500),
        Answer::Status(404),
        Answer::Redirect,
        Answer::Huge,
        Answer::Endless,
        Answer::Trickle,
        Answer::Torn,
        Answer::Silence,
        Answer::Bytes(vec![0xff; 1000]),
        Answer::Text(String::new()),
        Answer::Text("<html>log in first</html>".into()),
        Answer::Text(map(901, "").replace("\"RegionID\":901", "\"RegionID\":902")),
        Answer::Text(nested),
        Answer::Text(aliases.into()),
    ];
    let mut told = 0;
    for failure in failures {
        let what: String = format!("{failure:?}").chars().take(80).collect();
        origin.says(failure);
        let start = Instant::now();
        house = house.restart().await;
        assert!(start.elapsed() < SOON, "{what}: the start took {:?}", start.elapsed());
        assert_eq!(host(&house, 901).as_deref(), Some("first.example.com"), "{what}");
        told += 1;
        let log = journal::lines_with(&format!("{}: ", origin.url()));
        assert_eq!(log.len(), told, "{what}: {log:#?}");
        assert!(log.iter().all(|line| line.contains("WARN")), "{log:#?}");
    }
    origin.says(Answer::Text(map(901, "second.example.com")));
    house = house.restart().await;
    assert_eq!(host(&house, 901).as_deref(), Some("second.example.com"));
    drop(origin);
    house = house.restart().await;
    assert_eq!(host(&house, 901).as_deref(), Some("second.example.com"), "nobody listens there any more");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_urls_that_hang_hold_the_start_up_together_and_not_one_by_one() {
    let mut origins = Vec::new();
    for _ in 0..8 {
        origins.push(Origin::open(Answer::Silence).await);
    }
    origins.push(Origin::open(Answer::Text(map(909, "here.example.com"))).await);
    let urls: Vec<_> = origins.iter().map(Origin::url).collect();
    let house = opens(&urls).await;
    assert_eq!(house.regions().keys().copied().collect::<Vec<_>>(), [900, 909]);
    for url in &urls[..8] {
        assert_eq!(journal::lines_with(url).len(), 1, "{url}");
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn maps_that_clients_would_refuse_are_left_out_with_place_and_reason() {
    let folder = tempfile::tempdir().unwrap();
    let node = |change: &str| map(905, "h.example.com").replace("\"Name\":\"905a\"", change);
    let cases = [
        (
            "mismatch",
            map(905, "h").replace("\"RegionID\":905,\"RegionName\"", "\"RegionID\":906,\"RegionName\""),
            "906",
        ),
        ("zero", map(0, "h.example.com"), "region 0"),
        ("large", map(65_536, "h.example.com"), "region 65536"),
        ("negative", map(905, "h").replace("905", "-905"), "-905"),
        ("nullregion", r#"{"Regions": {"905": null}}"#.into(), "null"),
        ("nullregions", r#"{"Regions": null}"#.into(), "null"),
        ("noregions", "{}".into(), "Regions"),
        ("list", r#"{"Regions": [1, 2]}"#.into(), "sequence"),
        ("nameless", node("\"Name\":\"\""), "region 905"),
        ("hostless", map(905, ""), "region 905"),
        (
            "elsewhere",
            node("\"Name\":\"x\"")
                .replace("\"Name\":\"x\",\"RegionID\":905", "\"Name\":\"x\",\"RegionID\":7"),
            "region 905",
        ),
        ("port", node("\"Name\":\"a\",\"DERPPort\":70000"), "70000"),
        ("text", "not a map".into(), "not a map"),
        ("empty", String::new(), "null"),
        ("torn", "{\"Regions\": {\"905\"".into(), "EOF"),
    ];
    let mut maps: Vec<_> = cases.iter().map(|(name, text, _)| kept(folder.path(), name, text)).collect();
    maps.push(folder.path().join("missing").to_str().unwrap().to_owned());
    maps.push(kept(folder.path(), "good", &map(907, "good.example.com")));
    let house = opens(&maps).await;
    assert_eq!(house.regions().keys().copied().collect::<Vec<_>>(), [900, 907]);
    for (path, (name, text, why)) in maps.iter().zip(&cases) {
        let lines = journal::lines_with(&format!("{path}: "));
        let [line] = lines.as_slice() else { panic!("{name}: {text} gave {lines:?}") };
        assert!(line.contains("ERROR") && line.contains(why), "{name}: {why} in {line}");
    }
    assert_eq!(journal::lines_with("missing: ").len(), 1);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_regions_with_one_number_our_own_and_then_the_first_counts() {
    let folder = tempfile::tempdir().unwrap();
    let both =
        json!({"Regions": {"900": region(900, "thief.example.com"), "901": region(901, "one.example.com")}});
    let maps = [
        kept(folder.path(), "one", &both.to_string()),
        kept(folder.path(), "two", &map(901, "two.example.com")),
    ];
    let house = opens(&maps).await;
    assert_eq!(host(&house, 900).as_deref(), Some("127.0.0.1"));
    assert_eq!(host(&house, 901).as_deref(), Some("one.example.com"));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_was_cut_off_is_left_out_and_made_again() {
    let origin = Origin::open(Answer::Text(map(901, "first.example.com"))).await;
    let mut house = opens(&[origin.url()]).await;
    let copy = fs::read_dir(house.folder()).unwrap().map(|entry| entry.unwrap().path());
    let copy = copy.into_iter().find(|path| path.to_str().unwrap().contains("derp-map-")).unwrap();
    let whole = fs::read(&copy).unwrap();
    origin.says(Answer::Status(500));
    let huge = [whole.as_slice(), &vec![b' '; 2 << 20]].concat();
    for bad in [&whole[..whole.len() / 2], b"", &[0xff; 10], huge.as_slice()] {
        let (folder, file) = house.close().await;
        fs::write(&copy, bad).unwrap();
        house = House::open_in(folder, file).await;
        assert_eq!(house.regions().keys().copied().collect::<Vec<_>>(), [900], "{} bytes", bad.len());
        assert_eq!(fs::read(&copy).unwrap(), bad, "what cannot be read is left for whoever looks");
    }
    origin.says(Answer::Text(map(901, "second.example.com")));
    house = house.restart().await;
    assert_eq!(host(&house, 901).as_deref(), Some("second.example.com"));
    origin.says(Answer::Silence);
    house = house.restart().await;
    assert_eq!(host(&house, 901).as_deref(), Some("second.example.com"));
    house.close().await;
}

//! `meshctl server status`.

use api::server::{STATUS, Status};

use crate::talk::{Answer, Context, Failure, Fields, Render, Screen, ago};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl server status
  meshctl server status --json | jq .counts")]
pub struct Args {}

/// The server's own words, beside the members that say where they came from.
#[derive(serde::Serialize)]
struct Shown {
    status: Status,
}

pub async fn run(context: &Context, _: Args) -> Result<Answer, Failure> {
    let status = context.read(&STATUS, &[], &()).await?;
    Answer::of(context, &Shown { status })
}

impl Render for Shown {
    fn render(&self, screen: &Screen) -> String {
        let s = &self.status;
        let relay = s.relay.as_ref().map_or("off".to_owned(), |r| {
            let stun = r.stun_port.map_or("no STUN".to_owned(), |p| format!("STUN {p}"));
            format!("region {} at {}:{}, {stun}, {} connected", r.region, r.host, r.derp_port, r.connected)
        });
        let policy = match (s.policy_set, s.policy_unreadable) {
            (_, true) => "UNREADABLE, see the warning; set one with `meshctl policy set FILE`",
            (true, false) => "set",
            (false, false) => "none: everything is denied",
        };
        let fields = Fields::default()
            .add("server", &s.server_url)
            .add("version", &s.version)
            .add("started", ago(screen.now, s.started))
            .add("public key", s.public_key)
            .add("domain", &s.domain)
            .add("store", &s.store)
            .add("metrics", s.monitor.map_or("off".to_owned(), |at| format!("http://{at}/metrics")))
            .add("nodes", format!("{}, {} online", s.counts.nodes, s.counts.online))
            .add("users", s.counts.users)
            .add("roles", s.counts.roles)
            .add("usable keys", s.counts.keys)
            .add(
                "untagged keys",
                if s.allow_untagged_keys { "ALLOWED (keys.allow_untagged)" } else { "refused" },
            )
            .add("events", s.counts.events)
            .add("policy", policy)
            .add("relay", relay)
            .add_if("relayed", relayed(s));
        let mut text = match s.set_aside.first() {
            None => fields.render(screen),
            Some(newest) => {
                let since = ago(screen.now, newest.found);
                let many = format!("{} unreadable, the last one {since}", s.set_aside_total);
                fields.add("set aside", many).render(screen)
            }
        };
        for aside in &s.set_aside {
            text.push_str(&format!("  {} {}: {}\n", aside.noun, aside.name, aside.remedy()));
        }
        s.warnings.iter().fold(text, |text, warning| format!("{text}WARNING: {warning}\n"))
    }
}

/// What the relay has passed on and dropped; nothing as long as nothing came.
fn relayed(status: &Status) -> Option<String> {
    let t = status.relay.as_ref()?.traffic;
    let reasons = [
        (t.dropped_queue_full, "queue full"),
        (t.dropped_not_here, "addressee not here"),
        (t.dropped_left, "addressee left"),
    ];
    let came = t.packets + reasons.iter().map(|(count, _)| count).sum::<u64>();
    let dropped: Vec<_> = reasons
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, why)| format!("{count} dropped ({why})"))
        .collect();
    let passed = format!("{} packets, {} bytes", t.packets, t.bytes);
    (came > 0).then(|| [vec![passed], dropped].concat().join(", "))
}

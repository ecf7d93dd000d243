//! Whether a machine may join again by itself: only on the operator's word, and only when its mesh is really gone.

use jiff::Timestamp;

/// An instruction whose signature was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The server to join.
    pub server_url: String,
    /// Its Noise key.
    pub public_key: String,
    /// Its database.
    pub database: String,
    /// Which machines are meant, by name; `*` means all.
    pub nodes: Vec<String>,
    /// From when on.
    pub not_before: Timestamp,
    /// Until when.
    pub expires: Timestamp,
}

/// What was seen on the machine and at the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scene {
    /// The client's state; nothing when it does not answer.
    pub backend: Option<String>,
    /// Whether the client holds a connection to its server.
    pub online: bool,
    /// The name that this machine had in its mesh, or the host's own.
    pub name: String,
    /// The database that this machine's node was in last; nothing when it was never told.
    pub was_in: Option<String>,
    /// What the instruction's server says of itself: key and database; why it could not be asked.
    pub server: Result<(String, String), String>,
    /// How often this instruction was tried, and whether it was used.
    pub tries: u32,
    pub used: bool,
}

/// So often one instruction is tried.
pub const TRIES: u32 = 5;

/// `Ok` says why the machine joins again, `Err` why it does not. What is not known is a reason not to.
pub fn decide(order: &Order, scene: &Scene, now: Timestamp) -> Result<String, String> {
    if now < order.not_before {
        return Err(format!("the instruction holds from {} on", order.not_before));
    }
    if now >= order.expires {
        return Err(format!("the instruction has expired at {}", order.expires));
    }
    let named = |name: &String| name == "*" || name.eq_ignore_ascii_case(&scene.name);
    if !order.nodes.iter().any(named) {
        return Err(format!("the instruction is not for {}", scene.name));
    }
    if scene.used {
        return Err("the instruction was used".to_owned());
    }
    if scene.tries >= TRIES {
        return Err(format!("the instruction was tried {TRIES} times in vain"));
    }
    let why = lost(scene)?;
    let Some(was_in) = &scene.was_in else {
        return Err("it is not known which mesh this machine was in, so that it may have been removed from this very one".to_owned());
    };
    let (key, database) =
        scene.server.as_ref().map_err(|why| format!("{} cannot be asked: {why}", order.server_url))?;
    if *key != order.public_key {
        return Err(format!(
            "{} has the key {key}, and the instruction names {}",
            order.server_url, order.public_key
        ));
    }
    if *database != order.database {
        return Err(format!(
            "{} has the database {database}, and the instruction names {}",
            order.server_url, order.database
        ));
    }
    if was_in == database {
        return Err("this machine was in that very mesh: it was removed or has expired there, which no instruction undoes".to_owned());
    }
    Ok(why)
}

fn lost(scene: &Scene) -> Result<String, String> {
    match (scene.backend.as_deref(), scene.online) {
        (None, _) => Err("the client does not answer".to_owned()),
        (Some("Running" | "Starting"), true) => Err("this machine is well where it is".to_owned()),
        (Some("NeedsLogin"), _) => Ok("the server asks this machine to log in".to_owned()),
        (Some("Running" | "Starting"), false) => Ok("this machine's server does not let it in".to_owned()),
        (Some(other), _) => {
            Err(format!("the client is in the state {other}, which somebody may have wanted"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }
    fn order() -> Order {
        Order {
            server_url: "https://mesh.example.com".into(),
            public_key: "mkey:a".into(),
            database: "new".into(),
            nodes: vec!["web".into()],
            not_before: now(),
            expires: Timestamp::from_second(1_800_003_600).unwrap(),
        }
    }
    fn scene() -> Scene {
        Scene {
            backend: Some("NeedsLogin".into()),
            online: false,
            name: "web".into(),
            was_in: Some("old".into()),
            server: Ok(("mkey:a".into(), "new".into())),
            tries: 0,
            used: false,
        }
    }

    #[test]
    fn a_machine_whose_mesh_is_gone_joins_the_one_that_it_is_told() {
        assert!(decide(&order(), &scene(), now()).is_ok());
        let silent = Scene { backend: Some("Running".into()), ..scene() };
        assert!(
            decide(&order(), &silent, now()).is_ok(),
            "another Noise key: the client runs on what it knew"
        );
        let all = Order { nodes: vec!["*".into()], ..order() };
        assert!(decide(&all, &Scene { name: "x".into(), ..scene() }, now()).is_ok());
    }

    #[test]
    fn everything_else_is_refused() {
        let scenes = [
            ("well where it is", Scene { backend: Some("Running".into()), online: true, ..scene() }),
            ("somebody may have wanted", Scene { backend: Some("Stopped".into()), ..scene() }),
            ("does not answer", Scene { backend: None, ..scene() }),
            ("not for", Scene { name: "db".into(), ..scene() }),
            ("removed or has expired", Scene { was_in: Some("new".into()), ..scene() }),
            ("not known which mesh", Scene { was_in: None, ..scene() }),
            ("cannot be asked", Scene { server: Err("no route".into()), ..scene() }),
            ("has the key", Scene { server: Ok(("mkey:b".into(), "new".into())), ..scene() }),
            ("has the database", Scene { server: Ok(("mkey:a".into(), "third".into())), ..scene() }),
            ("was used", Scene { used: true, ..scene() }),
            ("in vain", Scene { tries: TRIES, ..scene() }),
        ];
        for (word, scene) in scenes {
            let why = decide(&order(), &scene, now()).unwrap_err();
            assert!(why.contains(word), "{word}: {why}");
        }
        let early = Timestamp::from_second(1_799_999_999).unwrap();
        assert!(decide(&order(), &scene(), early).unwrap_err().contains("from"));
        assert!(decide(&order(), &scene(), order().expires).unwrap_err().contains("expired"));
    }
}

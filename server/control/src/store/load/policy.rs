//! Which policy is in force after a start: the stored one, else the last one that was set, else none.

use rusqlite::{Connection, OptionalExtension, params};
use serde::Deserialize;
use world::Prepared;

use super::{StoreError, TAILNET};

/// The body of a row of the log.
#[derive(Deserialize)]
struct Logged {
    policy: String,
}

/// The policy in force, and for people what is wrong with the one that was stored. What is put in its place never opens
/// more: it is what was in force when the server stopped, or nothing.
pub(super) fn found(
    connection: &Connection,
    stored: Option<String>,
) -> Result<(Prepared, Option<String>), StoreError> {
    let why = match stored.as_deref().map(Prepared::parse) {
        Some(Ok(prepared)) => return Ok((prepared, None)),
        Some(Err(e)) => format!("the stored policy cannot be read ({})", e.to_string().replace('\n', "; ")),
        None => "the stored policy is missing".to_owned(),
    };
    let Some((text, at)) = last_set(connection)? else {
        let never = stored.is_none() && !was_set(connection)?;
        let trouble =
            format!("{why}: NOTHING MAY REACH ANYTHING until one is set with `meshctl policy set FILE`");
        return Ok((Prepared::deny_all(), (!never).then_some(trouble)));
    };
    let Ok(prepared) = Prepared::parse(&text) else {
        let trouble = format!(
            "{why}, nor can the one that the log says was set at {at}: NOTHING MAY REACH ANYTHING until one is set \
             with `meshctl policy set FILE`"
        );
        return Ok((Prepared::deny_all(), Some(trouble)));
    };
    put_in_place(connection, stored.as_deref(), &text)?;
    Ok((prepared, Some(format!("{why}: the last one that was set, at {at}, stays in force"))))
}

/// The text of the last policy that was set, and when that was.
fn last_set(connection: &Connection) -> Result<Option<(String, String)>, StoreError> {
    let sql =
        "SELECT body, at FROM event WHERE tailnet = ?1 AND kind = 'policy_set' ORDER BY seq DESC LIMIT 1";
    let row: Option<(String, String)> =
        connection.query_row(sql, [TAILNET], |r| Ok((r.get(0)?, r.get(1)?))).optional()?;
    Ok(row.and_then(|(body, at)| Some((serde_json::from_str::<Logged>(&body).ok()?.policy, at))))
}

/// Whether a policy was ever in force, be its text lost.
fn was_set(connection: &Connection) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM policy_version WHERE tailnet = ?1)";
    Ok(connection.query_row(sql, [TAILNET], |r| r.get(0))?)
}

/// What stood there is kept with other rows that could not be read.
fn put_in_place(connection: &Connection, stored: Option<&str>, text: &str) -> Result<(), StoreError> {
    if let Some(stored) = stored {
        let row = serde_json::json!({ "policy": stored }).to_string();
        connection.execute(
            "INSERT INTO unreadable (tailnet, found, noun, row) VALUES (?1, ?2, 'policy', ?3)",
            params![TAILNET, jiff::Timestamp::now().to_string(), row],
        )?;
    }
    connection.execute("UPDATE tailnet SET policy = ?2 WHERE id = ?1", params![TAILNET, text])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;
    use world::{Command, Context, Draft, Settings, World};

    use super::*;
    use crate::store::{Entry, Loaded, Store, lock};

    const SET: &str = r#"{"tagOwners": {"tag:a": []}, "acls": [{"action": "accept", "src": ["tag:a"], "dst": ["tag:a:22"]}]}"#;

    /// A store whose policy was set, and what then happened to it.
    fn load(sql: &str) -> ((TempDir, Store), Loaded) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("mesh.db")).unwrap();
        let mut draft = Draft::new(&World::empty(Settings::default()));
        let at = "2026-01-02T03:04:05Z".parse().unwrap();
        let command = Command::SetPolicy { prepared: Prepared::parse(SET).unwrap() };
        let step = draft.step(&command, Context { now: at, rng: 1 }).unwrap();
        let entries: Vec<_> =
            step.durable().map(|event| Entry { event, actor: "system", source: "local", at }).collect();
        store.commit(&draft.world, &entries).unwrap();
        lock(&store.writer).execute_batch(sql).unwrap();
        let loaded = store.load(Settings::default()).unwrap();
        ((folder, store), loaded)
    }

    fn in_force(loaded: &Loaded) -> &str {
        loaded.world.policy.policy.text()
    }

    #[test]
    fn a_policy_that_can_be_read_is_no_matter() {
        let (_, loaded) = load("");
        assert_eq!((in_force(&loaded), &loaded.policy), (SET, &None));
    }

    #[test]
    fn in_place_of_a_broken_one_the_last_good_one_stays_in_force() {
        for broken in ["'{\"acls\": ['", "''", "'[]'", "'{\"acl\": []}'", "NULL"] {
            let ((_folder, store), loaded) = load(&format!("UPDATE tailnet SET policy = {broken};"));
            assert_eq!(in_force(&loaded), SET, "{broken}");
            let said = loaded.policy.unwrap();
            assert!(said.contains("2026-01-02T03:04:05Z") && said.contains("stays in force"), "{said}");
            let again = store.load(Settings::default()).unwrap();
            assert_eq!((in_force(&again), &again.policy), (SET, &None));
        }
    }

    #[test]
    fn where_no_good_one_is_known_nothing_reaches_anything() {
        let (_, loaded) = load(
            "UPDATE tailnet SET policy = '{'; UPDATE event SET body = '{\"kind\":\"policy_set\",\"policy\":\"{\"}';",
        );
        assert_eq!(loaded.world.policy, Prepared::deny_all());
        assert!(loaded.policy.unwrap().contains("NOTHING MAY REACH ANYTHING"));
        let (_, loaded) = load("UPDATE tailnet SET policy = '{'; DELETE FROM event;");
        assert_eq!(loaded.world.policy, Prepared::deny_all());
        assert!(loaded.policy.unwrap().contains("cannot be read"));
        let (_, loaded) = load("UPDATE tailnet SET policy = NULL; DELETE FROM event;");
        assert_eq!(loaded.world.policy, Prepared::deny_all());
        assert!(loaded.policy.unwrap().contains("is missing: NOTHING MAY REACH ANYTHING"));
        let (_, loaded) =
            load("UPDATE tailnet SET policy = NULL; DELETE FROM event; DELETE FROM policy_version;");
        assert_eq!((loaded.world.policy, loaded.policy), (Prepared::deny_all(), None), "none was ever set");
    }
}

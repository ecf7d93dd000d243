//! How strictly a server's JSON is read.

use anyhow::Result;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Members in which a null says something.
const NULL_HAS_A_MEANING: [&str; 2] = ["PacketFilters", "CapMap"];

/// Whose words are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Ours: what the strictest client cannot read is an error.
    #[default]
    Strict,
    /// Those of a server that speaks to Go clients only, which take a null for nothing said.
    Go,
}

impl Dialect {
    pub(crate) fn decode<T: DeserializeOwned>(self, json: &[u8]) -> Result<T> {
        if self == Self::Go {
            let mut value = serde_json::from_slice(json)?;
            drop_nulls(&mut value);
            return Ok(serde_json::from_value(value)?);
        }
        Ok(serde_json::from_slice(json)?)
    }
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            let plain = members.iter_mut().filter(|(name, _)| !NULL_HAS_A_MEANING.contains(&name.as_str()));
            plain.for_each(|(_, member)| drop_nulls(member));
        }
        Value::Array(elements) => elements.iter_mut().for_each(drop_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_go_server_may_say_null() {
        let json = br#"{"Error": null, "A": [{"B": null, "C": 1}], "CapMap": {"x": null}}"#;
        let expected = serde_json::json!({"A": [{"C": 1}], "CapMap": {"x": null}});
        assert_eq!(Dialect::Go.decode::<Value>(json).unwrap(), expected);
        assert!(Dialect::Strict.decode::<wire::RegisterResponse>(br#"{"Error": null}"#).is_err());
    }
}

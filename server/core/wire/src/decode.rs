//! Reads the bodies of requests: any spelling of the keys, null for absent, and bounded in depth and size.

use std::{cell::Cell, fmt};

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::spelling::canonical;

/// Nesting that a request may have.
const DEEPEST: u8 = 32;
/// Values that a request may hold, in all.
const MOST_VALUES: u32 = 32 << 10;

/// A body that clients send. Only requests are read with free spelling.
pub trait Request: DeserializeOwned {}

/// Why a body is not the wanted request. The words never repeat texts of the body, which may be secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("the body is not JSON (line {line}, column {column})")]
    Syntax { line: usize, column: usize },
    #[error("the body is nested over {DEEPEST} levels or holds over {MOST_VALUES} values")]
    Bounds,
    #[error("the body does not fit: {0}")]
    Shape(String),
}

/// The request in these bytes. Keys match in any case at every level, unknown ones are ignored (or kept, in a
/// Hostinfo), null is absent. The caller bounds the length of the body; depth and number of values are bounded here.
pub fn decode<T: Request>(body: &[u8]) -> Result<T, DecodeError> {
    let left = Cell::new(MOST_VALUES);
    let mut json = serde_json::Deserializer::from_slice(body);
    let tree = Tree { depth: DEEPEST, left: &left }.deserialize(&mut json).map_err(unreadable)?;
    json.end().map_err(unreadable)?;
    T::deserialize(tree).map_err(|e| DecodeError::Shape(without_texts(&e.to_string())))
}

fn unreadable(e: serde_json::Error) -> DecodeError {
    if e.is_data() {
        return DecodeError::Bounds;
    }
    DecodeError::Syntax { line: e.line(), column: e.column() }
}

/// Cuts out what stands between the first and the last quote.
fn without_texts(message: &str) -> String {
    match (message.find('"'), message.rfind('"')) {
        (Some(first), Some(last)) => format!("{}…{}", &message[..first], &message[last + 1..]),
        _ => message.to_owned(),
    }
}

/// Builds a [`Value`] with canonical keys and without nulls.
#[derive(Clone, Copy)]
struct Tree<'a> {
    depth: u8,
    left: &'a Cell<u32>,
}

impl Tree<'_> {
    fn inner<E: Error>(self) -> Result<Self, E> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| E::custom("too deep"))?;
        Ok(Self { depth, left: self.left })
    }
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Value, D::Error> {
        self.left.set(self.left.get().checked_sub(1).ok_or_else(|| D::Error::custom("too many values"))?);
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E: Error>(self, v: bool) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_i64<E: Error>(self, v: i64) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_u64<E: Error>(self, v: u64) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_f64<E: Error>(self, v: f64) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_str<E: Error>(self, v: &str) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_string<E: Error>(self, v: String) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(inner)? {
            if !item.is_null() {
                items.push(item);
            }
        }
        Ok(Value::Array(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut object = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value_seed(inner)?;
            if value.is_null() {
                continue;
            }
            object.insert(canonical(&key).map_or(key, str::to_owned), value);
        }
        Ok(Value::Object(object))
    }
}

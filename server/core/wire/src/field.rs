//! How single fields are read and written: absent values, zero keys, zero times, base64.

use ident::{DiscoKey, KeyError, MachineKey, NodeKey};
use jiff::Timestamp;

/// Seconds from 1970 to the first instant of year 1, the protocol's "no time".
const NO_TIME: i64 = -62_135_596_800;

/// Whether a value means the same as its key left out.
pub(crate) fn absent<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// For lists whose empty form must never be sent.
pub(crate) fn none_or_empty<T>(list: &Option<Vec<T>>) -> bool {
    list.as_ref().is_none_or(Vec::is_empty)
}

/// A key whose zero form and empty text mean "none".
pub(crate) trait OptionalKey: Sized {
    fn read(text: &str) -> Result<Option<Self>, KeyError>;
}

macro_rules! optional {
    ($($key:ty),*) => {$(
        impl OptionalKey for $key {
            fn read(text: &str) -> Result<Option<Self>, KeyError> {
                Self::parse_optional(text)
            }
        }
    )*};
}
optional!(DiscoKey, MachineKey, NodeKey);

pub(crate) mod key {
    use std::fmt::Display;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::OptionalKey;

    pub(crate) fn serialize<K: Display, S: Serializer>(key: &Option<K>, s: S) -> Result<S::Ok, S::Error> {
        match key {
            Some(key) => s.collect_str(key),
            None => s.serialize_str(""),
        }
    }
    pub(crate) fn deserialize<'de, K: OptionalKey, D: Deserializer<'de>>(
        d: D,
    ) -> Result<Option<K>, D::Error> {
        let text = Option::<String>::deserialize(d)?;
        K::read(text.as_deref().unwrap_or_default()).map_err(D::Error::custom)
    }
}

pub(crate) mod time {
    use serde::{Deserialize, Deserializer};

    use super::{NO_TIME, Timestamp};

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Timestamp>, D::Error> {
        let time = Option::<Timestamp>::deserialize(d)?;
        Ok(time.filter(|t| t.as_second() > NO_TIME))
    }
}

pub(crate) mod base64 {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&STANDARD.encode(bytes))
    }
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(d)?).map_err(D::Error::custom)
    }
}

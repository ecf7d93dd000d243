//! What tools of many ages write where they mean a number, a yes, a list or a time.

use std::fmt;

use serde::{
    Deserializer,
    de::{Error, SeqAccess, Visitor},
};

/// The largest id: 2^53 - 1, so that readers of JSON keep it exact.
const MOST: u64 = (1 << 53) - 1;
const ID: &str = "a whole number from 1 to 2^53-1";

/// An id, as a number or a string; an empty string is none, which is 0.
pub(super) fn id<'de, D: Deserializer<'de>>(d: D) -> Result<u64, D::Error> {
    struct Id;
    impl Visitor<'_> for Id {
        type Value = u64;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(ID)
        }
        fn visit_u64<E: Error>(self, n: u64) -> Result<u64, E> {
            let fits = (1..=MOST).contains(&n);
            fits.then_some(n).ok_or_else(|| E::custom(format_args!("{n} is not {ID}")))
        }
        fn visit_i64<E: Error>(self, n: i64) -> Result<u64, E> {
            u64::try_from(n)
                .map_err(|_| E::custom(format_args!("{n} is not {ID}")))
                .and_then(|n| self.visit_u64(n))
        }
        fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
            if text.is_empty() {
                return Ok(0);
            }
            let digits = text.bytes().all(|b| b.is_ascii_digit());
            match text.parse() {
                Ok(n) if digits => self.visit_u64(n),
                _ => Err(E::custom(format_args!(
                    "{:?} is not {ID}",
                    text.chars().take(40).collect::<String>()
                ))),
            }
        }
    }
    d.deserialize_any(Id)
}

/// An id that must be there.
pub(super) fn needed<'de, D: Deserializer<'de>>(d: D) -> Result<u64, D::Error> {
    match id(d)? {
        0 => Err(D::Error::custom(format_args!("nothing is there, and {ID} is needed"))),
        id => Ok(id),
    }
}

/// A name, or an id as a number or a text; of a number only what an id can be.
pub(super) fn word<'de, D: Deserializer<'de>>(d: D) -> Result<String, D::Error> {
    struct Word;
    impl Visitor<'_> for Word {
        type Value = String;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a name, or {ID}")
        }
        fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
            Ok(text.to_owned())
        }
        fn visit_u64<E: Error>(self, n: u64) -> Result<String, E> {
            let fits = (1..=MOST).contains(&n);
            fits.then(|| n.to_string()).ok_or_else(|| E::custom(format_args!("{n} is not {ID}")))
        }
        fn visit_i64<E: Error>(self, n: i64) -> Result<String, E> {
            Err(E::custom(format_args!("{n} is not {ID}")))
        }
    }
    d.deserialize_any(Word)
}

/// Yes or no, as itself or as a text.
pub(super) fn flag<'de, D: Deserializer<'de>>(d: D) -> Result<bool, D::Error> {
    struct Flag;
    impl Visitor<'_> for Flag {
        type Value = bool;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("true or false")
        }
        fn visit_bool<E: Error>(self, yes: bool) -> Result<bool, E> {
            Ok(yes)
        }
        fn visit_str<E: Error>(self, text: &str) -> Result<bool, E> {
            match text {
                "true" | "1" => Ok(true),
                "false" | "0" | "" => Ok(false),
                _ => Err(E::custom("neither true nor false")),
            }
        }
    }
    d.deserialize_any(Flag)
}

/// Texts; one alone need not be in a list, and null among them is nothing.
pub(super) fn texts<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<String>, D::Error> {
    struct Texts;
    impl<'de> Visitor<'de> for Texts {
        type Value = Vec<String>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of texts")
        }
        fn visit_str<E: Error>(self, text: &str) -> Result<Vec<String>, E> {
            Ok(Vec::from_iter((!text.is_empty()).then(|| text.to_owned())))
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<String>, A::Error> {
            let mut texts = Vec::new();
            while let Some(text) = list.next_element::<Option<String>>()? {
                texts.extend(text);
            }
            Ok(texts)
        }
    }
    d.deserialize_any(Texts)
}

//! Where a machine says it stands.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::field::absent;

/// A place, as exit nodes announce it. What is not known is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Location {
    #[serde(skip_serializing_if = "absent")]
    pub country: String,
    /// ISO 3166-1 alpha-2.
    #[serde(skip_serializing_if = "absent")]
    pub country_code: String,
    #[serde(skip_serializing_if = "absent")]
    pub city: String,
    #[serde(skip_serializing_if = "absent")]
    pub city_code: String,
    #[serde(skip_serializing_if = "absent")]
    pub latitude: Degrees,
    #[serde(skip_serializing_if = "absent")]
    pub longitude: Degrees,
    /// The highest one wins; 0 is no preference. No client takes a negative one.
    #[serde(skip_serializing_if = "absent")]
    pub priority: u32,
}

impl Location {
    /// For a field that a client may fill with anything: what is no place is none.
    pub(crate) fn if_it_fits<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Self>, D::Error> {
        let value = Value::deserialize(d)?;
        Ok(if value.is_object() { serde_json::from_value(value).ok() } else { None })
    }

    pub(crate) fn texts(&mut self) -> [&mut String; 4] {
        [&mut self.country, &mut self.country_code, &mut self.city, &mut self.city_code]
    }
}

/// An angle of at most 180° either way, in millionths, so that it is read back as it was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Degrees(i32);

impl TryFrom<f64> for Degrees {
    type Error = &'static str;
    fn try_from(degrees: f64) -> Result<Self, Self::Error> {
        if !(-180.0..=180.0).contains(&degrees) {
            return Err("an angle is at most 180 degrees either way");
        }
        Ok(Self((degrees * 1e6).round() as i32))
    }
}

impl From<Degrees> for f64 {
    fn from(degrees: Degrees) -> Self {
        Self::from(degrees.0) / 1e6
    }
}

//! A moment: RFC 3339 in JSON, seconds and nanoseconds in protocol buffers (`google.protobuf.Timestamp`).

use jiff::Timestamp;
use prost::Message;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// A moment.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Stamp {
    /// Since 1970 in UTC.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// 0 to 999,999,999.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

impl Stamp {
    /// The zero of Go's times: never, or nothing said.
    pub const NEVER: Self = Self { seconds: -62_135_596_800, nanos: 0 };

    /// The moment itself; none for [`Stamp::NEVER`].
    pub fn moment(self) -> Result<Option<Timestamp>, &'static str> {
        if self == Self::NEVER {
            return Ok(None);
        }
        Timestamp::new(self.seconds, self.nanos).map(Some).map_err(|_| "no time between the years 1 and 9999")
    }
}

impl From<Timestamp> for Stamp {
    fn from(at: Timestamp) -> Self {
        Self { seconds: at.as_second(), nanos: at.subsec_nanosecond() }
    }
}

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&Timestamp::new(self.seconds, self.nanos).map_err(serde::ser::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        match text.as_str() {
            "" => Ok(Self::NEVER),
            text => {
                let no_time = |_| D::Error::custom("no time: for example 2030-01-31T00:00:00Z");
                Ok(text.parse::<Timestamp>().map_err(no_time)?.into())
            }
        }
    }
}

/// A number as a text, as JSON has numbers of 64 bits.
pub(super) fn as_text<S: Serializer>(number: &u64, s: S) -> Result<S::Ok, S::Error> {
    s.collect_str(number)
}

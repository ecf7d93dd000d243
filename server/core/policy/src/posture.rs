//! What a device must be like to count as a source, and what is known of it.

use std::{cmp::Ordering, collections::BTreeMap, fmt, sync::Arc};

/// What a client tells about its machine; an empty text is what it does not tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traits {
    /// Name of the machine.
    pub host: String,
    /// Operating system.
    pub os: String,
    /// Version of the operating system.
    pub os_version: String,
    /// Version of the client; what follows the first dash names a build.
    pub version: String,
    /// Whether the client updates itself.
    pub auto_update: Option<bool>,
    /// Whether the client's state is encrypted.
    pub state_encrypted: Option<bool>,
}

/// The postures of which a device must have one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Guard(Arc<[Posture]>);

/// A posture: all its assertions must hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Posture {
    pub(crate) name: String,
    pub(crate) assertions: Arc<[Assertion]>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Assertion {
    pub(crate) attribute: Attribute,
    pub(crate) test: Test,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Attribute {
    Host,
    Os,
    OsVersion,
    AutoUpdate,
    ReleaseTrack,
    StateEncrypted,
    Version,
    /// Of a namespace of which this server knows nothing, with its namespace.
    Elsewhere(String),
}

/// What a test takes a device to be: all of its attributes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Supposed(pub(crate) BTreeMap<Attribute, Value>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Test {
    IsSet,
    NotSet,
    In(Vec<Value>),
    NotIn(Vec<Value>),
    Equal(Value),
    Unequal(Value),
    /// Only versions have an order.
    Ordered(Order, Value),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Order {
    Less,
    AtMost,
    More,
    AtLeast,
}

/// A value as it is written; a number is its text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value {
    Text(String),
    Flag(bool),
}

/// What a device has.
enum Known<'t> {
    Text(&'t str),
    Version(&'t str),
    Flag(bool),
}

impl Guard {
    pub(crate) fn of(postures: Vec<Posture>) -> Self {
        Self(postures.into())
    }

    /// Whether the device has one of the postures. Of a device of which nothing is known, none holds.
    pub(crate) fn holds(&self, traits: Option<&Traits>) -> bool {
        let Some(traits) = traits else { return false };
        self.0.iter().any(|posture| posture.assertions.iter().all(|assertion| assertion.holds(traits)))
    }

    /// Whether a device that is so has one of the postures.
    pub(crate) fn holds_for(&self, supposed: &Supposed) -> bool {
        let holds = |assertion: &Assertion| assertion.test.holds(supposed.known(&assertion.attribute));
        self.0.iter().any(|posture| posture.assertions.iter().all(holds))
    }
}

/// `posture:a or posture:b`
impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter().map(|posture| posture.name.as_str()).collect();
        f.write_str(&names.join(" or "))
    }
}

impl Assertion {
    /// What is not known never holds, of whatever is asked; of what a client could have told and did not, it holds that
    /// it is not set.
    fn holds(&self, traits: &Traits) -> bool {
        !matches!(self.attribute, Attribute::Elsewhere(_)) && self.test.holds(self.attribute.of(traits))
    }
}

impl Supposed {
    fn known(&self, attribute: &Attribute) -> Option<Known<'_>> {
        Some(match (self.0.get(attribute)?, attribute) {
            (Value::Flag(flag), _) => Known::Flag(*flag),
            (Value::Text(text), Attribute::Host | Attribute::Os | Attribute::ReleaseTrack) => {
                Known::Text(text)
            }
            (Value::Text(text), _) => Known::Version(text),
        })
    }
}

impl Test {
    fn holds(&self, known: Option<Known>) -> bool {
        let Some(known) = known else { return *self == Test::NotSet };
        match self {
            Test::IsSet => true,
            Test::NotSet => false,
            Test::In(values) => values.iter().any(|value| known.equals(value) == Some(true)),
            Test::NotIn(values) => values.iter().all(|value| known.equals(value) == Some(false)),
            Test::Equal(value) => known.equals(value) == Some(true),
            Test::Unequal(value) => known.equals(value) == Some(false),
            Test::Ordered(order, value) => known.compared(value).is_some_and(|found| order.fits(found)),
        }
    }
}

impl Attribute {
    fn of<'t>(&self, traits: &'t Traits) -> Option<Known<'t>> {
        let version = traits.version.split('-').next().unwrap_or_default();
        let told = |text: &str| !text.is_empty();
        match self {
            Self::Host => Some(traits.host.as_str()).filter(|text| told(text)).map(Known::Text),
            Self::Os => Some(traits.os.as_str()).filter(|text| told(text)).map(Known::Text),
            Self::OsVersion => Some(traits.os_version.as_str()).filter(|text| told(text)).map(Known::Version),
            Self::Version => Some(version).filter(|text| told(text)).map(Known::Version),
            Self::ReleaseTrack => track(version).map(Known::Text),
            Self::AutoUpdate => traits.auto_update.map(Known::Flag),
            Self::StateEncrypted => traits.state_encrypted.map(Known::Flag),
            Self::Elsewhere(_) => None,
        }
    }
}

/// The second number of a stable version is even.
fn track(version: &str) -> Option<&'static str> {
    let minor: u64 = version.split('.').nth(1)?.parse().ok()?;
    Some(if minor.is_multiple_of(2) { "stable" } else { "unstable" })
}

impl Known<'_> {
    /// None where the two are not of one kind. Letter case does not matter: clients write macOS, policies macos.
    fn equals(&self, value: &Value) -> Option<bool> {
        match (self, value) {
            (Self::Flag(flag), Value::Flag(wanted)) => Some(flag == wanted),
            (Self::Text(text), Value::Text(wanted)) => Some(text.to_lowercase() == wanted.to_lowercase()),
            (Self::Version(text), Value::Text(wanted)) => Some(match (numbers(text), numbers(wanted)) {
                (Some((numbers, rest)), Some((others, other))) => {
                    numbers == others && rest.eq_ignore_ascii_case(other)
                }
                _ => text.to_lowercase() == wanted.to_lowercase(),
            }),
            (Self::Flag(_) | Self::Text(_) | Self::Version(_), _) => None,
        }
    }

    fn compared(&self, value: &Value) -> Option<Ordering> {
        let (Self::Version(text), Value::Text(wanted)) = (self, value) else { return None };
        let (Some((numbers, _)), Some((others, _))) = (numbers(text), numbers(wanted)) else { return None };
        Some(numbers.cmp(&others))
    }
}

impl Order {
    fn fits(self, found: Ordering) -> bool {
        match self {
            Self::Less => found.is_lt(),
            Self::AtMost => found.is_le(),
            Self::More => found.is_gt(),
            Self::AtLeast => found.is_ge(),
        }
    }
}

/// The numbers that a version begins with, without zeros at their end, and what follows them; none when it does not
/// begin with one.
fn numbers(version: &str) -> Option<(Vec<u64>, &str)> {
    let (mut numbers, mut rest) = (Vec::new(), version);
    loop {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        numbers.push(rest[..end].parse().ok()?);
        rest = &rest[end..];
        let next = rest.strip_prefix('.').filter(|next| next.starts_with(|c: char| c.is_ascii_digit()));
        let Some(next) = next else { break };
        rest = next;
    }
    while numbers.last() == Some(&0) {
        numbers.pop();
    }
    Some((numbers, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::assertion;

    fn mac() -> Traits {
        Traits {
            host: "Alices-Mac".into(),
            os: "macOS".into(),
            os_version: "13.4.0".into(),
            version: "1.70.2-t0123-gabc".into(),
            auto_update: Some(false),
            state_encrypted: None,
        }
    }

    fn holds(text: &str, traits: &Traits) -> bool {
        assertion(text).unwrap().holds(traits)
    }

    #[test]
    fn assertions_are_read_off_what_a_client_tells() {
        for text in [
            "node:os == 'macos'",
            "node:os != 'linux'",
            "node:os IN ['linux', 'macos']",
            "node:os NOT IN ['linux', 'windows']",
            "node:host == 'alices-mac'",
            "node:osVersion == '13.4'",
            "node:osVersion >= 13",
            "node:osVersion > '9.10'",
            "node:tsVersion >= '1.9'",
            "node:tsVersion == '1.70.2'",
            "node:tsVersion < '1.100'",
            "node:tsReleaseTrack == 'stable'",
            "node:tsAutoUpdate == false",
            "node:tsAutoUpdate != true",
            "node:tsStateEncrypted NOT SET",
            "node:os IS SET",
        ] {
            assert!(holds(text, &mac()), "{text}");
        }
        for text in [
            "node:os == 'linux'",
            "node:os > 'linux'",
            "node:os != true",
            "node:tsVersion >= '1.80'",
            "node:tsVersion > 'new'",
            "node:tsAutoUpdate == 'false'",
            "node:os NOT SET",
            "node:os NOT IN ['linux', 'macOS']",
        ] {
            assert!(!holds(text, &mac()), "{text}");
        }
    }

    #[test]
    fn what_is_not_known_never_holds() {
        for test in ["== 'x'", "!= 'x'", "< '1'", "IN ['x']", "NOT IN ['x']", "IS SET"] {
            for name in
                ["node:os", "node:osVersion", "node:tsReleaseTrack", "node:tsStateEncrypted", "ip:country"]
            {
                assert!(!holds(&format!("{name} {test}"), &Traits::default()), "{name} {test}");
            }
        }
        for name in ["custom:tier", "ip:country", "falcon:ztaScore"] {
            assert!(!holds(&format!("{name} NOT SET"), &mac()), "{name}");
        }
        let any =
            Posture { name: "posture:x".into(), assertions: [assertion("node:os NOT SET").unwrap()].into() };
        assert!(Guard::of(vec![any.clone()]).holds(Some(&Traits::default())));
        assert!(!Guard::of(vec![any]).holds(None));
    }

    #[test]
    fn one_posture_with_all_its_assertions_is_enough() {
        let posture = |texts: &[&str]| Posture {
            name: String::new(),
            assertions: texts.iter().map(|text| assertion(text).unwrap()).collect(),
        };
        let good = posture(&["node:os == 'macos'", "node:tsVersion >= '1.70'"]);
        let bad = posture(&["node:os == 'macos'", "node:tsVersion >= '1.71'"]);
        assert!(Guard::of(vec![bad.clone(), good]).holds(Some(&mac())));
        assert!(!Guard::of(vec![bad]).holds(Some(&mac())));
        assert!(!Guard::of(Vec::new()).holds(Some(&mac())));
    }
}

//! Whose device it is: a person's, or its tags'. Never both, never nobody.

use ident::{Tag, UserId};
use serde::{Deserialize, Serialize};

/// A sorted list without duplicates that holds at least one value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Vec<T>", into = "Vec<T>", bound = "T: Ord + Clone + Serialize + for<'a> Deserialize<'a>")]
pub struct NonEmpty<T: Ord + Clone>(Vec<T>);

impl<T: Ord + Clone> NonEmpty<T> {
    /// The values, sorted and without duplicates; `None` when there are none.
    pub fn new(mut values: Vec<T>) -> Option<Self> {
        values.sort();
        values.dedup();
        (!values.is_empty()).then_some(Self(values))
    }
    /// The values in order.
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }
    /// Whether the value is among them.
    pub fn contains(&self, value: &T) -> bool {
        self.0.binary_search(value).is_ok()
    }
}

impl<T: Ord + Clone> TryFrom<Vec<T>> for NonEmpty<T> {
    type Error = &'static str;
    fn try_from(values: Vec<T>) -> Result<Self, Self::Error> {
        Self::new(values).ok_or("at least one value is needed")
    }
}
impl<T: Ord + Clone> From<NonEmpty<T>> for Vec<T> {
    fn from(values: NonEmpty<T>) -> Vec<T> {
        values.0
    }
}

/// Who owns a device.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// A person.
    User(UserId),
    /// Its tags; no person's rights apply.
    Tags(NonEmpty<Tag>),
}

impl Owner {
    /// The tags, or none for a person's device.
    pub fn tags(&self) -> &[Tag] {
        match self {
            Owner::User(_) => &[],
            Owner::Tags(tags) => tags.as_slice(),
        }
    }
    /// The owner, or none for a tagged device.
    pub fn user(&self) -> Option<UserId> {
        match self {
            Owner::User(id) => Some(*id),
            Owner::Tags(_) => None,
        }
    }
    /// What is unique together with the machine key: one node per machine and person, and one tagged node per machine.
    pub fn slot(&self) -> Option<UserId> {
        self.user()
    }
}

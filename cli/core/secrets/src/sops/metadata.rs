//! The `sops` section of a file.

use zeroize::Zeroizing;

use super::{Error, select::Select, value::Sealed};
use crate::{
    age::{self, Identities},
    document::{Document, Leaf, Node, Place, Value},
};

/// What the section says.
pub struct Metadata {
    pub select: Select,
    pub mac_only_encrypted: bool,
    pub last_modified: String,
    pub mac: Sealed,
    pub recipients: Vec<Recipient>,
}

/// Somebody who can open the file.
pub struct Recipient {
    pub name: String,
    /// An armored age file with the data key in it.
    pub enc: String,
}

impl Metadata {
    /// From the first document of a file.
    pub fn of(document: &Document) -> Result<Self, Error> {
        let section = section(document).ok_or(Error::Metadata("`sops` is missing"))?;
        let groups =
            section.get("key_groups").map(|n| matches!(&n.value, Value::Sequence(s) if !s.is_empty()));
        if groups == Some(true) {
            return Err(Error::Unsupported("a data key that is split among groups"));
        }
        let text = |key: &'static str| section.get(key).and_then(Node::text).ok_or(Error::Metadata(key));
        let mac = Sealed::parse(text("mac")?).ok_or(Error::Metadata("mac"))?;
        Ok(Self {
            select: Select::of(section)?,
            mac_only_encrypted: section.get("mac_only_encrypted").and_then(Node::text) == Some("true"),
            last_modified: text("lastmodified")?.to_owned(),
            mac,
            recipients: recipients(section)?,
        })
    }
    /// The key of the values, by whichever recipient's part opens.
    pub fn data_key(&self, identities: &Identities) -> Result<Zeroizing<[u8; 32]>, Error> {
        let mut last = age::Error::NoRecipient;
        for recipient in &self.recipients {
            match age::open(recipient.enc.as_bytes(), identities) {
                Ok(text) => {
                    let key = <[u8; 32]>::try_from(text.as_slice());
                    return key
                        .map(Zeroizing::new)
                        .map_err(|_| Error::Metadata("a data key of another length"));
                }
                Err(e) => last = worse(last, e),
            }
        }
        Err(Error::DataKey(last))
    }
}

/// Of two reasons, the one that says more than `not for us`.
fn worse(old: age::Error, new: age::Error) -> age::Error {
    match old {
        age::Error::NoRecipient | age::Error::WrongIdentity => new,
        old => old,
    }
}

fn recipients(section: &Node) -> Result<Vec<Recipient>, Error> {
    let Some(Value::Sequence(items)) = section.get("age").map(|n| &n.value) else {
        return Err(Error::Unsupported("a file without age recipients"));
    };
    let one = |item: &Node| {
        let (name, enc) = (item.get("recipient")?.text()?, item.get("enc")?.text()?);
        Some(Recipient { name: name.to_owned(), enc: enc.to_owned() })
    };
    items.iter().map(|i| one(i).ok_or(Error::Metadata("age"))).collect()
}

/// The section of the first document.
pub fn section(document: &Document) -> Option<&Node> {
    document.roots().first()?.get("sops").filter(|n| n.get("mac").is_some())
}

/// A value of the section in every document that has one.
pub fn member<'a>(document: &'a Document, key: &str) -> Vec<Leaf<'a>> {
    let under = |place: &Place| place.steps.len() == 2 && place.is_under("sops");
    document.leaves().into_iter().filter(|l| under(&l.place) && l.place.keys().nth(1) == Some(key)).collect()
}

//! A YAML file of known keys, as far as it can be read: what is wrong with one key hides nothing of the others.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_yaml::{Mapping, Value};

use super::{Mistake, unknown};

/// What has the right type, and a mistake for each key that is unknown or has another; an error when nothing of the text can
/// be read. `known` are dotted paths, each behind the one that it is in.
pub fn read<T>(path: &Path, text: &str, known: &[&str]) -> Result<(T, Vec<Mistake>), Vec<Mistake>>
where
    T: DeserializeOwned + Default,
{
    let place = path.display().to_string();
    let whole =
        |message: String| vec![Mistake { place: place.clone(), key: String::new(), message, hint: None }];
    let value: Value = serde_yaml::from_str(text).map_err(|e| whole(e.to_string()))?;
    if value.is_null() {
        return Ok((T::default(), Vec::new()));
    }
    if !value.is_mapping() {
        return Err(whole("not a list of keys and values".into()));
    }
    let mut mistakes = unknown::keys(&place, &value, known);
    let file = typed(&place, value, known, &mut mistakes);
    Ok((file, mistakes))
}

/// What has the right type; the rest is left out and becomes mistakes.
fn typed<T>(place: &str, mut value: Value, known: &[&str], mistakes: &mut Vec<Mistake>) -> T
where
    T: DeserializeOwned + Default,
{
    for key in known.iter().rev() {
        let path: Vec<&str> = key.split('.').collect();
        let Some(found) = path.iter().try_fold(&value, |value, name| value.get(name)) else { continue };
        let inside = |value, name: &&str| Value::from(Mapping::from_iter([(Value::from(*name), value)]));
        let alone = path.iter().rev().fold(found.clone(), inside);
        let Err(e) = serde_yaml::from_value::<T>(alone) else { continue };
        mistakes.push(Mistake {
            place: place.into(),
            key: (*key).into(),
            message: e.to_string(),
            hint: None,
        });
        let Some((name, above)) = path.split_last() else { continue };
        let parent = above.iter().try_fold(&mut value, |value, name| value.get_mut(name));
        parent.and_then(Value::as_mapping_mut).map(|parent| parent.remove(*name));
    }
    serde_yaml::from_value(value).unwrap_or_default()
}

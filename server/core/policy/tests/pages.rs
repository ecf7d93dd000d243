//! Plays the literate pages of `tests/policy`: each policy with its nodes must give what the page expects.

#[cfg(test)]
#[path = "literate/facts.rs"]
mod facts;
#[cfg(test)]
#[path = "literate/page.rs"]
mod page;
#[cfg(test)]
#[path = "literate/play.rs"]
mod play;
#[cfg(test)]
#[path = "literate/whole.rs"]
mod whole;

use std::path::Path;

use page::{Reading, Scene};
use policy::Policy;

/// What is not as a page says, by each reading that it is for.
#[cfg(test)]
fn wrongs(scene: &Scene) -> Vec<String> {
    let says = |text: &str| scene.expect.iter().any(|line| line.contains(text));
    match scene.reading {
        Reading::Server => play::play(scene),
        Reading::Language => whole::play(scene),
        // A running server refuses what it does not do yet.
        Reading::Both if says("is not supported yet") => play::play(scene),
        Reading::Both if Policy::parse(&scene.policy).is_err() => whole::play(scene),
        Reading::Both => play::play(scene).into_iter().chain(whole::play(scene)).collect(),
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the pages are files, and this is a test")]
fn pages_tell_the_truth() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/policy");
    let mut played = 0;
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        for scene in page::scenes(&std::fs::read_to_string(&path).unwrap()) {
            wrong.extend(wrongs(&scene).into_iter().map(|what| format!("{name}:{}: {what}", scene.line)));
            played += 1;
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(played >= 15, "only {played} scenes were found");
}

/// A page that lies must be caught, or the test above proves nothing.
#[test]
fn lies_are_caught() {
    let page = |expect: &str| {
        format!(
            "```hujson\n{{\"acls\": [{{\"action\": \"accept\", \"src\": [\"a@\"], \"dst\": [\"b@:22\"]}}]}}\n```\n\
             ```nodes\none a 100.64.0.1\ntwo b 100.64.0.2\n```\n```expect\n{expect}\n```\n"
        )
    };
    let wrongs = |expect: &str| page::scenes(&page(expect)).iter().flat_map(wrongs).count();
    assert_eq!(wrongs("one sees two\ntwo allows one -> self:22\none allows nothing"), 0);
    // Both readings find a lie about what both know.
    for lie in
        ["one sees nobody", "two allows one -> self:23", "two allows nothing", "one sees three", "one gets x"]
    {
        assert_eq!(wrongs(lie), 2, "{lie}");
    }
    for lie in ["huh", "fails x", "one owns tag:x"] {
        assert_ne!(wrongs(lie), 0, "{lie}");
    }
    let told = |expect: &str| page::scenes(&page(expect).replace("hujson", "hujson language"));
    let wrongs = |expect: &str| told(expect).iter().flat_map(self::wrongs).count();
    assert_eq!(wrongs("one sees two\none grants nothing\ntwo has nothing"), 0);
    for lie in
        ["two grants one -> x.y/z", "one has x", "fails x", "error 1:1 x", "one owns tag:x", "one is x"]
    {
        assert_eq!(wrongs(lie), 1, "{lie}");
    }
}

//! The page of stories is what the stories say of themselves.

use std::fs;
use std::path::Path;

#[test]
fn the_page_of_stories_is_the_stories_own() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/lab-stories.md");
    let page = lab::story::stories_page();
    if std::env::var_os("UPDATE_STORIES").is_some() {
        fs::write(&file, &page).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    let line = page.lines().zip(written.lines()).position(|(ours, theirs)| ours != theirs);
    let line = line.unwrap_or_else(|| written.lines().count().min(page.lines().count())) + 1;
    assert!(
        page == written,
        "docs/reference/lab-stories.md says something else from line {line} on; UPDATE_STORIES=1 writes it anew"
    );
}

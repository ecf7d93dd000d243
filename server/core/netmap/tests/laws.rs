//! Random histories of a small tailnet, followed by model clients of both families that read at random moments.

#[cfg(test)]
#[path = "laws/obvious.rs"]
mod obvious;
#[cfg(test)]
#[path = "laws/reader.rs"]
mod reader;
#[cfg(test)]
#[path = "laws/story.rs"]
mod story;
#[cfg(test)]
#[path = "laws/tailnet.rs"]
mod tailnet;

use netmap::{Concern, Origin, visible};
use proptest::prelude::*;
use reader::{Readers, fresh};
use story::{Chapter, chapters};
use tailnet::Tailnet;

/// Plays a story; after each chapter some readers read. Returns everything that was said.
fn play(chapters: &[Chapter]) -> Result<String, TestCaseError> {
    let (mut tailnet, mut readers, mut said) = (Tailnet::new(), Readers::default(), String::new());
    for chapter in chapters {
        tailnet.live_through(chapter);
        let world = tailnet.world();
        world.check_invariants().map_err(TestCaseError::fail)?;
        for node in world.nodes.iter().filter(|n| chapter.reads(n.id)) {
            said += &readers.read(&tailnet, node)?;
        }
        readers.forget_absent(world);
    }
    Ok(said)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Replay, and the rendered messages say the same; inside, visibility and silence are looked at with every read.
    #[test]
    fn who_applies_every_difference_holds_what_a_fresh_map_says(story in chapters()) {
        let said = play(&story)?;
        prop_assert_eq!(said, play(&story)?, "the same story is told twice in the same words");
    }

    #[test]
    fn a_peer_is_seen_if_and_only_if_the_policy_lets_either_side_reach_the_other(story in chapters()) {
        let mut tailnet = Tailnet::new();
        for chapter in &story {
            tailnet.live_through(chapter);
        }
        let world = tailnet.world();
        let signature = |n: &world::Node| tailnet::signature(world, n);
        for viewer in world.nodes.iter() {
            let message = fresh(world, viewer);
            let mut told: Vec<_> = message.peers.iter().flatten().map(|p| p.id).collect();
            told.sort();
            let both_in = |n: &world::Node| viewer.class.is_some() && n.class.is_some() && n.id != viewer.id;
            let compiled = world.classes.compiled();
            let is_own = |n: &world::Node| {
                let owner = viewer.owner.user();
                owner.is_some() && owner == n.owner.user() && compiled.sees_own(&signature(viewer), &signature(n))
            };
            let right = world.nodes.iter().filter(|n| {
                both_in(n) && (is_own(n) || compiled.sees(&signature(viewer), &signature(n)))
            });
            prop_assert_eq!(&told, &right.map(|n| n.id).collect::<Vec<_>>());
            prop_assert!(visible(world, None).next().is_none());
        }
    }

    #[test]
    fn who_may_log_in_and_what_nodes_are_is_what_the_obvious_way_finds(story in chapters()) {
        let mut tailnet = Tailnet::new();
        for chapter in &story {
            tailnet.live_through(chapter);
            let world = tailnet.world();
            let Some(answer) = obvious::answer(world) else { continue };
            for node in world.nodes.iter().filter(|node| node.class.is_some()) {
                let map = fresh(world, node);
                prop_assert_eq!(obvious::told(&map), obvious::found(&answer[&node.name], &map), "{}", node.name);
            }
        }
    }

    #[test]
    fn sources_are_the_same_where_they_come_from_the_same(story in chapters()) {
        let mut tailnet = Tailnet::new();
        for chapter in &story {
            tailnet.live_through(chapter);
            let Some(span) = tailnet.last_span() else { continue };
            let origins = |world: &world::World| {
                let rules = 0..world.classes.compiled().rules().len();
                rules.filter_map(|rule| Some((rule, Origin::of(world, rule)?))).collect::<Vec<_>>()
            };
            let (old, new) = (origins(&span.old), origins(&span.new));
            for (was, is) in old.iter().flat_map(|was| new.iter().map(move |is| (was, is))) {
                if was.1.is_same(&is.1) {
                    let sources = (netmap::sources(&span.old, was.0), netmap::sources(&span.new, is.0));
                    prop_assert_eq!(sources.0, sources.1);
                }
            }
        }
    }

    #[test]
    fn nobody_is_woken_too_rarely_and_nothing_new_is_nothing_said(story in chapters()) {
        let mut tailnet = Tailnet::new();
        for chapter in &story {
            tailnet.live_through(chapter);
            let Some(span) = tailnet.last_span() else { continue };
            let mut concern = Concern::new(&span);
            for node in span.new.nodes.iter() {
                let Some(was) = span.old.nodes.get(node.id) else { continue };
                let told = span.delta(node.id, &mut |rule| netmap::sources(&span.new, rule).into());
                prop_assert!(concern.of(node.id) || told.is_empty());
                let (before, after) = span.classes_of(node.id);
                let named = concern.is_everybody() || concern.named().contains(&node.id);
                prop_assert_eq!(named || concern.of_class(after, node.id), concern.of(node.id));
                prop_assert!(before == after || named, "only who is named may have another class");
                if !span.regroups(node.id) && fresh(&span.old, was) == fresh(&span.new, node) {
                    // Sources may change and come to the same again.
                    let silent = told.iter().all(|m| {
                        *m == wire::MapResponse { packet_filters: m.packet_filters.clone(), ..Default::default() }
                    });
                    prop_assert!(silent, "{told:?}");
                }
            }
        }
    }
}

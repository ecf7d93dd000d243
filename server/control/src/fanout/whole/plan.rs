//! What all viewers of a class are told of everybody, page by page, kept up as the World goes on: who comes next costs
//! what has changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use ident::UserId;
use netmap::Block;
use world::{ClassId, Page, World};

use crate::fanout::{Encoding, frame::FrameError, lock};

/// Pages in all plans together, of some 6 kB each where a class sees everybody; more are made anew when they are asked for.
const MOST_PAGES: usize = 1 << 15;
/// Plans that are kept however many pages there are.
const FEW: usize = 16;

type Key = (ClassId, Encoding);

/// The plans of all classes that somebody of came lately.
#[derive(Debug, Default)]
pub(in crate::fanout) struct Plans(Mutex<BTreeMap<Key, Arc<Mutex<Plan>>>>);

/// What a class is told in one World.
pub(in crate::fanout) struct Told {
    /// Packed peers, with a comma behind them; empty where nobody is seen.
    pub(in crate::fanout) pages: Vec<(Page, Bytes)>,
    /// Whom these belong to.
    pub(in crate::fanout) users: BTreeSet<UserId>,
}

#[derive(Debug, Default)]
struct Plan {
    epoch: u64,
    pages: BTreeMap<Page, Sheet>,
    /// On how many pages they have a device.
    users: BTreeMap<UserId, usize>,
}

#[derive(Debug)]
struct Sheet {
    version: u64,
    /// Whether it says the same as long as the version is the same.
    lasts: bool,
    packed: Bytes,
    users: BTreeSet<UserId>,
}

impl Plans {
    /// As of this World. `pack` is asked for pages that are not known as they are.
    pub(in crate::fanout) fn of(
        &self,
        world: &World,
        class: ClassId,
        encoding: Encoding,
        pack: &mut dyn FnMut(&Block) -> Result<Bytes, FrameError>,
    ) -> Result<Told, FrameError> {
        let plan = self.kept((class, encoding), world.nodes.pages().count());
        let mut plan = lock(&plan);
        plan.follow(world, class, pack)?;
        let pages = plan.pages.iter().map(|(page, sheet)| (*page, sheet.packed.clone()));
        Ok(Told { pages: pages.collect(), users: plan.users.keys().copied().collect() })
    }

    fn kept(&self, key: Key, pages: usize) -> Arc<Mutex<Plan>> {
        let mut plans = lock(&self.0);
        if !plans.contains_key(&key) && plans.len() >= FEW.max(MOST_PAGES / pages.max(1)) {
            plans.clear();
        }
        plans.entry(key).or_default().clone()
    }
}

impl Plan {
    fn follow(
        &mut self,
        world: &World,
        class: ClassId,
        pack: &mut dyn FnMut(&Block) -> Result<Bytes, FrameError>,
    ) -> Result<(), FrameError> {
        if self.epoch != world.classes.epoch() {
            *self = Self { epoch: world.classes.epoch(), ..Self::default() };
        }
        let mut known = 0;
        for (page, version) in world.nodes.pages() {
            known += 1;
            if self.pages.get(&page).is_some_and(|sheet| sheet.lasts && sheet.version == version) {
                continue;
            }
            let block = Block::on(world, page, class);
            let packed = if block.is_empty() { Bytes::new() } else { pack(&block)? };
            self.put(page, Sheet { version, lasts: !block.has_routes(), packed, users: block.users() });
        }
        if self.pages.len() > known {
            self.drop_those_not_in(world);
        }
        Ok(())
    }

    fn put(&mut self, page: Page, sheet: Sheet) {
        for user in &sheet.users {
            *self.users.entry(*user).or_default() += 1;
        }
        if let Some(old) = self.pages.insert(page, sheet) {
            self.forget(&old);
        }
    }

    fn drop_those_not_in(&mut self, world: &World) {
        let known: BTreeSet<Page> = world.nodes.pages().map(|(page, _)| page).collect();
        let gone: Vec<Page> = self.pages.keys().filter(|page| !known.contains(page)).copied().collect();
        for page in gone {
            if let Some(old) = self.pages.remove(&page) {
                self.forget(&old);
            }
        }
    }

    fn forget(&mut self, sheet: &Sheet) {
        for user in &sheet.users {
            let left = self.users.get(user).map_or(0, |pages| pages - 1);
            match left {
                0 => self.users.remove(user),
                _ => self.users.insert(*user, left),
            };
        }
    }
}

//! Bytes that know nothing of their meaning.

use crate::{Dice, pool::Pool};

const EDGES: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, b'"', b'\n', 0x20];

/// A parent with a few changes: bits, bytes, lengths, pieces moved, cut, doubled or taken from another parent.
pub fn damaged(pool: &Pool, dice: &mut Dice) -> Vec<u8> {
    let mut input = pool.pick(dice).to_vec();
    for _ in 0..dice.few() {
        change(&mut input, pool, dice);
    }
    input
}

/// The same with the first byte kept, which says what the rest is.
pub fn framed(pool: &Pool, dice: &mut Dice) -> Vec<u8> {
    let parent = pool.pick(dice).to_vec();
    let Some((kind, rest)) = parent.split_first() else { return parent };
    let mut rest = rest.to_vec();
    for _ in 0..dice.few() {
        change(&mut rest, pool, dice);
    }
    rest.insert(0, *kind);
    rest
}

fn change(input: &mut Vec<u8>, pool: &Pool, dice: &mut Dice) {
    let (at, end) = (dice.below(input.len()), dice.below(input.len() + 1));
    let piece = at.min(end)..at.max(end);
    match dice.below(9) {
        0 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << dice.below(8);
            }
        }
        1 => {
            if let Some(byte) = input.get_mut(at) {
                *byte = dice.roll() as u8;
            }
        }
        2 => {
            if let (Some(byte), Some(edge)) = (input.get_mut(at), dice.pick(&EDGES)) {
                *byte = *edge;
            }
        }
        3 => length(input, at, dice),
        4 => drop(input.drain(piece)),
        5 => {
            let copy = input[piece].to_vec();
            input.splice(at..at, copy);
        }
        6 => {
            let other = pool.pick(dice);
            let from = dice.below(other.len());
            let to = from + dice.below(other.len() - from + 1);
            input.splice(piece, other[from..to].iter().copied());
        }
        7 => input.insert(at, dice.roll() as u8),
        _ => input.truncate(end),
    }
}

/// Writes something like a big-endian length.
fn length(input: &mut [u8], at: usize, dice: &mut Dice) {
    let values: [u32; 13] =
        [0, 1, 15, 16, 17, 0xff, 0x100, 0xfff, 0x1000, 0xffff, 0x1_0000, 0x7fff_ffff, 0xffff_ffff];
    let value = dice.pick(&values).copied().unwrap_or_default();
    let width = [2, 4][dice.below(2)];
    let bytes = &value.to_be_bytes()[4 - width..];
    if let Some(place) = input.get_mut(at..at + width) {
        place.copy_from_slice(bytes);
    }
}

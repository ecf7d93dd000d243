//! Text: lines that change places, words that are swapped for others.

use crate::{Dice, pool::Pool};

/// Lines of one or two parents: dropped, doubled, moved, mixed; some of them go through `change`.
pub fn rearranged(
    pool: &Pool,
    dice: &mut Dice,
    most: usize,
    mut change: impl FnMut(&str, &mut Dice) -> String,
) -> Vec<u8> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (first, second) = (text(pool.pick(dice)), text(pool.pick(dice)));
    let mut lines: Vec<String> = first.lines().map(str::to_owned).collect();
    for _ in 0..dice.few() {
        let at = dice.below(lines.len());
        match dice.below(6) {
            0 if !lines.is_empty() => drop(lines.remove(at)),
            1 if !lines.is_empty() => lines.insert(at, lines[dice.below(lines.len())].clone()),
            2 if !lines.is_empty() => {
                let other = dice.below(lines.len());
                lines.swap(at, other);
            }
            3 => {
                let others: Vec<&str> = second.lines().collect();
                lines.extend(dice.pick(&others).map(|line| (*line).to_owned()));
            }
            _ if !lines.is_empty() => lines[at] = change(&lines[at], dice),
            _ => lines.push(change("", dice)),
        }
    }
    lines.truncate(most);
    lines.join("\n").into_bytes()
}

/// The text with a few of its words replaced, characters changed, or words put in.
pub fn respelled(text: &str, words: &[&str], dice: &mut Dice) -> String {
    let mut out = text.to_owned();
    for _ in 0..dice.few() {
        let word = dice.pick(words).copied().unwrap_or_default();
        let (from, to) = (out.floor_char_boundary(dice.below(out.len() + 1)), dice.below(12));
        let end = out.floor_char_boundary((from + to).min(out.len()));
        match dice.below(5) {
            0 => out.insert_str(from, word),
            1 => out.replace_range(from..end, word),
            2 => out.replace_range(from..end, ""),
            3 => out.insert(from, odd_character(dice)),
            _ => {
                let copy = out[from..end].to_owned();
                out.insert_str(from, &copy);
            }
        }
    }
    out
}

fn odd_character(dice: &mut Dice) -> char {
    const ODD: [char; 16] = [
        '\0',
        '\t',
        '\r',
        '\n',
        '"',
        '\\',
        '\u{7f}',
        '\u{ad}',
        'é',
        'ß',
        'İ',
        '\u{202e}',
        '\u{feff}',
        '𝔘',
        '👩',
        '\u{10ffff}',
    ];
    dice.pick(&ODD).copied().unwrap_or('x')
}

//! Lifetimes as people write them, moments as people read them.

use std::{fmt, str::FromStr};

use jiff::Timestamp;

const UNITS: [(char, u64, &str); 5] = [
    ('w', 7 * 86_400, "weeks"),
    ('d', 86_400, "days"),
    ('h', 3600, "hours"),
    ('m', 60, "minutes"),
    ('s', 1, "seconds"),
];

/// A length of time: `90s`, `15m`, `24h`, `7d`, `2w`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// At least one.
    pub seconds: u64,
}

impl FromStr for Lifetime {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "a number and one of s, m, h, d, w: 90s, 15m, 24h, 7d".to_owned();
        let unit = text.chars().last().ok_or_else(wrong)?;
        let (_, seconds, _) = UNITS.iter().find(|(u, ..)| *u == unit).ok_or_else(wrong)?;
        let digits = &text[..text.len() - 1];
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(wrong());
        }
        let number: u64 = digits.parse().map_err(|_| wrong())?;
        let seconds = number.checked_mul(*seconds).filter(|s| *s <= 100 * 366 * 86_400);
        match seconds {
            Some(0) => Err("it must be longer than nothing".to_owned()),
            Some(seconds) => Ok(Self { seconds }),
            None => Err("it must be shorter than a hundred years".to_owned()),
        }
    }
}

impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&span(self.seconds))
    }
}

/// A length of time in its largest whole unit: `24h`, `90d`.
pub fn span(seconds: u64) -> String {
    let whole = |(unit, length, _): &(char, u64, &str)| {
        (seconds > 0 && seconds.is_multiple_of(*length) && *unit != 'w')
            .then(|| format!("{}{unit}", seconds / length))
    };
    match UNITS.iter().find_map(whole) {
        Some(text) if text == "1d" => "24h".to_owned(),
        Some(text) => text,
        None => "0s".to_owned(),
    }
}

/// A moment seen from another: `3 minutes ago`, `in 89 days`, `now`.
pub fn ago(now: Timestamp, then: Timestamp) -> String {
    let seconds = now.as_second() - then.as_second();
    let length = seconds.unsigned_abs();
    let Some((_, unit, name)) = UNITS.iter().find(|(u, unit, _)| *u != 'w' && length >= *unit) else {
        return "now".to_owned();
    };
    let number = length / unit;
    let name = if number == 1 { name.trim_end_matches('s') } else { name };
    if seconds > 0 { format!("{number} {name} ago") } else { format!("in {number} {name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_are_a_number_and_a_unit() {
        let seconds = |t: &str| t.parse::<Lifetime>().map(|l| l.seconds);
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("24h"), Ok(86_400));
        assert_eq!(seconds("2w"), Ok(1_209_600));
        for bad in [
            "",
            "h",
            "24",
            "-1h",
            "+1h",
            "1.5h",
            "1h30m",
            "0d",
            "99999999999d",
            "18446744073709551615w",
            "1µ",
        ] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn lengths_are_written_in_their_largest_whole_unit() {
        for (seconds, text) in [(86_400, "24h"), (90 * 86_400, "90d"), (5400, "90m"), (61, "61s"), (0, "0s")]
        {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn moments_are_relative() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let at = |s: i64| ago(now, Timestamp::from_second(1_000_000 + s).unwrap());
        assert_eq!(at(0), "now");
        assert_eq!(at(-59), "59 seconds ago");
        assert_eq!(at(-60), "1 minute ago");
        assert_eq!(at(90 * 86_400), "in 90 days");
        assert_eq!(at(-7199), "1 hour ago");
    }
}

//! Durations as policies write them: `1h30m`, `-1m`, `1.5h`.

/// Seconds of a duration; fractions are cut off. Units: ns, us, ms, s, m, h. The error is the reference's.
pub(crate) fn parse(text: &str) -> Result<i64, String> {
    let wrong = || format!("time: invalid duration {text:?}");
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(wrong());
    }
    let mut seconds = 0f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "" => return Err(format!("time: missing unit in duration {text:?}")),
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            unit => return Err(format!("time: unknown unit {unit:?} in duration {text:?}")),
        };
        seconds += number * unit;
        rest = &rest[letters..];
    }
    if seconds > 9e9 {
        return Err(wrong());
    }
    Ok((sign * seconds) as i64)
}

/// `168h0m1s`: hours only where there are some, minutes where there are some or hours.
pub(crate) fn text(seconds: i64) -> String {
    let sign = if seconds < 0 { "-" } else { "" };
    let all = seconds.unsigned_abs();
    match (all / 3600, all / 60 % 60, all % 60) {
        (0, 0, s) => format!("{sign}{s}s"),
        (0, m, s) => format!("{sign}{m}m{s}s"),
        (h, m, s) => format!("{sign}{h}h{m}m{s}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (written, seconds, back) in [
            ("1h30m", 5400, "1h30m0s"),
            ("-1m", -60, "-1m0s"),
            ("30s", 30, "30s"),
            ("0", 0, "0s"),
            ("1.5h", 5400, "1h30m0s"),
        ] {
            assert_eq!(parse(written), Ok(seconds));
            assert_eq!(text(seconds), back);
        }
        assert_eq!(parse("abc").unwrap_err(), "time: invalid duration \"abc\"");
        assert_eq!(parse("5").unwrap_err(), "time: missing unit in duration \"5\"");
        for bad in ["", "-", "1x", "h", "1..2h"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}

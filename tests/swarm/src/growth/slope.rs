//! The exponent of a power law through some points.

use crate::report::fit;

/// The slope of log y over log x; `None` when a y is not above zero or all x are one.
pub fn slope(points: &[(usize, f64)]) -> Option<f64> {
    if points.iter().any(|(_, y)| y.is_nan() || *y <= 0.0) {
        return None;
    }
    fit::slope(&points.iter().map(|(x, y)| ((*x as f64).ln(), y.ln())).collect::<Vec<_>>())
}

/// The smallest; of none, not a number.
pub fn least(values: &[f64]) -> f64 {
    values.iter().copied().min_by(f64::total_cmp).unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_has_no_slope_has_none() {
        assert_eq!(slope(&[(250, 1.0), (1000, 0.0)]), None);
        assert_eq!(slope(&[(250, 1.0), (1000, -1.0)]), None);
        assert_eq!(slope(&[(250, 1.0), (1000, f64::NAN)]), None);
        assert_eq!(slope(&[(250, 1.0), (250, 2.0)]), None);
    }

    #[test]
    fn the_least() {
        assert_eq!(least(&[3.0, 1.0, 2.0]), 1.0);
        assert!(least(&[]).is_nan());
    }

    proptest! {
        #[test]
        fn a_power_law_has_its_exponent(exponent in -2.0..3.0f64, factor in 0.001..1000.0f64) {
            let points = [250, 500, 1000, 4000].map(|x| (x, factor * (x as f64).powf(exponent)));
            prop_assert!((slope(&points).unwrap() - exponent).abs() < 1e-9);
        }
    }
}

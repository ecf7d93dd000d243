//! The straight line through some points.

/// The slope of the line that fits best (least squares); `None` when all x are one.
pub fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / points.len() as f64;
    let (x0, y0) = (mean(|p| p.0), mean(|p| p.1));
    let width: f64 = points.iter().map(|(x, _)| (x - x0).powi(2)).sum();
    let rise: f64 = points.iter().map(|(x, y)| (x - x0) * (y - y0)).sum();
    (width > 0.0).then(|| rise / width)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_has_no_slope_has_none() {
        assert_eq!(slope(&[]), None);
        assert_eq!(slope(&[(1.0, 2.0)]), None);
        assert_eq!(slope(&[(1.0, 2.0), (1.0, 3.0)]), None);
    }

    proptest! {
        #[test]
        fn a_line_has_its_slope(by in -10.0..10.0f64, from in -100.0..100.0f64) {
            let points: Vec<_> = (0..9u8).map(f64::from).map(|x| (x, from + by * x)).collect();
            prop_assert!((slope(&points).unwrap() - by).abs() < 1e-9);
        }
    }
}

//! Pearson's correlation, exact to rounding for data of any size: values far from zero, near the ends of the
//! range, or a million of them.

/// Why there is no correlation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Undefined {
    TooFew,
    ConstantX,
    ConstantY,
}

/// Two points always lie on a line, so their correlation would say nothing.
pub(super) const MIN_POINTS: usize = 3;

/// The correlation of paired finite values, from -1 to 1. The slices have the same length.
pub(super) fn pearson(x: &[f64], y: &[f64]) -> Result<f64, Undefined> {
    debug_assert_eq!(x.len(), y.len(), "values come in pairs");
    if x.len() < MIN_POINTS {
        return Err(Undefined::TooFew);
    }
    let x = centred(x).ok_or(Undefined::ConstantX)?;
    let y = centred(y).ok_or(Undefined::ConstantY)?;
    let products = |left: &[f64], right: &[f64]| sum(left.iter().zip(right).map(|(a, b)| a * b));
    let spread = products(&x, &x).sqrt() * products(&y, &y).sqrt();
    Ok((products(&x, &y) / spread).clamp(-1.0, 1.0))
}

/// The values' distances from their mean, scaled so that no square can overflow or vanish; `None` where all
/// values are the same. Scale and shift do not change a correlation. The first value is taken away before the
/// mean is, since means of large, close numbers lose what sets the numbers apart.
fn centred(values: &[f64]) -> Option<Vec<f64>> {
    let first = values[0] / 2.0;
    let distances = || values.iter().map(|value| value / 2.0 - first);
    let largest = distances().fold(0.0, |largest: f64, distance| largest.max(distance.abs()));
    if largest == 0.0 {
        return None;
    }
    let scaled = || distances().map(|distance| distance / largest);
    let mean = sum(scaled()) / count(values);
    Some(scaled().map(|value| value - mean).collect())
}

#[expect(clippy::cast_precision_loss, reason = "no join holds 2^53 rows")]
fn count(values: &[f64]) -> f64 {
    values.len() as f64
}

/// A sum that carries its rounding error along (Neumaier), so that it does not grow with the number of values.
fn sum(values: impl Iterator<Item = f64>) -> f64 {
    let (mut total, mut lost) = (0.0_f64, 0.0_f64);
    for value in values {
        let next = total + value;
        lost += if total.abs() >= value.abs() { (total - next) + value } else { (value - next) + total };
        total = next;
    }
    total + lost
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// In whole numbers, without rounding until the last step.
    #[expect(clippy::cast_precision_loss, reason = "the last step rounds, once")]
    fn exact(pairs: &[(i64, i64)]) -> Option<f64> {
        let n = pairs.len() as i128;
        let sum = |of: fn(i128, i128) -> i128| pairs.iter().map(|(x, y)| of((*x).into(), (*y).into())).sum::<i128>();
        let (sum_x, sum_y) = (sum(|x, _| x), sum(|_, y| y));
        let spread_x = n * sum(|x, _| x * x) - sum_x * sum_x;
        let spread_y = n * sum(|_, y| y * y) - sum_y * sum_y;
        let shared = n * sum(|x, y| x * y) - sum_x * sum_y;
        (spread_x != 0 && spread_y != 0).then(|| shared as f64 / ((spread_x as f64).sqrt() * (spread_y as f64).sqrt()))
    }

    #[expect(clippy::cast_precision_loss, reason = "the values are below 2^53")]
    fn columns(pairs: &[(i64, i64)]) -> (Vec<f64>, Vec<f64>) {
        pairs.iter().map(|(x, y)| (*x as f64, *y as f64)).unzip()
    }

    fn near(left: f64, right: f64) -> bool {
        (left - right).abs() <= 1e-12
    }

    #[test]
    fn a_known_correlation() {
        // Anscombe's first set: 0.816420516344844 in every textbook.
        let x = [10.0, 8.0, 13.0, 9.0, 11.0, 14.0, 6.0, 4.0, 12.0, 7.0, 5.0];
        let y = [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68];
        assert!(near(pearson(&x, &y).unwrap(), 0.816_420_516_344_843_6));
    }

    #[test]
    fn a_million_values_near_a_trillion() {
        let mut state = 1_u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40).cast_signed() % 1_000
        };
        let pairs: Vec<(i64, i64)> = (0..1_000_000)
            .map(|_| {
                let shared = noise();
                (1_000_000_000_000 + shared + noise(), 999_999_000_000 + shared - 2 * noise())
            })
            .collect();
        let (x, y) = columns(&pairs);
        let (found, expected) = (pearson(&x, &y).unwrap(), exact(&pairs).unwrap());
        assert!(near(found, expected), "{found} is not {expected}");
    }

    #[test]
    fn the_ends_of_the_range_neither_overflow_nor_vanish() {
        for scale in [f64::MAX, 1e300, 1e-300] {
            let x = [scale, -scale, scale * 0.5, 0.0];
            let y = [1.0, -1.0, 0.5, 0.0];
            assert!(near(pearson(&x, &y).unwrap(), 1.0), "{scale}");
        }
    }

    #[test]
    fn too_little_or_constant_data_has_none() {
        assert_eq!(pearson(&[1.0, 2.0], &[1.0, 2.0]), Err(Undefined::TooFew));
        assert_eq!(pearson(&[], &[]), Err(Undefined::TooFew));
        assert_eq!(pearson(&[0.1, 0.1, 0.1], &[1.0, 2.0, 3.0]), Err(Undefined::ConstantX));
        assert_eq!(pearson(&[1.0, 2.0, 3.0], &[1e12, 1e12, 1e12]), Err(Undefined::ConstantY));
    }

    fn pairs() -> impl Strategy<Value = Vec<(i64, i64)>> {
        let size = prop_oneof![Just(10_i64), Just(10_000), Just(1_000_000_000_000)];
        let pairs = size.prop_flat_map(|size| proptest::collection::vec((-size..=size, -size..=size), 3..200));
        let shift = prop_oneof![Just(0_i64), Just(1_000_000_000_000)];
        (pairs, shift).prop_map(|(pairs, shift)| pairs.into_iter().map(|(x, y)| (x + shift, y - shift)).collect())
    }

    proptest! {
        #[test]
        fn agrees_with_exact_arithmetic(pairs in pairs()) {
            let (x, y) = columns(&pairs);
            match (pearson(&x, &y), exact(&pairs)) {
                (Ok(found), Some(expected)) => prop_assert!(near(found, expected), "{} is not {}", found, expected),
                (found, expected) => prop_assert!(found.is_err() && expected.is_none(), "{:?} {:?}", found, expected),
            }
        }

        #[test]
        fn is_symmetric_and_bounded(pairs in pairs()) {
            let (x, y) = columns(&pairs);
            if let Ok(found) = pearson(&x, &y) {
                prop_assert!((-1.0..=1.0).contains(&found));
                prop_assert_eq!(pearson(&y, &x), Ok(found));
            }
        }

        #[test]
        fn scale_and_sign_do_what_they_must(pairs in pairs(), power in -900..900_i32) {
            let (x, y) = columns(&pairs);
            let scaled: Vec<f64> = x.iter().map(|value| -value * 2_f64.powi(power)).collect();
            match pearson(&x, &y) {
                Ok(found) => prop_assert!(near(pearson(&scaled, &y).unwrap(), -found)),
                Err(reason) => prop_assert_eq!(pearson(&scaled, &y), Err(reason)),
            }
        }

        #[test]
        fn a_line_is_one(x in proptest::collection::vec(-1e12..1e12_f64, 3..50), slope in 1e-3..1e3_f64) {
            let y: Vec<f64> = x.iter().map(|value| value * slope).collect();
            prop_assert!(near(pearson(&x, &y).unwrap_or(1.0), 1.0));
        }
    }
}

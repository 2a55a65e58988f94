//! Robust statistics: the median, the spread around it, and how far a value lies outside.
//!
//! Pure functions of slices. Knows nothing of traffic. None of them is moved by a few extreme values,
//! which is what mean and standard deviation cannot say of themselves.

/// Rounded to so many digits behind the point, for people to read.
#[must_use]
pub fn rounded(value: f64, digits: i32) -> f64 {
    let unit = 10_f64.powi(digits);
    (value * unit).round() / unit
}

/// The middle value; of an even number, the mean of the two in the middle. None of nothing.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(*sorted.get(middle - 1)?, upper))
}

fn weighted_median(values: &[(f64, u64)]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(|(a, _), (b, _)| a.total_cmp(b));
    let number: u64 = sorted.iter().map(|(_, count)| count).sum();
    let mut seen = 0;
    sorted.into_iter().find_map(|(value, count)| {
        seen += count;
        (2 * seen >= number && count > 0).then_some(value)
    })
}

/// Location and scale of a sample, for judging values against it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Robust {
    pub median: f64,
    /// An estimate of the standard deviation that outliers do not move; 0 where all values are equal.
    pub scale: f64,
}

/// Turns the median absolute deviation of a normal sample into its standard deviation: 1 / 0.6745
/// (Iglewicz and Hoaglin, "How to Detect and Handle Outliers", 1993).
const MAD_TO_SIGMA: f64 = 1.482_602_218_505_602;
/// The same for the mean absolute deviation: the square root of pi / 2.
const MEAN_AD_TO_SIGMA: f64 = 1.253_314_137_315_5;

impl Robust {
    /// Where more than half of the values are equal the median absolute deviation is 0 and says
    /// nothing; then the mean absolute deviation is used, as Iglewicz and Hoaglin advise.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let median = median(values)?;
        let deviations: Vec<f64> = values.iter().map(|value| (value - median).abs()).collect();
        let mad = self::median(&deviations)?;
        let scale =
            if mad > 0.0 { mad * MAD_TO_SIGMA } else { deviations.iter().sum::<f64>() / deviations.len() as f64 * MEAN_AD_TO_SIGMA };
        Some(Self { median, scale })
    }

    /// The same of values with how often each occurs; of an even number, the lower of the two in the middle.
    #[must_use]
    pub fn of_counts(values: &[(f64, u64)]) -> Option<Self> {
        let median = weighted_median(values)?;
        let deviations: Vec<(f64, u64)> = values.iter().map(|(value, count)| ((value - median).abs(), *count)).collect();
        let mad = weighted_median(&deviations)?;
        if mad > 0.0 {
            return Some(Self { median, scale: mad * MAD_TO_SIGMA });
        }
        let number: u64 = values.iter().map(|(_, count)| count).sum();
        let sum: f64 = deviations.iter().map(|(deviation, count)| deviation * *count as f64).sum();
        Some(Self { median, scale: sum / number as f64 * MEAN_AD_TO_SIGMA })
    }

    /// How many scales `value` lies above (or, negative, below) the median. `least_scale` keeps a
    /// sample that hardly varies from making every ripple extreme.
    #[must_use]
    pub fn z(&self, value: f64, least_scale: f64) -> f64 {
        let scale = self.scale.max(least_scale);
        if scale > 0.0 { (value - self.median) / scale } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_even_and_odd_samples() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn z_is_that_of_iglewicz_and_hoaglin() {
        // Deviations from the median 3: 2 1 0 1 97, median 1; 0.6745 * (100 - 3) / 1 = 65.43.
        let robust = Robust::of(&[1.0, 2.0, 3.0, 4.0, 100.0]).unwrap();
        assert!((robust.z(100.0, 0.0) - 65.43).abs() < 0.01);
        assert!((robust.z(1.0, 0.0) + 1.349).abs() < 0.001);
    }

    #[test]
    fn where_most_values_are_equal_the_mean_deviation_stands_in() {
        // Mean absolute deviation 10 / 5 = 2; 10 / (1.2533 * 2) = 3.989.
        let robust = Robust::of(&[5.0, 5.0, 5.0, 5.0, 15.0]).unwrap();
        assert!((robust.z(15.0, 0.0) - 3.989).abs() < 0.001);
    }

    #[test]
    fn a_constant_sample_makes_nothing_extreme_without_a_least_scale() {
        let robust = Robust::of(&[7.0; 9]).unwrap();
        assert_eq!(robust.z(1_000.0, 0.0), 0.0);
        assert_eq!(robust.z(9.0, 0.5), 4.0);
    }

    #[test]
    fn counted_values_are_judged_as_listed_ones() {
        let listed = Robust::of(&[1.0, 2.0, 2.0, 3.0, 3.0, 3.0, 9.0]).unwrap();
        assert_eq!(Robust::of_counts(&[(3.0, 3), (1.0, 1), (9.0, 1), (2.0, 2)]), Some(listed));
        assert_eq!(Robust::of_counts(&[(5.0, 4), (15.0, 1)]), Robust::of(&[5.0, 5.0, 5.0, 5.0, 15.0]));
        assert_eq!(Robust::of_counts(&[]), None);
    }
}

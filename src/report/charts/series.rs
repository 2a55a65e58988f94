//! Values over time, brought down to what a chart of so many pixels can show.

use super::super::model::Timeline;
use super::time_axis::TimeAxis;
use crate::time::{Nanos, SECOND};

/// Fewer buckets than this are shown with as much quiet time around them.
const FEWEST: i64 = 5;

/// What is drawn between two horizontal places.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Column<const N: usize> {
    pub left: f64,
    pub right: f64,
    /// Per second, on average over the column's time.
    pub mean: [f64; N],
    /// The largest total per second of any row in the column.
    pub peak: f64,
}

/// Columns of rows in time order that each cover `width_s` seconds from their time on. Rows narrower
/// than a pixel are taken together, always equally many of them, so that no beat between rows and pixels
/// is drawn. Time without rows has no column.
pub fn columns<const N: usize>(rows: impl Iterator<Item = (Nanos, [u64; N])>, width_s: i64, time: &TimeAxis) -> Vec<Column<N>> {
    let width_s = width_s.max(1);
    let width = width_s.saturating_mul(whole_rows(time.seconds_per_pixel() / width_s as f64));
    let mut columns: Vec<Column<N>> = Vec::new();
    let (mut origin, mut current) = (None, None);
    for (start, values) in rows {
        let origin = i128::from(*origin.get_or_insert(start));
        let step = i128::from(width) * i128::from(SECOND);
        let group = (i128::from(start) - origin).div_euclid(step);
        if current.replace(group) != Some(group) {
            let edge = |group: i128| time.x(Nanos::try_from(origin + group * step).unwrap_or(Nanos::MAX)).round();
            columns.push(Column { left: edge(group), right: edge(group + 1).max(edge(group) + 1.0), mean: [0.0; N], peak: 0.0 });
        }
        if let Some(column) = columns.last_mut() {
            for (mean, value) in column.mean.iter_mut().zip(values) {
                *mean += value as f64 / width as f64;
            }
            column.peak = column.peak.max(values.iter().map(|value| *value as f64).sum::<f64>() / width_s as f64);
        }
    }
    columns
}

/// The time of the buckets, with quiet time around a few.
pub fn range(timeline: &Timeline) -> Option<(Nanos, Nanos)> {
    let width = timeline.width_s.max(1).saturating_mul(SECOND);
    let (first, last) = (timeline.buckets.first()?.ts, timeline.buckets.last()?.ts.saturating_add(width));
    let missing = (FEWEST - last.saturating_sub(first) / width).max(0);
    let around = (missing + 1) / 2 * width;
    Some((first.saturating_sub(around), last.saturating_add(around)))
}

/// How many rows a pixel holds, rounded up.
#[expect(clippy::cast_possible_truncation, reason = "the cast saturates")]
fn whole_rows(rows: f64) -> i64 {
    (rows.ceil() as i64).max(1)
}

#[cfg(test)]
mod tests {
    use super::super::super::model::Bucket;
    use super::super::canvas::Frame;
    use super::*;

    const FRAME: Frame = Frame::new(0.0, 0.0, 100.0, 0.0);

    #[test]
    fn rows_wider_than_a_pixel_keep_their_own_rate() {
        let time = TimeAxis::new(0, 10 * SECOND, FRAME);
        let rows = [(0, [50]), (5 * SECOND, [20])];
        let columns = columns(rows.into_iter(), 5, &time);
        // 50 in 5 s are 10 per second, over half of 100 pixels.
        assert_eq!(columns[0], Column { left: 0.0, right: 50.0, mean: [10.0], peak: 10.0 });
        assert_eq!(columns[1], Column { left: 50.0, right: 100.0, mean: [4.0], peak: 4.0 });
    }

    #[test]
    fn a_pixel_of_many_rows_shows_their_mean_and_their_peak() {
        let time = TimeAxis::new(0, 1_000 * SECOND, FRAME);
        // One pixel is ten seconds. Nine seconds of 10 and one of 110 are 20 on average.
        let rows = (0..1_000).map(|second| (second * SECOND, [if second % 10 == 3 { 110 } else { 10 }]));
        let columns = columns(rows, 1, &time);
        assert_eq!(columns.len(), 100);
        for column in &columns {
            assert!((column.mean[0] - 20.0).abs() < 1e-9 && (column.peak - 110.0).abs() < 1e-9, "{column:?}");
        }
    }

    #[test]
    fn rows_that_do_not_divide_into_pixels_show_no_beat() {
        let time = TimeAxis::new(0, 143 * SECOND, FRAME);
        let columns = columns((0..143).map(|second| (second * SECOND, [7])), 1, &time);
        // Two rows a column: 71 full columns, and a last one of which half has passed.
        assert_eq!(columns.len(), 72);
        assert!(columns[..71].iter().all(|column| (column.mean[0] - 7.0).abs() < 1e-9));
    }

    #[test]
    fn few_buckets_have_quiet_time_around_them() {
        let of = |seconds: &[i64]| {
            let bucket = |second: &i64| Bucket { ts: second * SECOND, ..Bucket::default() };
            range(&Timeline { width_s: 1, buckets: seconds.iter().map(bucket).collect() })
        };
        // One second of five: two before and two after; of five or more the ends are those of the buckets.
        assert_eq!(of(&[100]), Some((98 * SECOND, 103 * SECOND)));
        assert_eq!(of(&[100, 104]), Some((100 * SECOND, 105 * SECOND)));
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn quiet_time_has_no_column() {
        let time = TimeAxis::new(0, 100 * SECOND, FRAME);
        let columns = columns([(0, [1]), (90 * SECOND, [1])].into_iter(), 1, &time);
        assert_eq!(columns.iter().map(|column| column.left).collect::<Vec<_>>(), [0.0, 90.0]);
    }
}

//! Rows become sorted columns shard by shard, and each shard's rows are given up once they are read, so
//! that the largest table is never held twice. Knows nothing of what the rows mean.

use polars::prelude::*;
use rayon::prelude::*;

use super::pages::Pages;

/// A column that is being gathered.
pub(super) trait Gather<R>: Send {
    fn take(&mut self, rows: &Pages<R>);

    /// The column, its values in the order of these places.
    fn finish(self: Box<Self>, order: &[u32]) -> Column;
}

/// The places of all rows, counted through the shards, in the order of their keys.
#[expect(clippy::cast_possible_truncation, reason = "the row limit keeps places far below 2^32")]
pub(super) fn order<R: Sync, K: Ord>(shards: &[Pages<R>], key: impl Fn(&R) -> K + Sync) -> Vec<u32> {
    let rows: Vec<&R> = shards.iter().flat_map(Pages::iter).collect();
    let mut order: Vec<u32> = (0..rows.len() as u32).collect();
    order.par_sort_unstable_by_key(|place| key(rows[*place as usize]));
    order
}

/// Reads the rows of all shards into columns.
pub(super) fn gather<R: Send + Sync>(shards: Vec<Pages<R>>, order: &[u32], mut columns: Vec<Box<dyn Gather<R> + '_>>) -> Vec<Column> {
    for rows in shards {
        columns.par_iter_mut().for_each(|column| column.take(&rows));
    }
    columns.into_par_iter().map(|column| column.finish(order)).collect()
}

/// One number of every row.
pub(super) fn numbers<'a, R, T>(name: &'static str, rows: usize, value: impl Fn(&R) -> T + Send + 'a) -> Box<dyn Gather<R> + 'a>
where
    R: 'a,
    T: Copy + Send + 'a,
    Series: NamedFrom<Vec<T>, [T]>,
{
    Box::new(Numbers { name, value, values: Vec::with_capacity(rows) })
}

struct Numbers<T, F> {
    name: &'static str,
    value: F,
    values: Vec<T>,
}

impl<R, T, F> Gather<R> for Numbers<T, F>
where
    T: Copy + Send,
    F: Fn(&R) -> T + Send,
    Series: NamedFrom<Vec<T>, [T]>,
{
    fn take(&mut self, rows: &Pages<R>) {
        self.values.extend(rows.iter().map(&self.value));
    }

    fn finish(self: Box<Self>, order: &[u32]) -> Column {
        let sorted: Vec<T> = order.iter().map(|place| self.values[*place as usize]).collect();
        Column::from(Series::new(self.name.into(), sorted))
    }
}

/// Bytes of every row, as many as it has.
pub(super) fn bytes<'a, R: 'a>(name: &'static str, value: impl Fn(&R, &mut Vec<u8>) + Send + 'a) -> Box<dyn Gather<R> + 'a> {
    Box::new(Bytes::new(name, value))
}

struct Bytes<F> {
    name: &'static str,
    value: F,
    all: Vec<u8>,
    ends: Vec<usize>,
}

impl<F> Bytes<F> {
    const fn new(name: &'static str, value: F) -> Self {
        Self { name, value, all: Vec::new(), ends: Vec::new() }
    }

    /// What was written of one row.
    fn piece(&self, place: u32) -> &[u8] {
        let place = place as usize;
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.all[start..self.ends[place]]
    }
}

impl<R, F: Fn(&R, &mut Vec<u8>) + Send> Gather<R> for Bytes<F> {
    fn take(&mut self, rows: &Pages<R>) {
        for row in rows.iter() {
            (self.value)(row, &mut self.all);
            self.ends.push(self.all.len());
        }
    }

    fn finish(self: Box<Self>, order: &[u32]) -> Column {
        order.iter().map(|place| Some(self.piece(*place))).collect::<BinaryChunked>().with_name(self.name.into()).into_column()
    }
}

/// A text of every row.
pub(super) fn texts<'a, R: 'a>(name: &'static str, value: impl for<'r> Fn(&'r R) -> &'r str + Send + 'a) -> Box<dyn Gather<R> + 'a> {
    Box::new(Texts(Bytes::new(name, move |row: &R, into: &mut Vec<u8>| into.extend(value(row).bytes()))))
}

struct Texts<F>(Bytes<F>);

impl<R, F: Fn(&R, &mut Vec<u8>) + Send> Gather<R> for Texts<F> {
    fn take(&mut self, rows: &Pages<R>) {
        self.0.take(rows);
    }

    fn finish(self: Box<Self>, order: &[u32]) -> Column {
        let of = |place: &u32| std::str::from_utf8(self.0.piece(*place)).ok();
        order.iter().map(of).collect::<StringChunked>().with_name(self.0.name.into()).into_column()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_several_shards_become_columns_in_the_order_of_their_keys() {
        let shard = |rows: &[(u32, &'static str)]| {
            let mut pages = Pages::default();
            rows.iter().for_each(|row| pages.push(*row));
            pages
        };
        let shards = vec![shard(&[(5, "five"), (1, "")]), shard(&[]), shard(&[(3, "three")])];
        let order = order(&shards, |(key, _)| *key);
        assert_eq!(order, [1, 2, 0]);
        let columns = gather(
            shards,
            &order,
            vec![
                numbers("number", 3, |(key, _): &(u32, &str)| *key),
                bytes("text", |(_, text): &(u32, &str), into| into.extend(text.bytes())),
            ],
        );
        assert_eq!(columns[0].u32().unwrap().into_no_null_iter().collect::<Vec<_>>(), [1, 3, 5]);
        let texts: Vec<&[u8]> = columns[1].binary().unwrap().iter().flatten().collect();
        assert_eq!(texts, [b"".as_slice(), b"three", b"five"]);
    }
}

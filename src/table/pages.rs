//! A growing table whose rows never move: growing copies nothing and wastes less than a page.

/// Rows of a page. Large enough that the allocator gives a page back to the system when it is freed: with
/// pages of 256 rows, nine million packets took 447 MB instead of 400.
const PAGE: usize = 4_096;

#[derive(Debug)]
pub struct Pages<T> {
    pages: Vec<Vec<T>>,
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Self { pages: Vec::new() }
    }
}

impl<T> Pages<T> {
    #[must_use]
    pub fn len(&self) -> usize {
        self.pages.last().map_or(0, |last| (self.pages.len() - 1) * PAGE + last.len())
    }

    /// Adds a row; its place is the length before.
    pub fn push(&mut self, row: T) {
        match self.pages.last_mut() {
            Some(last) if last.len() < PAGE => last.push(row),
            _ => {
                // The first page of a small table grows; later ones are full size at once.
                let mut page = Vec::with_capacity(if self.pages.is_empty() { 4 } else { PAGE });
                page.push(row);
                self.pages.push(page);
            }
        }
    }

    #[must_use]
    pub fn get(&self, place: usize) -> Option<&T> {
        self.pages.get(place / PAGE)?.get(place % PAGE)
    }

    #[must_use]
    pub fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        self.pages.get_mut(place / PAGE)?.get_mut(place % PAGE)
    }

    /// The rows in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.pages.iter().flatten()
    }
}

impl<T> std::ops::Index<u32> for Pages<T> {
    type Output = T;

    fn index(&self, place: u32) -> &T {
        &self.pages[place as usize / PAGE][place as usize % PAGE]
    }
}

impl<T> std::ops::IndexMut<u32> for Pages<T> {
    fn index_mut(&mut self, place: u32) -> &mut T {
        &mut self.pages[place as usize / PAGE][place as usize % PAGE]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_at_the_place_they_were_given_across_pages() {
        let mut pages = Pages::default();
        for number in 0..10_000_u32 {
            assert_eq!(pages.len(), number as usize);
            pages.push(number);
        }
        assert_eq!((pages[0], pages[4_095], pages[4_096], pages[9_999]), (0, 4_095, 4_096, 9_999));
        assert_eq!(pages.get(10_000), None);
        assert!(pages.iter().copied().eq(0..10_000));
    }
}

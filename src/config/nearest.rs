//! The known name nearest to a mistyped one.

/// `unknown; did you mean `scan.ports`?`
pub fn did_you_mean<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(typed, known).map_or_else(|| "unknown".to_owned(), |name| format!("unknown; did you mean `{name}`?"))
}

/// The known name with the fewest edits, the first of equals. A name without its section (`ports`)
/// is compared with the last part alone.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (name, edits(typed, name).min(edits(last(typed), last(name)).saturating_add(usize::from(typed.contains('.'))))))
        .min_by_key(|(_, distance)| *distance)
        .filter(|(_, distance)| *distance <= 1 + typed.len() / 3)
        .map(|(name, _)| name)
}

fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// Letters inserted, left out or changed between two names (Levenshtein's distance).
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut next = vec![i + 1];
        let (mut left, mut diagonal) = (i + 1, i);
        for (b, up) in to.iter().zip(row.iter().skip(1)) {
            left = (diagonal + usize::from(a != *b)).min(up + 1).min(left + 1);
            diagonal = *up;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted_as_levenshtein_does() {
        for (from, to, distance) in [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("flaw", "lawn", 2), ("same", "same", 0)] {
            assert_eq!(edits(from, to), distance, "{from} {to}");
        }
    }

    #[test]
    fn a_slip_finds_the_name_and_nonsense_finds_none() {
        let known = ["scan.ports", "scan.hosts", "flood.syn_per_s", "flow.tcp_idle_s"];
        assert_eq!(nearest("scan.port", known), Some("scan.ports"));
        assert_eq!(nearest("scn.hosts", known), Some("scan.hosts"));
        assert_eq!(nearest("ports", known), Some("scan.ports"));
        assert_eq!(nearest("flow.syn_per_s", known), Some("flood.syn_per_s"));
        assert_eq!(nearest("colour", known), None);
    }
}

//! What two reports' alerts have in common, and what only one of them has.
//!
//! Works on the lines of `alerts.jsonl`: on what is told.

use std::collections::{BTreeMap, VecDeque};

use serde::Deserialize;

use crate::detect::Severity;

/// A line of `alerts.jsonl`, as far as two of them are compared.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Told {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub technique: Option<String>,
    pub severity: Severity,
    pub title: String,
    pub attackers: Vec<String>,
    pub victims: Vec<String>,
    /// The whole line.
    #[serde(skip)]
    pub line: String,
}

impl Told {
    /// Every alert of an `alerts.jsonl`, or what is wrong with it.
    pub fn all(text: &str) -> Result<Vec<Self>, String> {
        let told = |(number, line): (usize, &str)| {
            let told: Self = serde_json::from_str(line).map_err(|cause| format!("line {}: {cause}", number + 1))?;
            Ok(Self { line: line.to_owned(), ..told })
        };
        text.lines().enumerate().map(told).collect()
    }
}

/// Each alert in exactly one place, in the order of the lists.
#[derive(Debug, PartialEq, Eq)]
pub struct Difference<'a> {
    pub only_before: Vec<&'a Told>,
    pub only_after: Vec<&'a Told>,
    /// The same event in both, however it is told there.
    pub both: Vec<(&'a Told, &'a Told)>,
}

impl<'a> Difference<'a> {
    /// The same id is the same event; else what one did to another in one way is, the first such event of one
    /// list being the first of the other.
    #[must_use]
    pub fn of(before: &'a [Told], after: &'a [Told]) -> Self {
        let mut both = Vec::new();
        let (before, after) = pair(before.iter().collect(), after.iter().collect(), |told| &told.id, &mut both);
        let deed = |told: &'a Told| (&told.kind, &told.technique, &told.attackers, &told.victims);
        let (only_before, only_after) = pair(before, after, deed, &mut both);
        Self { only_before, only_after, both }
    }
}

/// Puts what has the same key in both lists into `both`; gives what is left of each.
fn pair<'a, K: Ord>(
    before: Vec<&'a Told>,
    after: Vec<&'a Told>,
    key: impl Fn(&'a Told) -> K,
    both: &mut Vec<(&'a Told, &'a Told)>,
) -> (Vec<&'a Told>, Vec<&'a Told>) {
    let mut waiting: BTreeMap<K, VecDeque<(usize, &Told)>> = BTreeMap::new();
    for (place, told) in after.into_iter().enumerate() {
        waiting.entry(key(told)).or_default().push_back((place, told));
    }
    let mut left = Vec::new();
    for told in before {
        match waiting.get_mut(&key(told)).and_then(VecDeque::pop_front) {
            Some((_, other)) => both.push((told, other)),
            None => left.push(told),
        }
    }
    let mut after: Vec<(usize, &Told)> = waiting.into_values().flatten().collect();
    after.sort_unstable_by_key(|(place, _)| *place);
    (left, after.into_iter().map(|(_, told)| told).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(id: &str, victim: &str, severity: &str) -> Told {
        let line = format!(
            r#"{{"id":"{id}","type":"port_scan","technique":"syn","severity":"{severity}","title":"t","attackers":["192.0.2.1"],"victims":["{victim}"]}}"#
        );
        Told::all(&line).unwrap().remove(0)
    }

    #[test]
    fn the_same_id_is_the_same_event_however_it_is_told() {
        let (before, after) = ([told("a", "10.0.0.1", "low")], [told("a", "10.0.0.1", "high")]);
        let found = Difference::of(&before, &after);
        assert_eq!(found, Difference { only_before: vec![], only_after: vec![], both: vec![(&before[0], &after[0])] });
    }

    #[test]
    fn an_event_that_begins_earlier_has_another_id_and_is_the_same() {
        let (before, after) = ([told("a", "10.0.0.1", "low")], [told("b", "10.0.0.1", "low")]);
        assert_eq!(Difference::of(&before, &after).both.len(), 1);
        assert!(Difference::of(&before, &[told("b", "10.0.0.2", "low")]).both.is_empty());
    }

    #[test]
    fn of_two_events_of_one_pair_the_one_that_is_left_is_found_by_its_id() {
        let before = [told("a", "10.0.0.1", "low"), told("b", "10.0.0.1", "low")];
        let found = Difference::of(&before, &before[1..]);
        assert_eq!((found.only_before, found.only_after), (vec![&before[0]], vec![]));
        assert_eq!(Difference::of(&before[1..], &before).only_after, [&before[0]]);
    }

    #[test]
    fn a_line_that_is_no_alert_is_named() {
        assert!(Told::all("{}\n").unwrap_err().starts_with("line 1: "));
    }
}

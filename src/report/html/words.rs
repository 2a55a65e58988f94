//! Numbers and stages as a reader without the trade's vocabulary says them.

use crate::detect::Stage;

/// A confidence in words.
pub const fn sure(confidence: f64) -> &'static str {
    match confidence {
        0.95.. => "almost certain",
        0.8.. => "very likely",
        0.6.. => "likely",
        0.4.. => "possible, to be checked",
        _ => "a hint, no more",
    }
}

pub fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// What a stage of an attack is, in plain words.
pub const fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Discovery => "a search for reachable hosts and services",
        Stage::CredentialAccess => "attempts to obtain logins",
        Stage::InitialAccess => "access with a guessed login",
        Stage::LateralMovement => "movement to other hosts",
        Stage::CommandAndControl => "signs of remote control",
        Stage::Exfiltration => "data sent out of the network",
        Stage::Impact => "an attempt to overload a target",
        Stage::Other => "other suspicious traffic",
    }
}

/// The stage as a label.
pub const fn label(stage: Stage) -> &'static str {
    match stage {
        Stage::Discovery => "Discovery",
        Stage::CredentialAccess => "Credential access",
        Stage::InitialAccess => "Access",
        Stage::LateralMovement => "Lateral movement",
        Stage::CommandAndControl => "Command and control",
        Stage::Exfiltration => "Exfiltration",
        Stage::Impact => "Impact",
        Stage::Other => "Other",
    }
}

/// With a capital letter.
pub fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// `a`, `a and b`, `a, b and c`.
pub fn list(items: &[&str]) -> String {
    match items {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [before @ .., last] => format!("{} and {last}", before.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_end_with_and() {
        assert_eq!([list(&[]), list(&["a"]), list(&["a", "b"]), list(&["a", "b", "c"])], ["", "a", "a and b", "a, b and c"]);
    }

    #[test]
    fn sentences_begin_with_a_capital_whatever_the_script() {
        assert_eq!([sentence("ask"), sentence("élan"), sentence("10 hosts"), sentence("")], ["Ask", "Élan", "10 hosts", ""]);
    }

    #[test]
    fn less_confidence_never_sounds_surer() {
        let said: Vec<&str> = (0..=20).map(|step| sure(f64::from(step) / 20.0)).collect();
        let mut distinct = said.clone();
        distinct.dedup();
        assert_eq!(distinct, ["a hint, no more", "possible, to be checked", "likely", "very likely", "almost certain"]);
    }
}

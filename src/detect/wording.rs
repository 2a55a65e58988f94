//! Numbers as the sentences of alerts write them.

/// `37841` as `37,841`.
#[must_use]
pub fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 source`, `2 sources`.
pub(super) fn counted(number: u64, one: &str) -> String {
    format!("{} {one}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// `an SSH login`, `a Telnet login`: abbreviations are read letter by letter.
pub(super) fn login_of(service: &str) -> String {
    let spelled = service.chars().all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit());
    let sounds = if spelled { &['A', 'E', 'F', 'H', 'I', 'L', 'M', 'N', 'O', 'R', 'S', 'X'][..] } else { &['A', 'E', 'I', 'O', 'U'] };
    format!("{} {service} login", if service.starts_with(sounds) { "an" } else { "a" })
}

/// A share as whole percent.
pub(super) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_article_is_that_of_the_sound() {
        let told = ["SSH", "FTP", "POP3", "Telnet", "IMAP"].map(login_of);
        assert_eq!(told, ["an SSH login", "an FTP login", "a POP3 login", "a Telnet login", "an IMAP login"]);
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!([0, 999, 1_000, 37_841, 1_234_567].map(grouped), ["0", "999", "1,000", "37,841", "1,234,567"]);
        assert_eq!([counted(1, "source"), counted(2_000, "source")], ["1 source", "2,000 sources"]);
    }
}

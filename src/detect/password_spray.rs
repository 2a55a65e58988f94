#![doc = include_str!("docs/password_spray.md")]

use super::Detector;
use super::alert::{Alert, Severity};
use super::campaigns::{Campaign, Shape};
use super::context::Context;
use super::login_alert::{Connections, Told};
use super::wording::{counted, login_of};
use crate::error::Error;

pub(super) struct PasswordSpray;

const DOCUMENTATION: &str = include_str!("docs/password_spray.md");

impl Detector for PasswordSpray {
    fn id(&self) -> &'static str {
        "password_spray"
    }

    fn summary(&self) -> &'static str {
        "few failed logins each for many users or at many servers"
    }

    fn documentation(&self) -> &'static str {
        DOCUMENTATION
    }

    fn detect(&self, context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        let connections = Connections::of(context)?;
        let sprayed = context.campaigns.iter().filter(|campaign| matches!(campaign.shape, Shape::Users | Shape::Servers));
        Ok(sprayed.map(|campaign| alert(campaign, &Told::of(context, campaign, &connections))).collect())
    }
}

fn alert(campaign: &Campaign, told: &Told<'_>) -> Alert {
    let (client, servers, service) = (told.client(), told.servers(), told.service());
    let most = campaign.spread.map(|(most, _)| most).unwrap_or_default();
    let (technique, title, what) = match campaign.shape {
        Shape::Users => {
            let users = counted(most, "user");
            ("users", format!("{client} tries {users} by {service}"), format!("{users} tried in vain within {}", told.within()))
        }
        _ if told.severity == Severity::Critical => {
            ("servers", format!("{client} guesses {} at {servers}", login_of(service)), "until one was let in".to_owned())
        }
        _ => ("servers", format!("{client} fails to log in by {service} at {servers}"), "in vain at each".to_owned()),
    };
    Alert {
        kind: "password_spray",
        technique: Some(technique),
        title,
        message: format!("{} of {client} at {servers} ({}) in {}, {what}{}", told.failures(), told.port(), told.lasted(), told.details()),
        attack: match (campaign.shape, told.severity == Severity::Critical) {
            // One try each for many users is spraying or the stuffing of stolen pairs: they look alike.
            (Shape::Users, false) => &["T1110.003", "T1110.004"],
            (Shape::Users, true) => &["T1110.003", "T1110.004", "T1078"],
            (_, false) => &["T1110.003"],
            (_, true) => &["T1110.003", "T1078"],
        },
        ..told.alert()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::app::LoginOutcome::{Failed, Succeeded};
    use crate::decode::app::Service;
    use crate::detect::brute_force::BruteForce;
    use crate::detect::testing::{Capture, host};

    /// One failure for each user, a second apart.
    fn sprayed(users: u32) -> Capture {
        let mut capture = Capture::default();
        (0..users).for_each(|n| capture.at_ms(i64::from(n) * 1_000).login(5, 99, Service::Kerberos, &format!("user{n}"), Failed));
        capture
    }

    #[test]
    fn many_users_once_each_is_spraying_and_told_by_nobody_else() {
        let capture = sprayed(12);
        let found = capture.judge(&PasswordSpray);
        assert_eq!((found.len(), found[0].severity, found[0].technique), (1, Severity::Medium, Some("users")));
        assert_eq!((&found[0].attackers, &found[0].victims), (&vec![host(5)], &vec![host(99)]));
        assert!(found[0].message.contains("12 failed logins") && found[0].message.contains("user0 (1)"), "{}", found[0].message);
        assert!(capture.judge(&BruteForce).is_empty());
    }

    #[test]
    fn few_users_are_worth_a_look_and_fewer_are_nothing() {
        assert_eq!(sprayed(9).judge(&PasswordSpray)[0].severity, Severity::Low);
        assert!(sprayed(4).judge(&PasswordSpray).is_empty());
    }

    #[test]
    fn a_user_who_got_in_is_named() {
        let mut capture = sprayed(12);
        capture.at_ms(13_000).login(5, 99, Service::Kerberos, "carol", Succeeded);
        let found = capture.judge(&PasswordSpray);
        assert_eq!((found.len(), found[0].severity), (1, Severity::Critical));
        assert!(found[0].message.contains("the login as carol succeeded at"), "{}", found[0].message);
        assert!(found[0].attack.contains(&"T1078"));
    }

    #[test]
    fn many_people_behind_one_address_are_ordinary() {
        let mut capture = sprayed(12);
        (0..30).for_each(|n| capture.at_ms(13_000 + n * 1_000).login(5, 99, Service::Kerberos, &format!("well{n}"), Succeeded));
        assert!(capture.judge(&PasswordSpray).is_empty());
    }

    #[test]
    fn many_tries_for_each_user_are_guessing_and_not_spraying() {
        let mut capture = Capture::default();
        (0..48).for_each(|n| capture.at_ms(n * 500).login(5, 99, Service::Ftp, &format!("user{}", n % 12), Failed));
        assert!(capture.judge(&PasswordSpray).is_empty());
        assert_eq!(capture.judge(&BruteForce)[0].severity, Severity::High);
    }

    /// Failures of two users at each of so many servers.
    fn at_servers(servers: u32) -> Capture {
        let mut capture = Capture::default();
        for n in 0..servers {
            for (round, user) in (0..).zip(["root", "admin", "root", "admin"]) {
                capture.at_ms(i64::from(n) * 1_000 + round).login(5, 90 + n, Service::Ftp, user, Failed);
            }
        }
        capture
    }

    #[test]
    fn failing_at_many_servers_is_one_alert() {
        let capture = at_servers(6);
        let found = capture.judge(&PasswordSpray);
        assert_eq!((found.len(), found[0].severity, found[0].technique, found[0].victim_count), (1, Severity::Medium, Some("servers"), 6));
        assert!(capture.judge(&BruteForce).is_empty());
        assert!(at_servers(4).judge(&PasswordSpray).is_empty());
    }

    #[test]
    fn a_host_that_administers_many_and_fails_at_some_is_ordinary() {
        let mut capture = at_servers(6);
        (0..10).for_each(|n| capture.at_ms(10_000 + i64::from(n)).login(5, 200 + n, Service::Ftp, "root", Succeeded));
        assert!(capture.judge(&PasswordSpray).is_empty());
    }

    #[test]
    fn one_stale_user_at_many_servers_is_at_most_worth_a_look() {
        let mut capture = Capture::default();
        for minute in 0..4 {
            (0..6).for_each(|n| capture.at_ms(minute * 60_000 + i64::from(n)).login(5, 90 + n, Service::Smb, "monitor", Failed));
        }
        assert_eq!(capture.judge(&PasswordSpray)[0].severity, Severity::Low);
    }
}

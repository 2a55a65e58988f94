#![doc = include_str!("docs/brute_force.md")]

use super::Detector;
use super::alert::{Alert, Severity};
use super::campaigns::{Campaign, Shape};
use super::context::Context;
use super::login_alert::{Connections, Told};
use super::wording::{counted, login_of};
use crate::error::Error;

pub(super) struct BruteForce;

const DOCUMENTATION: &str = include_str!("docs/brute_force.md");

impl Detector for BruteForce {
    fn id(&self) -> &'static str {
        "brute_force"
    }

    fn summary(&self) -> &'static str {
        "many failed logins at one server, of one client or of many"
    }

    fn documentation(&self) -> &'static str {
        DOCUMENTATION
    }

    fn detect(&self, context: &Context<'_>) -> Result<Vec<Alert>, Error> {
        let connections = Connections::of(context)?;
        let guessed = context.campaigns.iter().filter(|campaign| !matches!(campaign.shape, Shape::Users | Shape::Servers));
        Ok(guessed.map(|campaign| alert(campaign, &Told::of(context, campaign, &connections))).collect())
    }
}

fn alert(campaign: &Campaign, told: &Told<'_>) -> Alert {
    let (client, servers, service) = (told.client(), told.servers(), told.service());
    let stale = campaign.verdict.stale;
    let (technique, title, who) = match campaign.shape {
        Shape::Distributed => {
            let clients = counted(told.clients(), "client");
            ("distributed", format!("{service} logins at {servers} guessed by {clients}"), clients)
        }
        _ if stale => ("stale_credential", format!("{client} repeats a failing {service} login at {servers}"), client),
        Shape::Slow => ("slow", format!("{client} guesses {service} logins at {servers} slowly"), client),
        _ if told.severity == Severity::Critical => {
            (technique(campaign), format!("{client} guesses {} at {servers}", login_of(service)), client)
        }
        _ => (technique(campaign), format!("{client} fails to log in at {servers} by {service}"), client),
    };
    let pace = match campaign.shape {
        _ if stale => ", at the pace of a program with an old password",
        _ if told.severity == Severity::Info => ", on so few connections that somebody may have sat at a prompt",
        _ => "",
    };
    Alert {
        technique: Some(technique),
        title,
        message: format!("{} of {who} at {servers} ({}) in {}{pace}{}", told.failures(), told.port(), told.lasted(), told.details()),
        attack: if told.severity == Severity::Critical { &["T1110.001", "T1078"] } else { &["T1110.001"] },
        ..told.alert()
    }
}

fn technique(campaign: &Campaign) -> &'static str {
    campaign.rows.first().map(|row| row.service.name()).filter(|name| !name.is_empty()).unwrap_or("login")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::app::LoginOutcome::{self, Dropped, Failed, Succeeded};
    use crate::decode::app::{Fact, Login, Service};
    use crate::detect::testing::{Capture, host};
    use crate::time::{self, SECOND};

    const MINUTE_MS: i64 = 60_000;

    /// A connection with one attempt, as FTP tells it.
    fn ftp(capture: &mut Capture, ms: i64, client: u32, user: &str, outcome: LoginOutcome) {
        let port = 20_000 + u16::try_from(ms % 40_000).unwrap();
        capture.at_ms(ms).conversation(client, port, 99, 21);
        capture.login(client, 99, Service::Ftp, user, outcome);
    }

    /// A connection with one attempt, as SSH lets guess; the user is hidden.
    fn ssh(capture: &mut Capture, ms: i64, outcome: LoginOutcome) {
        let port = 20_000 + u16::try_from(ms % 40_000).unwrap();
        capture.at_ms(ms).conversation(5, port, 99, 902);
        unseen(capture, outcome);
    }

    fn unseen(capture: &mut Capture, outcome: LoginOutcome) {
        capture.said(5, 99, 902, Service::Ssh, |at| Fact::Login(Login { user: String::new(), outcome, certain: false, at }));
    }

    fn severities(capture: &Capture) -> Vec<Severity> {
        capture.judge(&BruteForce).iter().map(|alert| alert.severity).collect()
    }

    fn guessed(failures: i64) -> Capture {
        let mut capture = Capture::default();
        (0..failures).for_each(|n| ftp(&mut capture, n * 1_000, 5, ["admin", "root"][n as usize % 2], Failed));
        capture
    }

    #[test]
    fn many_failures_at_one_server_are_one_alert_by_their_number() {
        assert_eq!(severities(&guessed(4)), []);
        assert_eq!(severities(&guessed(5)), [Severity::Low]);
        assert_eq!(severities(&guessed(9)), [Severity::Low]);
        assert_eq!(severities(&guessed(10)), [Severity::Medium]);
        assert_eq!(severities(&guessed(30)), [Severity::High]);
        let found = guessed(30).judge(&BruteForce);
        assert_eq!((found[0].technique, &found[0].ports, found[0].flow_count), (Some("ftp"), &vec![21], 30));
        assert_eq!((&found[0].attackers, &found[0].victims), (&vec![host(5)], &vec![host(99)]));
        assert!(found[0].message.contains("30 failed logins") && found[0].message.contains("tried as admin (15), root (15)"));
        // The first to fail is at 0 s, the last at 29 s.
        assert_eq!((found[0].last_seen - found[0].first_seen) / SECOND, 29);
    }

    #[test]
    fn one_user_may_fail_more_often_before_it_is_guessing() {
        let of_one = |failures: i64| {
            let mut capture = Capture::default();
            (0..failures).for_each(|n| ftp(&mut capture, n * 1_000, 5, "admin", Failed));
            severities(&capture)
        };
        assert_eq!(of_one(19), [Severity::Low]);
        assert_eq!(of_one(20), [Severity::Medium]);
    }

    #[test]
    fn a_success_after_many_failures_is_critical_and_names_the_user_and_the_time() {
        let mut capture = guessed(12);
        ftp(&mut capture, 20_000, 5, "root", Succeeded);
        let found = capture.judge(&BruteForce);
        assert_eq!((found.len(), found[0].severity, found[0].attack), (1, Severity::Critical, ["T1110.001", "T1078"].as_slice()));
        let when = time::log_time(Capture::START + 20 * SECOND);
        assert!(found[0].message.contains(&format!("the login as root succeeded at {when} UTC")), "{}", found[0].message);
    }

    /// Ten failures of three users, and whoever of them gets in was tried before the others.
    #[test]
    fn a_success_counts_the_failures_of_all_users_before_it() {
        for user in ["root", "admin", "guest"] {
            let mut capture = Capture::default();
            let users = ["root", "admin", "guest"].into_iter().cycle().take(10);
            (0..).zip(users).for_each(|(n, user)| ftp(&mut capture, n * 1_700, 5, user, Failed));
            ftp(&mut capture, 17_500, 5, user, Succeeded);
            assert_eq!(severities(&capture), [Severity::Critical], "{user}");
        }
    }

    #[test]
    fn few_failures_and_then_a_success_are_at_most_worth_a_look() {
        let mut capture = guessed(6);
        ftp(&mut capture, 7_000, 5, "root", Succeeded);
        assert_eq!(severities(&capture), [Severity::Low]);
    }

    #[test]
    fn the_success_of_somebody_else_at_the_same_address_is_not_the_attackers() {
        let mut capture = Capture::default();
        (0..25).for_each(|n| ftp(&mut capture, n * 1_000, 5, "admin", Failed));
        ftp(&mut capture, 30_000, 5, "carol", Succeeded);
        assert_eq!(severities(&capture), [Severity::Medium]);
    }

    #[test]
    fn failures_inferred_and_connections_turned_away_count() {
        let mut capture = Capture::default();
        (0..41).for_each(|n| ssh(&mut capture, n * 300, Failed));
        (0..18).for_each(|n| ssh(&mut capture, n * 300 + 7, Dropped));
        let found = capture.judge(&BruteForce);
        assert_eq!((found.len(), found[0].severity, &found[0].ports), (1, Severity::High, &vec![902]));
        assert!(found[0].message.contains("59 failed logins") && found[0].message.contains("18 turned away"), "{}", found[0].message);
    }

    #[test]
    fn a_few_guesses_over_ssh_on_a_connection_each_are_worth_a_look() {
        let mut capture = Capture::default();
        ssh(&mut capture, 0, Succeeded);
        (1..6).for_each(|n| ssh(&mut capture, n * 300, Failed));
        assert_eq!(severities(&capture), [Severity::Low]);
    }

    #[test]
    fn several_tries_at_one_prompt_are_a_fact_and_no_more() {
        let mut capture = Capture::default();
        ssh(&mut capture, 0, Failed);
        (1..6).for_each(|n| unseen(capture.at_ms(n * 2_000), Failed));
        assert_eq!(severities(&capture), [Severity::Info]);
    }

    #[test]
    fn being_turned_away_alone_is_no_guessing() {
        let mut capture = Capture::default();
        (0..40).for_each(|n| ssh(&mut capture, n * 300, Dropped));
        assert_eq!(severities(&capture), [Severity::Low]);
    }

    #[test]
    fn clients_that_offer_keys_before_the_right_one_are_ordinary() {
        let mut capture = Capture::default();
        for session in 0..40 {
            ssh(&mut capture, session * 3_000, Failed);
            (1..4).for_each(|n| unseen(capture.at_ms(session * 3_000 + n * 20), if n < 3 { Failed } else { Succeeded }));
        }
        assert_eq!(severities(&capture), []);
    }

    #[test]
    fn a_program_with_an_old_password_is_a_fact() {
        // A mail client, every 20 s for half an hour; a service, every 3 s for two hours.
        for (every, number) in [(20_000, 90), (3_000, 2_400)] {
            let mut capture = Capture::default();
            (0..number).for_each(|n| ftp(&mut capture, n * every, 5, "carol", Failed));
            let found = capture.judge(&BruteForce);
            assert_eq!((found.len(), found[0].severity, found[0].technique), (1, Severity::Info, Some("stale_credential")));
        }
        // The same at ten a second, and of many users, is guessing.
        let mut capture = Capture::default();
        (0..2_400).for_each(|n| ftp(&mut capture, n * 100, 5, "carol", Failed));
        assert_eq!(severities(&capture), [Severity::High]);
        let mut capture = Capture::default();
        (0..90).for_each(|n| ftp(&mut capture, n * 20_000, 5, &format!("user{}", n % 20), Failed));
        assert_eq!(severities(&capture), [Severity::High]);
    }

    #[test]
    fn hours_of_a_steady_pace_are_worth_a_look_where_the_user_is_hidden() {
        let mut capture = Capture::default();
        (0..120).for_each(|n| ssh(&mut capture, n * MINUTE_MS + 1, Failed));
        assert_eq!(severities(&capture), [Severity::Low]);
    }

    #[test]
    fn guessing_below_every_rate_shows_in_the_whole_capture() {
        let slow = |failures: i64| {
            let mut capture = Capture::default();
            (0..failures).for_each(|n| ftp(&mut capture, n * 17 * MINUTE_MS, 5, &format!("user{}", n % 6), Failed));
            capture.judge(&BruteForce)
        };
        assert!(slow(29).is_empty());
        let found = slow(30);
        assert_eq!((found.len(), found[0].severity, found[0].technique), (1, Severity::Medium, Some("slow")));
    }

    #[test]
    fn two_attacks_with_a_long_pause_are_two_and_with_a_short_one_are_one() {
        let twice = |pause: i64| {
            let mut capture = guessed(12);
            (0..12).for_each(|n| ftp(&mut capture, pause + n * 1_000, 5, ["admin", "root"][n as usize % 2], Failed));
            severities(&capture).len()
        };
        assert_eq!((twice(10 * MINUTE_MS), twice(20 * MINUTE_MS)), (1, 2));
    }

    /// Clients that fail so often each, all as the same users.
    fn crowd(clients: u32, tries: i64) -> Capture {
        let mut capture = Capture::default();
        for n in 0..clients {
            (0..tries).for_each(|k| ftp(&mut capture, i64::from(n) * 10_000 + k * 1_000, 5 + n, ["admin", "root"][k as usize % 2], Failed));
        }
        capture
    }

    #[test]
    fn many_clients_against_one_server_are_one_alert() {
        let found = crowd(12, 3).judge(&BruteForce);
        assert_eq!((found.len(), found[0].severity, found[0].technique), (1, Severity::Medium, Some("distributed")));
        assert_eq!((found[0].attacker_count, found[0].victim_count), (12, 1));
        assert!(crowd(9, 4).judge(&BruteForce).is_empty());
        // What each alone would be is told with it, and not again.
        assert_eq!(severities(&crowd(12, 40)), [Severity::High]);
    }

    #[test]
    fn one_loud_client_among_a_few_that_fail_is_its_own_alert() {
        let mut capture = crowd(8, 3);
        (0..100).for_each(|n| ftp(&mut capture, n * 500, 77, ["admin", "root"][n as usize % 2], Failed));
        let found = capture.judge(&BruteForce);
        assert_eq!((found.len(), found[0].technique, &found[0].attackers), (1, Some("ftp"), &vec![host(77)]));
    }

    #[test]
    fn telephones_that_each_repeat_their_own_old_password_are_at_most_worth_a_look() {
        let mut capture = Capture::default();
        for n in 0..12 {
            (0..3).for_each(|k| ftp(&mut capture, i64::from(n) * 10_000 + k * 1_000, 5 + n, &format!("user{n}"), Failed));
        }
        assert_eq!(severities(&capture), [Severity::Low]);
    }

    #[test]
    fn people_who_mistype_and_then_log_in_are_ordinary() {
        let mut capture = crowd(12, 3);
        (0..12).for_each(|n| ftp(&mut capture, 200_000 + i64::from(n), 5 + n, "root", Succeeded));
        assert_eq!(severities(&capture), []);
    }
}

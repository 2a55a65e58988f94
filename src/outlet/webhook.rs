//! A webhook: each alert as JSON, as in `alerts.jsonl`, in a POST of its own.
//!
//! Knows HTTP and what an answer means. The certificate of an `https` receiver is held against the roots of Mozilla that
//! are built in. A redirect is not followed: an alert goes where it was said that it goes, and the answer counts as a
//! failure that says so. A proxy of the environment (`HTTPS_PROXY`, `NO_PROXY`) is used, but not to this machine.
//!
//! An alert may arrive twice, where the receiver took it and its answer was lost: `id` and `status` tell.

use std::time::Duration;

use ureq::http::StatusCode;
use ureq::{Agent, Error as HttpError, Proxy};

use super::queue::{Deliver, Pause};
use super::retry::{Retry, Trouble};
use super::url::Url;
use crate::config;
use crate::detect::Notice;
use crate::report::json_line;

pub(super) struct Webhook {
    url: Url,
    agent: Agent,
    retry: Retry,
}

impl Webhook {
    pub fn new(url: &Url, settings: &config::Outlet) -> Self {
        let agent = Agent::config_builder()
            .timeout_global(Some(Duration::from_secs_f64(settings.timeout_s)))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // Answers are not read to their end, and alerts come seldom.
            .max_idle_connections(0)
            .user_agent(concat!("nsm/", env!("CARGO_PKG_VERSION")))
            .proxy(if url.is_local() { None } else { Proxy::try_from_env() })
            .build()
            .new_agent();
        Self { url: url.clone(), agent, retry: Retry::new(settings) }
    }

    fn post(&self, alert: &str) -> Result<(), Trouble> {
        let answer =
            self.agent.post(self.url.whole()).header("Content-Type", "application/json").send(alert).map_err(|error| trouble(&error))?;
        let wait = answer.headers().get("Retry-After").and_then(|value| value.to_str().ok()?.trim().parse().ok());
        judged(answer.status(), wait.map(Duration::from_secs))
    }
}

impl Deliver for Webhook {
    fn deliver(&mut self, notice: &Notice, pause: &Pause) -> Result<(), String> {
        let alert = json_line(&notice.record()).map_err(|cause| cause.to_string())?;
        self.retry.run(pause, || self.post(&alert))
    }
}

/// `wait` is what the receiver asks for (RFC 9110, 10.2.3), where that is a number of seconds.
fn judged(status: StatusCode, wait: Option<Duration>) -> Result<(), Trouble> {
    let answer = format!("the receiver answers {}", status.as_u16());
    match status {
        _ if status.is_success() => Ok(()),
        _ if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => Err(Trouble::Passing(answer, wait)),
        _ if status.is_redirection() => Err(Trouble::Lasting(format!("{answer}, a redirect, which is not followed; give the new address"))),
        _ => Err(Trouble::Lasting(answer)),
    }
}

/// In words of our own: those of the library may repeat the URL.
fn trouble(error: &HttpError) -> Trouble {
    match error {
        HttpError::Io(cause) => Trouble::passing(format!("no connection: {cause}")),
        HttpError::Timeout(_) => Trouble::passing("no answer in time"),
        HttpError::HostNotFound => Trouble::passing("the host was not found"),
        HttpError::ConnectionFailed => Trouble::passing("no connection"),
        HttpError::ConnectProxyFailed(_) => Trouble::passing("no connection through the proxy"),
        HttpError::Protocol(_) => Trouble::Lasting("the receiver does not speak HTTP".into()),
        HttpError::Rustls(cause) => Trouble::Lasting(format!("no safe connection: {cause}")),
        HttpError::Tls(cause) => Trouble::Lasting(format!("no safe connection: {cause}")),
        _ => Trouble::Lasting("the request could not be made".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let judge = |status| judged(StatusCode::from_u16(status).unwrap(), None);
        for fine in [200, 201, 202, 204] {
            assert_eq!(judge(fine), Ok(()));
        }
        for passing in [429, 500, 502, 503, 504] {
            assert!(matches!(judge(passing), Err(Trouble::Passing(..))), "{passing}");
        }
        for lasting in [301, 302, 307, 308, 400, 401, 403, 404, 410, 413] {
            assert!(matches!(judge(lasting), Err(Trouble::Lasting(_))), "{lasting}");
        }
        assert!(matches!(judge(308), Err(Trouble::Lasting(reason)) if reason.contains("not followed")));
    }

    #[test]
    fn troubles_do_not_tell_the_url() {
        let errors = [
            HttpError::BadUri("https://a/s3cret".into()),
            HttpError::RequireHttpsOnly("https://a/s3cret".into()),
            HttpError::ConnectProxyFailed("http://user:s3cret@proxy".into()),
        ];
        for error in errors {
            assert!(!format!("{:?}", trouble(&error)).contains("s3cret"));
        }
    }
}

//! The URL of a webhook: part of it is often a secret, and is never shown.

use std::fmt;

use ureq::http::Uri;

use crate::error::Error;

/// An absolute `http` or `https` URL. Shows its host only: user, path and query may be what lets somebody in.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Url {
    text: String,
    shown: String,
    is_local: bool,
}

impl Url {
    /// # Errors
    /// [`Error::Usage`], without what was given: it may be a secret.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        Self::read(text).ok_or_else(|| {
            let form = "write it as https://HOST/PATH, or @FILE with the file that holds it";
            Error::Usage(format!("--webhook: not a URL of a webhook (it is not shown, as it may be a secret); {form}"))
        })
    }

    fn read(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let scheme = uri.scheme_str().filter(|scheme| ["http", "https"].contains(scheme))?;
        let (host, port) = (uri.host().filter(|host| !host.is_empty())?, uri.port_u16());
        // A port that is none is not the usual one.
        let authority = uri.authority()?.as_str();
        let after_host = authority.rsplit_once('@').map_or(authority, |(_, place)| place).strip_prefix(host)?;
        if port == Some(0) || (port.is_none() && !after_host.is_empty()) {
            return None;
        }
        let is_hidden = authority.contains('@') || uri.path_and_query().is_some_and(|rest| rest.as_str() != "/");
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let shown = format!("{scheme}://{host}{port}{}", if is_hidden { "/..." } else { "" });
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
        let is_local = host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback());
        Some(Self { text: text.to_owned(), shown, is_local })
    }

    /// All of it. For the connection, and nobody else.
    pub(super) fn whole(&self) -> &str {
        &self.text
    }

    /// It is on this machine.
    pub(super) const fn is_local(&self) -> bool {
        self.is_local
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shown.fmt(f)
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shown.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_host_is_shown() {
        for (text, shown) in [
            ("https://hooks.example/services/T0/B0/s3cret", "https://hooks.example/..."),
            ("https://user:s3cret@hooks.example:8443", "https://hooks.example:8443/..."),
            ("http://127.0.0.1:8080/?token=s3cret", "http://127.0.0.1:8080/..."),
            ("http://[::1]:80/", "http://[::1]:80"),
            (" https://hooks.example\n", "https://hooks.example"),
        ] {
            let url = Url::parse(text).unwrap();
            assert_eq!((url.to_string().as_str(), format!("{url:?}").as_str()), (shown, format!("{shown:?}").as_str()));
            assert_eq!(url.whole(), text.trim());
        }
    }

    #[test]
    fn what_is_refused_is_not_repeated() {
        for text in [
            "",
            "s3cret",
            "ftp://a/s3cret",
            "https:///s3cret",
            "https://a:port/s3cret",
            "https://a:0/s3cret",
            "https://a b/s3cret",
            "//a/s3cret",
            "https://a:99999/s3cret",
        ] {
            let refused = Url::parse(text).unwrap_err().to_string();
            assert!(!refused.contains("s3cret") && refused.contains("--webhook"), "{text}: {refused}");
        }
    }

    #[test]
    fn a_local_receiver_is_known() {
        let is_local = |text| Url::parse(text).unwrap().is_local();
        assert!(["http://localhost:1/", "http://LOCALHOST", "http://127.0.0.9/", "https://[::1]/"].into_iter().all(is_local));
        assert!(!["http://localhost.example/", "http://192.0.2.1/", "https://127.example/"].into_iter().any(is_local));
    }
}

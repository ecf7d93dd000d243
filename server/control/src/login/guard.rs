//! Whether a form comes from a page of this server.

use http::{HeaderMap, Uri, header};

/// What browsers call this server, as it was configured; never what a request says.
#[derive(Debug)]
pub struct Own {
    origin: String,
    /// Whether the way to it is encrypted.
    pub secure: bool,
}

impl Own {
    /// That of the URL that clients are told.
    pub fn of(server_url: &str) -> Self {
        let uri: Uri = server_url.parse().unwrap_or_default();
        let scheme = uri.scheme_str().unwrap_or("https").to_ascii_lowercase();
        let secure = scheme == "https";
        let host = uri.host().unwrap_or_default().to_ascii_lowercase();
        let usual = if secure { 443 } else { 80 };
        let port = uri.port_u16().filter(|port| *port != usual).map(|port| format!(":{port}"));
        Self { origin: format!("{scheme}://{host}{}", port.unwrap_or_default()), secure }
    }

    /// Every browser says where a form comes from; who does not is refused.
    pub fn sent(&self, headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let own = origins.next().is_some_and(|origin| origin.as_bytes() == self.origin.as_bytes());
        let site = headers.get("sec-fetch-site").is_none_or(|site| site.as_bytes() == b"same-origin");
        own && origins.next().is_none() && site
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        headers.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap())).collect()
    }

    #[test]
    fn the_usual_port_is_not_said() {
        for (url, origin) in [
            ("https://Mesh.example.com", "https://mesh.example.com"),
            ("https://mesh.example.com:443", "https://mesh.example.com"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("https://[::1]:8443", "https://[::1]:8443"),
        ] {
            assert_eq!(Own::of(url).origin, origin);
        }
    }

    #[test]
    fn a_form_of_another_site_or_of_none_is_refused() {
        let own = Own::of("https://mesh.example.com");
        assert!(own.sent(&says(&[("origin", "https://mesh.example.com")])));
        assert!(
            own.sent(&says(&[("origin", "https://mesh.example.com"), ("sec-fetch-site", "same-origin")]))
        );
        for bad in [
            &[][..],
            &[("origin", "null")],
            &[("origin", "http://mesh.example.com")],
            &[("origin", "https://mesh.example.com.evil.example")],
            &[("origin", "https://evil.example"), ("host", "evil.example")],
            &[("origin", "https://mesh.example.com"), ("sec-fetch-site", "same-site")],
        ] {
            assert!(!own.sent(&says(bad)), "{bad:?}");
        }
    }
}

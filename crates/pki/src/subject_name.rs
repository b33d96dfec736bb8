//! The names that a serving certificate is good for.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use rustls_pki_types::DnsName;

/// A DNS name or IP address for a certificate's subject alternative names (RFC 5280 section 4.2.1.6).
///
/// DNS names are kept in lower case; the first label may be `*`.
///
/// ```
/// use burgee_pki::SubjectName;
///
/// let names = ["127.0.0.1", "::1", "API.example.com", "*.example.com"]
///     .map(|text| text.parse::<SubjectName>().unwrap().to_string());
/// assert_eq!(names, ["127.0.0.1", "::1", "api.example.com", "*.example.com"]);
/// assert!("https://example.com".parse::<SubjectName>().is_err());
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum SubjectName {
    /// A DNS name in ASCII, perhaps with a wildcard as its first label.
    Dns(String),
    /// An IP address.
    Ip(IpAddr),
}

/// A text is neither a DNS name nor an IP address.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a DNS name or IP address")]
pub struct InvalidSubjectName;

impl FromStr for SubjectName {
    type Err = InvalidSubjectName;

    fn from_str(text: &str) -> Result<Self, InvalidSubjectName> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Ip(address));
        }
        let name = text.to_ascii_lowercase();
        let below_wildcard = name.strip_prefix("*.").unwrap_or(&name);
        // A certificate names hosts without the dot that ends an absolute name.
        if below_wildcard.ends_with('.') || DnsName::try_from(below_wildcard).is_err() {
            return Err(InvalidSubjectName);
        }
        Ok(Self::Dns(name))
    }
}

impl fmt::Display for SubjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => f.write_str(name),
            Self::Ip(address) => address.fmt(f),
        }
    }
}

/// The names under which a server that listens on `addresses` is reached: this machine's own, the
/// ones that a Kubernetes API server always has, and the addresses themselves. An address that means
/// every interface (`0.0.0.0`, `::`) adds nothing.
pub(crate) fn of_server(addresses: impl IntoIterator<Item = IpAddr>) -> Vec<SubjectName> {
    let well_known = [
        "localhost",
        "127.0.0.1",
        "::1",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    ];
    let host = rustix::system::uname();
    // A machine may have a name that DNS does not allow; then it is not reached by it either.
    let host = host
        .nodename()
        .to_str()
        .ok()
        .and_then(|name| name.parse().ok());
    let addresses = addresses
        .into_iter()
        .filter(|address| !address.is_unspecified());
    well_known
        .iter()
        .filter_map(|name| name.parse().ok())
        .chain(host)
        .chain(addresses.map(SubjectName::Ip))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_that_are_no_names_are_refused() {
        for text in [
            "",
            ".",
            "*",
            "*.",
            "a..b",
            "a b",
            "example.com.",
            "a:6443",
            "*.*.example.com",
            "-",
            "é.example",
        ] {
            assert_eq!(
                text.parse::<SubjectName>(),
                Err(InvalidSubjectName),
                "{text:?}"
            );
        }
    }

    #[test]
    fn every_well_known_name_is_there_and_wildcard_addresses_are_not() {
        let names = of_server(["0.0.0.0".parse().unwrap(), "10.0.0.7".parse().unwrap()]);
        assert!(names.len() >= 8);
        assert!(names.contains(&"kubernetes.default.svc.cluster.local".parse().unwrap()));
        assert!(names.contains(&"10.0.0.7".parse().unwrap()));
        assert!(!names.contains(&"0.0.0.0".parse().unwrap()));
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(text in "\\PC{0,40}|[a-zA-Z0-9*.:-]{0,40}") {
            if let Ok(name) = text.parse::<SubjectName>() {
                prop_assert_eq!(name.to_string().parse(), Ok(name));
            }
        }
    }
}

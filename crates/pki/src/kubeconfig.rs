//! The kubeconfig that first start writes for its administrator.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// A cluster, a user and the context of both, with every certificate and key embedded.
///
/// Fields stand in the order in which kubectl writes them, so that the file stays the same when
/// `kubectl config` rewrites it.
pub(crate) struct Kubeconfig<'a> {
    /// The server's URL.
    pub(crate) server: &'a str,
    /// Certificates, in PEM, that the server's own must chain to.
    pub(crate) authority: &'a [u8],
    /// The user's certificate in PEM.
    pub(crate) certificate: &'a [u8],
    /// The user's private key in PEM.
    pub(crate) key: &'a [u8],
}

impl Kubeconfig<'_> {
    /// The file's text.
    pub(crate) fn to_yaml(&self) -> Zeroizing<String> {
        let [authority, certificate, key] = self.embedded();
        // Room for all of it, so that growing leaves no copy of the key behind.
        let len = authority.len() + certificate.len() + key.len() + self.server.len() + 512;
        let mut yaml = Zeroizing::new(String::with_capacity(len));
        // Base64 and URLs of this form need no quotes in YAML.
        let _ = write!(
            yaml,
            "apiVersion: v1\n\
             clusters:\n\
             - cluster:\n    \
                 certificate-authority-data: {}\n    \
                 server: {}\n  \
               name: burgee\n\
             contexts:\n\
             - context:\n    \
                 cluster: burgee\n    \
                 user: admin\n  \
               name: burgee\n\
             current-context: burgee\n\
             kind: Config\n\
             users:\n\
             - name: admin\n  \
               user:\n    \
                 client-certificate-data: {}\n    \
                 client-key-data: {}\n",
            *authority, self.server, *certificate, *key
        );
        yaml
    }

    /// Whether a file's text leads to this server as this user already.
    ///
    /// What else someone put there, such as a namespace of the context or another cluster, is theirs
    /// and no reason to write the file again.
    pub(crate) fn is_in(&self, text: &[u8]) -> bool {
        let Ok(text) = std::str::from_utf8(text) else {
            return false;
        };
        let has = |value: &str| {
            text.lines()
                .filter_map(|line| line.split_once(": "))
                .any(|(_, found)| found.trim() == value)
        };
        has(self.server) && self.embedded().iter().all(|value| has(value))
    }

    fn embedded(&self) -> [Zeroizing<String>; 3] {
        [self.authority, self.certificate, self.key].map(|pem| Zeroizing::new(STANDARD.encode(pem)))
    }
}

/// The URL by which a client on this machine reaches a server that listens on `address`.
pub(crate) fn server_url(address: SocketAddr) -> String {
    let ip = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    format!("https://{}", SocketAddr::new(ip, address.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: Kubeconfig<'static> = Kubeconfig {
        server: "https://127.0.0.1:6443",
        authority: b"authority",
        certificate: b"certificate",
        key: b"key",
    };

    #[test]
    fn the_text_is_what_kubectl_writes() {
        let expected = "\
apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: YXV0aG9yaXR5
    server: https://127.0.0.1:6443
  name: burgee
contexts:
- context:
    cluster: burgee
    user: admin
  name: burgee
current-context: burgee
kind: Config
users:
- name: admin
  user:
    client-certificate-data: Y2VydGlmaWNhdGU=
    client-key-data: a2V5
";
        assert_eq!(*SAMPLE.to_yaml(), expected);
    }

    #[test]
    fn additions_are_no_reason_to_write_it_again_but_each_value_is() {
        let text = SAMPLE.to_yaml().replace(
            "cluster: burgee\n    user",
            "cluster: burgee\n    namespace: dev\n    user",
        );
        assert!(SAMPLE.is_in(text.as_bytes()));
        for value in [
            "YXV0aG9yaXR5",
            "https://127.0.0.1:6443",
            "Y2VydGlmaWNhdGU=",
            "a2V5",
        ] {
            assert!(!SAMPLE.is_in(text.replace(value, "https://127.0.0.1:64430").as_bytes()));
        }
    }

    #[test]
    fn an_address_that_means_every_interface_is_reached_by_loopback() {
        let cases = [
            ("0.0.0.0:6443", "https://127.0.0.1:6443"),
            ("[::]:6443", "https://[::1]:6443"),
            ("10.0.0.7:443", "https://10.0.0.7:443"),
            ("[fd00::7]:443", "https://[fd00::7]:443"),
        ];
        for (address, url) in cases {
            assert_eq!(server_url(address.parse().unwrap()), url);
        }
    }
}

//! The kubeconfig in cluster-info, as it is written.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::{CertificateBundle, Error};

/// The text that cluster-info publishes: one cluster without a name, its server and its authorities.
///
/// The text is, byte for byte, what kubeadm 1.34 and later write. Once it is stored, its bytes are what
/// is signed and compared: never format it again.
///
/// ```
/// use burgee_bootstrap_token::PublishedKubeconfig;
///
/// let text = PublishedKubeconfig::without_authorities("https://api.example.org")?.to_string();
/// assert!(text.contains("    server: https://api.example.org\n"));
/// assert!(PublishedKubeconfig::without_authorities("http://api.example.org").is_err());
/// # Ok::<(), burgee_bootstrap_token::Error>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PublishedKubeconfig {
    server: String,
    authorities: Option<Vec<u8>>,
}

impl PublishedKubeconfig {
    /// A cluster whose certificates these authorities sign: a PEM file's content, which is published as
    /// it is.
    ///
    /// # Errors
    /// [`Error::ServerInvalid`], or what [`CertificateBundle::from_pem`] finds wrong.
    pub fn new(server: &str, authorities: &[u8]) -> Result<Self, Error> {
        CertificateBundle::from_pem(authorities)?;
        Ok(Self {
            authorities: Some(authorities.to_vec()),
            ..Self::without_authorities(server)?
        })
    }

    /// A cluster whose certificates are trusted for other reasons. Without pins, machines that join
    /// would have to trust whoever answers: kubeadm refuses such a cluster since 1.36.
    ///
    /// # Errors
    /// [`Error::ServerInvalid`].
    pub fn without_authorities(server: &str) -> Result<Self, Error> {
        // These characters need no quotes in YAML as long as the last is no colon.
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/[]%@".contains(c);
        let host = server.strip_prefix("https://").unwrap_or_default();
        let ends_well = host.ends_with(|c: char| c.is_ascii_alphanumeric() || "/]".contains(c));
        if !ends_well || !host.chars().all(plain) || host.len() > MAX_SERVER_LEN {
            return Err(Error::ServerInvalid);
        }
        Ok(Self {
            server: server.to_owned(),
            authorities: None,
        })
    }
}

/// Longer than any host name, port and path that one would type.
const MAX_SERVER_LEN: usize = 2048;

impl std::fmt::Display for PublishedKubeconfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("apiVersion: v1\nclusters:\n- cluster:\n")?;
        if let Some(pem) = &self.authorities {
            writeln!(
                f,
                "    certificate-authority-data: {}",
                STANDARD.encode(pem)
            )?;
        }
        writeln!(f, "    server: {}", self.server)?;
        f.write_str(
            "  name: \"\"\ncontexts: null\ncurrent-context: \"\"\nkind: Config\nusers: null\n",
        )
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest;

    use super::*;
    use crate::ClusterInfoKey;
    use crate::testing::{AUTHORITY, token};

    const SERVER: &str = "https://10.0.0.10:6443";

    fn sha256(text: &str) -> String {
        let digest = digest::digest(&digest::SHA256, text.as_bytes());
        digest
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    #[test]
    fn the_text_is_kubeadms_bit_for_bit() {
        let text = PublishedKubeconfig::new(SERVER, AUTHORITY.as_bytes())
            .unwrap()
            .to_string();
        assert_eq!(text.len(), 927);
        assert_eq!(
            sha256(&text),
            "557b37ee4a3540f142a9d37f8e21d352f57c595de9e5289351e72f3cad0638c3"
        );
        assert_eq!(
            ClusterInfoKey::new(&token()).sign(&text),
            "eyJhbGciOiJIUzI1NiIsImtpZCI6IjA3NDAxYiJ9..5z2K2MV-j3vabl6-RJ-dYPl5o01U0CguTZmHhaHEKaw"
        );
    }

    #[test]
    fn the_older_text_has_its_own_signature() {
        let text = PublishedKubeconfig::new(SERVER, AUTHORITY.as_bytes())
            .unwrap()
            .to_string();
        let older = text.replace("kind: Config\n", "kind: Config\npreferences: {}\n");
        assert_eq!(older.len(), 943);
        assert_eq!(
            sha256(&older),
            "243b842916866eadac89f72049418be2227d18bb698898056b85bf2fc34bc587"
        );
        assert_eq!(
            ClusterInfoKey::new(&token()).sign(&older),
            "eyJhbGciOiJIUzI1NiIsImtpZCI6IjA3NDAxYiJ9..4oIl15NMcwUaLJaJve981q5R5bQ9OhjVMj0QOJub85Q"
        );
    }

    #[test]
    fn a_cluster_without_authorities_has_to_be_asked_for() {
        let text = PublishedKubeconfig::without_authorities("https://127.0.0.1:6443").unwrap();
        let text = text.to_string();
        assert_eq!(text.len(), 142);
        assert_eq!(
            sha256(&text),
            "43750a20bb7517d0018478a188a043864e79ffc2bbc88bb5bdacdf65c1db88e6"
        );
        let error = PublishedKubeconfig::new(SERVER, b"/etc/kubernetes/pki/ca.crt").unwrap_err();
        assert_eq!(error, Error::CertificatesAbsent);
    }

    #[test]
    fn only_urls_that_yaml_needs_no_quotes_for_are_published() {
        for good in [
            "https://[fd00::1]:6443",
            "https://a.b/c",
            "https://a/",
            "https://a",
        ] {
            assert!(
                PublishedKubeconfig::without_authorities(good).is_ok(),
                "{good}"
            );
        }
        for bad in [
            "",
            "https://",
            "http://a",
            "10.0.0.10:6443",
            "https://a:",
            "https://a b",
            "https://a #b",
            "https://a\n  name: b",
            "https://a'",
            "https://é",
        ] {
            let error = PublishedKubeconfig::without_authorities(bad).unwrap_err();
            assert_eq!(error, Error::ServerInvalid, "{bad:?}");
        }
    }
}

//! Reading a kubeconfig's current context.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// What the current context of a kubeconfig says.
#[derive(Clone)]
pub struct Kubeconfig {
    /// The server's URL.
    pub server: String,
    /// PEM of the certificates that the server's own must chain to.
    pub authority: Vec<u8>,
    /// How its user is authenticated.
    pub credential: Credential,
}

/// How a client says who it is.
#[derive(Clone)]
pub enum Credential {
    /// Not at all.
    Anonymous,
    /// A bearer token.
    Bearer(String),
    /// A client certificate, in PEM.
    Certificate {
        /// The certificate, and those that lead to its authority.
        certificates: Vec<u8>,
        /// Its private key.
        key: Vec<u8>,
    },
}

impl Kubeconfig {
    /// Reads a file.
    ///
    /// # Panics
    ///
    /// If it cannot be read or its current context leads nowhere.
    #[must_use]
    pub fn read(file: &Path) -> Self {
        let text = fs::read_to_string(file)
            .unwrap_or_else(|error| panic!("reading {}: {error}", file.display()));
        let config: Value = serde_saphyr::from_str(&text)
            .unwrap_or_else(|error| panic!("reading {}: {error}", file.display()));
        let context = named(&config["contexts"], &config["current-context"], "context");
        let cluster = named(&config["clusters"], &context["cluster"], "cluster");
        let user = named(&config["users"], &context["user"], "user");
        let bytes = |section: &Value, field: &str| embedded(section, field, file);
        Self {
            server: text_of(&cluster["server"]).expect("a cluster has a server"),
            authority: bytes(cluster, "certificate-authority").unwrap_or_default(),
            credential: match (text_of(&user["token"]), bytes(user, "client-certificate")) {
                (Some(token), _) => Credential::Bearer(token),
                (None, Some(certificates)) => Credential::Certificate {
                    certificates,
                    key: bytes(user, "client-key").expect("a client certificate has a key"),
                },
                (None, None) => Credential::Anonymous,
            },
        }
    }
}

/// The entry of this name in a list of a kubeconfig.
fn named<'a>(list: &'a Value, name: &Value, kind: &str) -> &'a Value {
    let entries = list.as_array().map(Vec::as_slice).unwrap_or_default();
    let entry = entries.iter().find(|entry| entry["name"] == *name);
    entry
        .map(|entry| &entry[kind])
        .unwrap_or_else(|| panic!("there is no {kind} named {name}"))
}

/// A field that is embedded as base64 in `FIELD-data`, or stands in the file that `FIELD` names.
fn embedded(section: &Value, field: &str, kubeconfig: &Path) -> Option<Vec<u8>> {
    if let Some(data) = text_of(&section[format!("{field}-data")]) {
        return Some(STANDARD.decode(data).expect("embedded data is base64"));
    }
    let file = text_of(&section[field])?;
    let directory = kubeconfig.parent().unwrap_or(Path::new("."));
    Some(fs::read(directory.join(file)).expect("a file that a kubeconfig names is there"))
}

fn text_of(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
clusters:
- name: other
  cluster: {server: 'https://other'}
- name: here
  cluster: {server: 'https://here', certificate-authority-data: Q0E=}
contexts:
- name: one
  context: {cluster: here, user: robot}
current-context: one
users:
- name: robot
  user: {token: t}
";

    #[test]
    fn the_current_context_decides() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("kubeconfig");
        fs::write(&file, TEXT).unwrap();
        let config = Kubeconfig::read(&file);
        assert_eq!(config.server, "https://here");
        assert_eq!(config.authority, b"CA");
        assert!(matches!(config.credential, Credential::Bearer(token) if token == "t"));
    }
}

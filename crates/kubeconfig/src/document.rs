//! One kubeconfig file: from its text to typed entries.
//!
//! The text is read into a JSON value first, and the value is taken apart field by field. That makes
//! unknown fields free to be there, as for kubectl, and lets an error name the field without showing what
//! stands in it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use burgee_identity::Secret;
use serde_json::{Map, Value};

use crate::error::Problem;
use crate::{AuthProvider, Cluster, Context, ExecPlugin, InteractiveMode, User};

/// Longer than a kubeconfig of a thousand clusters.
pub(crate) const MAX_TEXT_LEN: usize = 16 * 1024 * 1024;

/// Deeper than any field that is read here; what lies below is somebody's extension.
const MAX_DEPTH: usize = 64;

/// A file's entries, in its order.
#[derive(Debug, Default)]
pub(crate) struct Document {
    pub(crate) clusters: Vec<(String, Cluster)>,
    pub(crate) contexts: Vec<(String, Context)>,
    pub(crate) current_context: String,
    pub(crate) users: Vec<(String, User)>,
}

/// Reads the text of a `v1` `Config`. A file without content has no entries.
pub(crate) fn parse(text: &[u8]) -> Result<Document, Problem> {
    if text.len() > MAX_TEXT_LEN {
        return Err(Problem::TooLong(MAX_TEXT_LEN));
    }
    let Some(mut root) = Fields::of(read(text)?, String::new())? else {
        return Ok(Document::default());
    };
    let (kind, api_version) = (root.text("kind")?, root.text("apiVersion")?);
    if !matches!(kind.as_str(), "" | "Config") || !matches!(api_version.as_str(), "" | "v1") {
        let or = |text: String, default: &str| match text.as_str() {
            "" => default.to_owned(),
            _ => text,
        };
        return Err(Problem::Kind {
            kind: or(kind, "Config"),
            api_version: or(api_version, "v1"),
        });
    }
    Ok(Document {
        clusters: root.named("clusters", "cluster", cluster)?,
        contexts: root.named("contexts", "context", context)?,
        current_context: root.text("current-context")?,
        users: root.named("users", "user", user)?,
    })
}

/// Reads JSON or YAML. What looks like JSON and is not may still be YAML; the other way round, YAML refuses
/// some characters that JSON allows. Doubled keys count as for kubectl: the last one holds.
fn read(text: &[u8]) -> Result<Value, Problem> {
    let text = std::str::from_utf8(text)
        .map_err(|error| Problem::Syntax(format!("it is not UTF-8: {error}")))?;
    if text.trim_start().starts_with('{')
        && let Ok(value) = serde_json::from_str(text)
    {
        return Ok(value);
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: MAX_DEPTH, max_nodes: 250_000 },
        duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::LastWins,
        legacy_octal_numbers: true,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options::<Option<Value>>(text, options)
        .map(Option::unwrap_or_default)
        .map_err(|error| Problem::Syntax(syntax(error.without_snippet())))
}

/// The parser's message where it speaks of structure; the place alone where it might quote a value.
fn syntax(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::Error;
    match error {
        Error::Budget { .. }
        | Error::Eof { .. }
        | Error::ExternalMessage { .. }
        | Error::MultipleDocuments { .. }
        | Error::UnknownAnchor { .. } => error.to_string(),
        other => match other.location() {
            Some(at) => format!(
                "the value at line {}, column {} cannot be read",
                at.line(),
                at.column()
            ),
            None => "a value cannot be read".to_owned(),
        },
    }
}

fn cluster(mut fields: Fields) -> Result<Cluster, Problem> {
    Ok(Cluster {
        server: fields.text("server")?,
        tls_server_name: fields.text_if_any("tls-server-name")?,
        insecure_skip_tls_verify: fields.flag("insecure-skip-tls-verify")?,
        certificate_authority: fields.path("certificate-authority")?,
        certificate_authority_data: fields.bytes("certificate-authority-data")?,
        proxy_url: fields.secret("proxy-url")?,
        exec_config: exec_config(&mut fields)?,
    })
}

/// The extension of a cluster that is meant for plugins.
fn exec_config(fields: &mut Fields) -> Result<Option<Value>, Problem> {
    for mut extension in fields.objects("extensions")? {
        if extension.text("name")? == "client.authentication.k8s.io/exec" {
            return Ok(extension.members.remove("extension"));
        }
    }
    Ok(None)
}

fn context(mut fields: Fields) -> Result<Context, Problem> {
    Ok(Context {
        cluster: fields.text("cluster")?,
        user: fields.text("user")?,
        namespace: fields.text_if_any("namespace")?,
    })
}

fn user(mut fields: Fields) -> Result<User, Problem> {
    Ok(User {
        client_certificate: fields.path("client-certificate")?,
        client_certificate_data: fields.bytes("client-certificate-data")?,
        client_key: fields.path("client-key")?,
        client_key_data: fields.secret_bytes("client-key-data")?,
        token: fields.secret("token")?,
        token_file: fields.path("tokenFile")?,
        username: fields.text_if_any("username")?,
        password: fields.secret("password")?,
        impersonate: fields.text_if_any("as")?,
        impersonate_uid: fields.text_if_any("as-uid")?,
        impersonate_groups: fields.texts("as-groups")?,
        impersonate_extra: fields.text_lists("as-user-extra")?,
        auth_provider: match fields.object("auth-provider")? {
            Some(mut provider) => Some(AuthProvider {
                name: provider.text("name")?,
            }),
            None => None,
        },
        exec: fields.object("exec")?.map(exec).transpose()?,
    })
}

fn exec(mut fields: Fields) -> Result<ExecPlugin, Problem> {
    let mut env = Vec::new();
    for mut variable in fields.objects("env")? {
        env.push((
            variable.text("name")?,
            variable
                .secret("value")?
                .unwrap_or_else(|| Secret::from(String::new())),
        ));
    }
    let api_version = fields.text("apiVersion")?;
    let interactive_mode = match fields.text("interactiveMode")?.as_str() {
        // Older versions of the contract have a default; the present one wants it said.
        "" if api_version.ends_with("/v1beta1") => Some(InteractiveMode::IfAvailable),
        "" => None,
        "Always" => Some(InteractiveMode::Always),
        "IfAvailable" => Some(InteractiveMode::IfAvailable),
        "Never" => Some(InteractiveMode::Never),
        _ => {
            return Err(Problem::Encoding {
                field: fields.path_of("interactiveMode"),
                reason: "expected Never, IfAvailable or Always",
            });
        }
    };
    Ok(ExecPlugin {
        command: fields.text("command")?,
        args: fields.texts("args")?,
        env,
        api_version,
        install_hint: fields.text_if_any("installHint")?,
        provide_cluster_info: fields.flag("provideClusterInfo")?,
        interactive_mode,
    })
}

/// An object's members, and where it stands.
struct Fields {
    members: Map<String, Value>,
    path: String,
}

impl Fields {
    /// The members of an object; nothing for null.
    fn of(value: Value, path: String) -> Result<Option<Self>, Problem> {
        match value {
            Value::Null => Ok(None),
            Value::Object(members) => Ok(Some(Self { members, path })),
            other => Err(mismatch(path, "an object", &other)),
        }
    }

    fn path_of(&self, name: &str) -> String {
        match self.path.as_str() {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        }
    }

    /// Takes a member's value; null is the same as none.
    fn take(&mut self, name: &str) -> Option<Value> {
        self.members.remove(name).filter(|value| !value.is_null())
    }

    fn text(&mut self, name: &str) -> Result<String, Problem> {
        Ok(self.text_if_any(name)?.unwrap_or_default())
    }

    /// A text that is not empty.
    fn text_if_any(&mut self, name: &str) -> Result<Option<String>, Problem> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
            Some(other) => Err(mismatch(self.path_of(name), "a string", &other)),
        }
    }

    fn secret(&mut self, name: &str) -> Result<Option<Secret>, Problem> {
        Ok(self.text_if_any(name)?.map(Secret::from))
    }

    fn path(&mut self, name: &str) -> Result<Option<PathBuf>, Problem> {
        Ok(self.text_if_any(name)?.map(PathBuf::from))
    }

    fn flag(&mut self, name: &str) -> Result<bool, Problem> {
        match self.take(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(other) => Err(mismatch(self.path_of(name), "true or false", &other)),
        }
    }

    /// Bytes in standard base64. Line breaks in it do not matter, as in Go.
    fn bytes(&mut self, name: &str) -> Result<Option<Vec<u8>>, Problem> {
        let Some(mut text) = self.text_if_any(name)? else {
            return Ok(None);
        };
        text.retain(|c| !matches!(c, '\r' | '\n'));
        // It may be a key's, so it is wiped.
        let bytes = STANDARD.decode(Secret::from(text).expose());
        bytes.map(Some).map_err(|_| Problem::Encoding {
            field: self.path_of(name),
            reason: "illegal base64 data",
        })
    }

    /// Bytes in base64 that are a text which must not show.
    fn secret_bytes(&mut self, name: &str) -> Result<Option<Secret>, Problem> {
        let Some(bytes) = self.bytes(name)? else {
            return Ok(None);
        };
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(Secret::from(text))),
            Err(_) => Err(Problem::Encoding {
                field: self.path_of(name),
                reason: "expected PEM",
            }),
        }
    }

    fn object(&mut self, name: &str) -> Result<Option<Self>, Problem> {
        let path = self.path_of(name);
        Self::of(self.take(name).unwrap_or_default(), path)
    }

    fn list(&mut self, name: &str) -> Result<Vec<Value>, Problem> {
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => Ok(items),
            Some(other) => Err(mismatch(self.path_of(name), "a list", &other)),
        }
    }

    /// A list of objects; null stands for an empty one.
    fn objects(&mut self, name: &str) -> Result<Vec<Self>, Problem> {
        let items = self.list(name)?;
        let item = |(index, value)| {
            let path = format!("{}[{index}]", self.path_of(name));
            let fields = Self::of(value, path.clone())?;
            Ok(fields.unwrap_or(Self {
                members: Map::new(),
                path,
            }))
        };
        items.into_iter().enumerate().map(item).collect()
    }

    fn texts(&mut self, name: &str) -> Result<Vec<String>, Problem> {
        let items = self.list(name)?;
        let item = |(index, value)| match value {
            Value::String(text) => Ok(text),
            other => {
                let path = format!("{}[{index}]", self.path_of(name));
                Err(mismatch(path, "a string", &other))
            }
        };
        items.into_iter().enumerate().map(item).collect()
    }

    fn text_lists(&mut self, name: &str) -> Result<BTreeMap<String, Vec<String>>, Problem> {
        let Some(mut lists) = self.object(name)? else {
            return Ok(BTreeMap::new());
        };
        let keys: Vec<String> = lists.members.keys().cloned().collect();
        keys.into_iter()
            .map(|key| {
                let texts = lists.texts(&key)?;
                Ok((key, texts))
            })
            .collect()
    }

    /// A list of entries, each with its name and, below `what`, itself.
    fn named<T>(
        &mut self,
        list: &'static str,
        what: &str,
        read: impl Fn(Self) -> Result<T, Problem>,
    ) -> Result<Vec<(String, T)>, Problem> {
        let mut entries: Vec<(String, T)> = Vec::new();
        let mut names = std::collections::HashSet::new();
        for mut entry in self.objects(list)? {
            let name = entry.text("name")?;
            if !names.insert(name.clone()) {
                return Err(Problem::Duplicate { list, name });
            }
            let path = entry.path_of(what);
            let fields = entry.object(what)?.unwrap_or(Self {
                members: Map::new(),
                path,
            });
            entries.push((name, read(fields)?));
        }
        Ok(entries)
    }
}

/// A value of a wrong type. Only types are named: the value could be a credential.
fn mismatch(field: String, expected: &'static str, value: &Value) -> Problem {
    let found = match value {
        Value::Array(_) => "a list",
        Value::Bool(_) => "a boolean",
        Value::Null => "null",
        Value::Number(_) => "a number",
        Value::Object(_) => "an object",
        Value::String(_) => "a string",
    };
    let field = match field.as_str() {
        "" => "the document".to_owned(),
        _ => field,
    };
    Problem::Type {
        field,
        expected,
        found,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn problem(text: &str) -> String {
        parse(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn wrong_types_name_the_field_and_never_the_value() {
        for (text, expected) in [
            (
                "users: [{name: a, user: {token: 1234567}}]",
                "users[0].user.token: expected a string, found a number",
            ),
            (
                "users: [{name: a, user: {exec: {args: [x, {}]}}}]",
                "users[0].user.exec.args[1]: expected a string, found an object",
            ),
            (
                "clusters: [{}, {cluster: {server: [a]}, name: b}]",
                "clusters[1].cluster.server: expected a string, found a list",
            ),
            (
                "clusters: [{cluster: {insecure-skip-tls-verify: maybe}}]",
                "clusters[0].cluster.insecure-skip-tls-verify: expected true or false, found a string",
            ),
            ("contexts: {}", "contexts: expected a list, found an object"),
            (
                "users: [{user: s3cr3t}]",
                "users[0].user: expected an object, found a string",
            ),
            ("s3cr3t", "the document: expected an object, found a string"),
            (
                "users: [{user: {client-key-data: s3cr3t!}}]",
                "users[0].user.client-key-data: illegal base64 data",
            ),
            (
                "users: [{user: {client-key-data: /w==}}]",
                "users[0].user.client-key-data: expected PEM",
            ),
            (
                "kind: Secret",
                r#"no kind "Secret" is registered for version "v1""#,
            ),
            (
                "apiVersion: v2",
                r#"no kind "Config" is registered for version "v2""#,
            ),
            (
                "users: [{name: a}, {name: a}]",
                r#"users: duplicate name "a""#,
            ),
        ] {
            assert_eq!(problem(text), expected, "{text}");
        }
    }

    #[test]
    fn a_broken_text_names_the_line_and_shows_nothing_of_it() {
        for text in [
            "users:\n- name: a\n  user: {token: \"s3cr3t\n",
            "users:\n- token: !!int s3cr3t\n",
            "a: b\n token: s3cr3t\n",
        ] {
            let shown = problem(text);
            assert!(shown.contains("line"), "{shown}");
            assert!(!shown.contains("s3cr3t"), "{shown}");
        }
        assert!(problem("\u{1}").contains("line"), "{}", problem("\u{1}"));
        assert!(parse(b"\xff").is_err());
    }

    #[test]
    fn json_and_yaml_are_the_same_and_unknown_fields_may_be_there() {
        let yaml = "kind: Config\ncolour: red\nclusters:\n- cluster:\n    server: https://a\n    certificate-authority-data: |\n      cGVt\n  name: c\n";
        let json = r#"{"apiVersion":"v1","preferences":{"colors":true},"clusters":[{"name":"c","cluster":{"server":"https://a","certificate-authority-data":"cGVt","shape":1}}],"users":null}"#;
        let expected = Cluster {
            server: "https://a".into(),
            certificate_authority_data: Some(b"pem".to_vec()),
            ..Cluster::default()
        };
        for text in [yaml, json] {
            let document = parse(text.as_bytes()).unwrap();
            assert_eq!(document.clusters, [("c".to_owned(), expected.clone())]);
            assert!(document.users.is_empty());
        }
    }

    #[test]
    fn json_may_hold_characters_that_yaml_refuses() {
        let document = parse(b"{\"users\":[{\"user\":{\"username\":\"a\x7f\"}}]}").unwrap();
        assert_eq!(document.users[0].1.username.as_deref(), Some("a\u{7f}"));
        assert!(parse(b"users: [{user: {username: a\x7f}}]").is_err());
        assert!(parse(b"{users: []}").is_ok(), "yaml may begin like json");
    }

    #[test]
    fn nothing_at_all_is_an_empty_configuration() {
        for text in ["", "\n# nothing\n", "null", "{}"] {
            assert!(
                parse(text.as_bytes()).unwrap().clusters.is_empty(),
                "{text}"
            );
        }
    }

    #[test]
    fn depth_and_length_are_bounded() {
        assert!(parse("[".repeat(100_000).as_bytes()).is_err());
        assert!(parse(format!("{}a", "- ".repeat(100_000)).as_bytes()).is_err());
        let long = vec![b' '; MAX_TEXT_LEN + 1];
        assert_eq!(parse(&long).unwrap_err(), Problem::TooLong(MAX_TEXT_LEN));
    }

    #[test]
    fn a_plugin_of_the_older_contract_may_be_silent_about_standard_input() {
        let mode = |api_version: &str| {
            let text = format!("users: [{{user: {{exec: {{apiVersion: {api_version}}}}}}}]");
            let document = parse(text.as_bytes()).unwrap();
            document.users[0].1.exec.as_ref().unwrap().interactive_mode
        };
        assert_eq!(
            mode("client.authentication.k8s.io/v1beta1"),
            Some(InteractiveMode::IfAvailable)
        );
        assert_eq!(mode("client.authentication.k8s.io/v1"), None);
    }

    proptest! {
        #[test]
        fn what_json_says_is_what_is_read(
            server in ".+", name in ".*", token in ".+", key in ".+", insecure in any::<bool>(),
            groups in proptest::collection::vec(".*", 0..4),
        ) {
            let text = json!({
                "clusters": [{"name": name, "cluster": {"server": server, "insecure-skip-tls-verify": insecure}}],
                "users": [{"name": name, "user": {"token": token, "client-key-data": STANDARD.encode(&key), "as-groups": groups}}],
            });
            let document = parse(text.to_string().as_bytes()).unwrap();
            let cluster = Cluster {
                server,
                insecure_skip_tls_verify: insecure,
                ..Cluster::default()
            };
            let user = User {
                token: Some(Secret::from(token)),
                client_key_data: Some(Secret::from(key)),
                impersonate_groups: groups,
                ..User::default()
            };
            prop_assert_eq!(document.clusters, [(name.clone(), cluster)]);
            prop_assert_eq!(document.users, [(name, user)]);
        }
    }
}

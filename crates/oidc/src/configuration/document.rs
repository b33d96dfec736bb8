//! The file as it is written: strict decoding into upstream's types, before any rule is applied.

use burgee_wire::quoted;

use super::node::{self, Node, ParseError, Value};
use super::reader::{Lines, Member, Object, Reader};

const GROUP: &str = "apiserver.config.k8s.io";

/// The versions of the group, which do not differ for this kind, and the other kinds of each.
const VERSIONS: &[(&str, &[&str])] = &[
    (
        "v1",
        &[
            "AdmissionConfiguration",
            "AuthorizationConfiguration",
            "EncryptionConfiguration",
            "TracingConfiguration",
        ],
    ),
    (
        "v1beta1",
        &[
            "AuthorizationConfiguration",
            "EgressSelectorConfiguration",
            "TracingConfiguration",
        ],
    ),
    (
        "v1alpha1",
        &[
            "AdmissionConfiguration",
            "AuthorizationConfiguration",
            "EgressSelectorConfiguration",
            "TracingConfiguration",
        ],
    ),
];

/// A decoded file.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) configuration: Configuration,
    /// Where its fields stand.
    pub(super) lines: Lines,
}

impl Document {
    /// Decodes a file.
    ///
    /// # Errors
    /// What is wrong, in upstream's words, followed by `(line N)` where that is known.
    pub(super) fn decode(file: &str, bytes: &[u8]) -> Result<Self, String> {
        if bytes.is_empty() {
            return Err("empty config data".to_owned());
        }
        let root = node::parse(bytes).map_err(|error| match error {
            ParseError::Duplicate { key, line } => {
                let line = line.map_or_else(String::new, |line| format!("line {line}: "));
                let key = quoted(&key);
                format!(
                    "strict decoding error: yaml: unmarshal errors:\n  {line}key {key} already set in map"
                )
            }
            ParseError::Syntax(problem) => problem,
        })?;
        check_type(file, &root)?;
        let mut reader = Reader::default();
        let configuration = reader.object(&root, "", "")?;
        if !reader.unknown.is_empty() {
            return Err(format!(
                "strict decoding error: {}",
                reader.unknown.join(", ")
            ));
        }
        Ok(Self {
            configuration,
            lines: reader.lines,
        })
    }
}

/// Each type is written once: the JSON name of a field, its own name and type, and how it is decoded.
macro_rules! object {
    (
        $(#[$about_type:meta])*
        $type:ident is $upstream:literal {
            $($(#[$about:meta])* $json:literal => $field:ident: $rust:ty = $decode:ident,)*
        }
    ) => {
        $(#[$about_type])*
        #[derive(Debug, Default)]
        pub(super) struct $type {
            $($(#[$about])* pub(super) $field: $rust,)*
        }

        impl Object for $type {
            const NAME: &'static str = $upstream;

            fn member(&mut self, name: &str, value: Member<'_>) -> Result<bool, String> {
                match name {
                    $($json => self.$field = value.$decode()?,)*
                    _ => return Ok(false),
                }
                Ok(true)
            }
        }
    };
}

object! {
    /// The file.
    Configuration is "AuthenticationConfiguration" {
        "apiVersion" => api_version: String = text,
        "kind" => kind: String = text,
        "jwt" => jwt: Vec<Jwt> = objects,
        "anonymous" => anonymous: Option<Anonymous> = nullable_object,
    }
}

object! {
    /// An issuer of tokens and what becomes of them.
    Jwt is "JWTAuthenticator" {
        "issuer" => issuer: Issuer = object,
        "claimValidationRules" => claim_validation_rules: Vec<ClaimValidationRule> = objects,
        "claimMappings" => claim_mappings: ClaimMappings = object,
        "userValidationRules" => user_validation_rules: Vec<UserValidationRule> = objects,
    }
}

object! {
    /// Where an issuer's tokens and keys come from.
    Issuer is "Issuer" {
        "url" => url: String = text,
        "discoveryURL" => discovery_url: String = text,
        "certificateAuthority" => certificate_authority: String = text,
        "audiences" => audiences: Vec<String> = texts,
        "audienceMatchPolicy" => audience_match_policy: String = text,
        "egressSelectorType" => egress_selector_type: String = text,
    }
}

object! {
    /// A required claim, or a rule on claims.
    ClaimValidationRule is "ClaimValidationRule" {
        "claim" => claim: String = text,
        "requiredValue" => required_value: String = text,
        "expression" => expression: String = text,
        "message" => message: String = text,
    }
}

object! {
    /// How claims become a user.
    ClaimMappings is "ClaimMappings" {
        "username" => username: PrefixedClaimOrExpression = object,
        "groups" => groups: PrefixedClaimOrExpression = object,
        "uid" => uid: ClaimOrExpression = object,
        "extra" => extra: Vec<ExtraMapping> = objects,
    }
}

object! {
    /// A user's name or groups.
    PrefixedClaimOrExpression is "PrefixedClaimOrExpression" {
        "claim" => claim: String = text,
        /// Absent is not the same as empty.
        "prefix" => prefix: Option<String> = nullable_text,
        "expression" => expression: String = text,
    }
}

object! {
    /// A user's uid.
    ClaimOrExpression is "ClaimOrExpression" {
        "claim" => claim: String = text,
        "expression" => expression: String = text,
    }
}

object! {
    /// An attribute of a user.
    ExtraMapping is "ExtraMapping" {
        "key" => key: String = text,
        "valueExpression" => value_expression: String = text,
    }
}

object! {
    /// A rule on users.
    UserValidationRule is "UserValidationRule" {
        "expression" => expression: String = text,
        "message" => message: String = text,
    }
}

object! {
    /// Requests without credentials.
    Anonymous is "AnonymousAuthConfig" {
        "enabled" => enabled: bool = bool,
        "conditions" => conditions: Vec<AnonymousCondition> = objects,
    }
}

object! {
    /// One path that requests without credentials may have.
    AnonymousCondition is "AnonymousAuthCondition" {
        "path" => path: String = text,
    }
}

/// Refuses a file that is something else.
fn check_type(file: &str, root: &Node) -> Result<(), String> {
    let no_object = |found: &str, field: &str, expected: &str| {
        format!(
            "couldn't get version/kind; json parse error: json: cannot unmarshal {found} into Go {field} of type {expected}"
        )
    };
    let members = match &root.value {
        Value::Map(members) => members.as_slice(),
        Value::Null => &[],
        other => return Err(no_object(other.json_type(), "value", Configuration::NAME)),
    };
    let text = |name: &str| {
        let found = members.iter().find(|(key, _)| key.name == name);
        match found.map(|(_, node)| &node.value) {
            None | Some(Value::Null) => Ok(""),
            Some(Value::String(text)) => Ok(text.as_str()),
            Some(other) => {
                let field = format!("struct field .{name}");
                Err(no_object(other.json_type(), &field, "string"))
            }
        }
    };
    let (api_version, kind) = (text("apiVersion")?, text("kind")?);
    if kind.is_empty() {
        return Err(format!("Object 'Kind' is missing in '{file}'"));
    }
    if api_version.is_empty() {
        return Err(format!("Object 'apiVersion' is missing in '{file}'"));
    }
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    if version.contains('/') {
        return Err(format!("unexpected GroupVersion string: {api_version}"));
    }
    let known = VERSIONS.iter().filter(|_| group == GROUP);
    match known.clone().find(|(name, _)| *name == version) {
        Some(_) if kind == Configuration::NAME => Ok(()),
        Some((_, others)) if others.contains(&kind) => Err(format!(
            "expected {}, got *apiserver.{kind}",
            Configuration::NAME
        )),
        _ => {
            let versions: Vec<_> = VERSIONS.iter().map(|(name, _)| *name).collect();
            Err(format!(
                "no kind {} is registered for version {} in scheme {} with the versions {} of {}",
                quoted(kind),
                quoted(api_version),
                quoted(GROUP),
                versions.join(", "),
                Configuration::NAME,
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use burgee_wire::field::Path;

    use super::*;

    const HEAD: &str =
        "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n";

    fn decode(text: &str) -> Result<Document, String> {
        Document::decode("auth.yaml", text.as_bytes())
    }

    #[test]
    fn every_version_is_read() {
        for version in ["v1", "v1beta1", "v1alpha1"] {
            let text = HEAD.replace("v1", version) + "anonymous: {enabled: true}\n";
            assert!(
                decode(&text)
                    .unwrap()
                    .configuration
                    .anonymous
                    .unwrap()
                    .enabled
            );
        }
    }

    #[test]
    fn another_kind_or_version_is_refused() {
        let head =
            |api_version: &str, kind: &str| format!("apiVersion: {api_version}\nkind: {kind}\n");
        let unregistered = |kind: &str, version: &str| {
            format!("no kind {kind:?} is registered for version {version:?} in scheme")
        };
        let kind = "AuthenticationConfiguration";
        let table = [
            (String::new(), "empty config data".to_owned()),
            (
                "\n".to_owned(),
                "Object 'Kind' is missing in 'auth.yaml'".to_owned(),
            ),
            (
                "apiVersion: apiserver.config.k8s.io/v1".to_owned(),
                "Object 'Kind' is missing in 'auth.yaml'".to_owned(),
            ),
            (
                format!("kind: {kind}"),
                "Object 'apiVersion' is missing in 'auth.yaml'".to_owned(),
            ),
            (
                head("apiserver.config.k8s.io/v99", kind),
                unregistered(kind, "apiserver.config.k8s.io/v99"),
            ),
            (head("v1", kind), unregistered(kind, "v1")),
            (
                head("apiserver.config.k8s.io/v1", "Pod"),
                unregistered("Pod", "apiserver.config.k8s.io/v1"),
            ),
            (
                head("apiserver.config.k8s.io/v1", "EgressSelectorConfiguration"),
                unregistered("EgressSelectorConfiguration", "apiserver.config.k8s.io/v1"),
            ),
            (
                head(
                    "apiserver.config.k8s.io/v1beta1",
                    "AuthorizationConfiguration",
                ),
                "expected AuthenticationConfiguration, got *apiserver.AuthorizationConfiguration"
                    .to_owned(),
            ),
            (
                head("a/b/c", kind),
                "unexpected GroupVersion string: a/b/c".to_owned(),
            ),
            (
                "[]".to_owned(),
                "json: cannot unmarshal array into Go value".to_owned(),
            ),
            (
                head("1", kind),
                "json: cannot unmarshal number into Go struct field .apiVersion of type string"
                    .to_owned(),
            ),
        ];
        for (text, expected) in table {
            let error = decode(&text).unwrap_err();
            assert!(error.contains(&expected), "{text}: {error}");
        }
    }

    #[test]
    fn fields_that_do_not_exist_are_refused_together_in_the_order_of_the_file() {
        let text = format!("{HEAD}jwt1: []\njwt:\n- issuer:\n    URL: x\n  x: {{}}\nAnonymous:\n");
        let expected = r#"strict decoding error: unknown field "jwt1" (line 3), unknown field "jwt[0].issuer.URL" (line 6), unknown field "jwt[0].x" (line 7), unknown field "Anonymous" (line 8)"#;
        assert_eq!(decode(&text).unwrap_err(), expected);
    }

    #[test]
    fn fields_that_appear_twice_are_refused() {
        let text = format!("{HEAD}anonymous:\n  enabled: true\n  enabled: false\n");
        let expected = "strict decoding error: yaml: unmarshal errors:\n  line 5: key \"enabled\" already set in map";
        assert_eq!(decode(&text).unwrap_err(), expected);
    }

    #[test]
    fn values_of_another_type_are_refused() {
        let table = [
            (
                "jwt: {}",
                "object into Go struct field AuthenticationConfiguration.jwt of type []apiserver.JWTAuthenticator (line 3)",
            ),
            (
                "jwt: [x]",
                "string into Go struct field AuthenticationConfiguration.jwt of type JWTAuthenticator (line 3)",
            ),
            (
                "jwt:\n- claimValidationRules:\n  - requiredValue: 7",
                "number into Go struct field ClaimValidationRule.jwt.claimValidationRules.requiredValue of type string (line 5)",
            ),
            (
                "jwt:\n- issuer: {url: yes}",
                "bool into Go struct field Issuer.jwt.issuer.url of type string (line 4)",
            ),
            (
                "jwt:\n- issuer: {audiences: x}",
                "string into Go struct field Issuer.jwt.issuer.audiences of type []string (line 4)",
            ),
            (
                "jwt:\n- issuer: {audiences: [[]]}",
                "array into Go struct field Issuer.jwt.issuer.audiences of type string (line 4)",
            ),
            (
                "anonymous: {enabled: 'true'}",
                "string into Go struct field AnonymousAuthConfig.anonymous.enabled of type bool (line 3)",
            ),
        ];
        for (text, expected) in table {
            let error = decode(&format!("{HEAD}{text}\n")).unwrap_err();
            assert_eq!(error, format!("json: cannot unmarshal {expected}"));
        }
    }

    #[test]
    fn nothing_is_the_zero_value_but_a_prefix_that_is_absent() {
        let text = format!(
            "{HEAD}anonymous:\njwt:\n-\n- issuer: {{url: null, audiences: [null]}}\n  claimMappings:\n    username: {{prefix: ''}}\n    groups: {{prefix: null}}\n  claimValidationRules: null\n"
        );
        let configuration = decode(&text).unwrap().configuration;
        assert!(configuration.anonymous.is_none());
        let [first, second] = configuration.jwt.as_slice() else {
            panic!("two entries");
        };
        assert_eq!(
            (first.issuer.url.as_str(), second.issuer.url.as_str()),
            ("", "")
        );
        assert_eq!(second.issuer.audiences, [""]);
        let mappings = &second.claim_mappings;
        assert_eq!(mappings.username.prefix.as_deref(), Some(""));
        assert_eq!(mappings.groups.prefix, None);
    }

    #[test]
    fn fields_are_found_by_their_lines() {
        let text = format!("{HEAD}jwt:\n- issuer:\n    url: x\n    audiences:\n    - a\n    - b\n");
        let lines = decode(&text).unwrap().lines;
        let issuer = Path::new("jwt").index(0).child("issuer");
        for (path, line) in [
            (issuer.child("url"), Some(5)),
            (issuer.child("audiences").index(1), Some(8)),
            (issuer.child("discoveryURL"), Some(4)),
            (Path::new("jwt").index(0).child("claimMappings"), Some(4)),
            (Path::new("anonymous"), None),
        ] {
            assert_eq!(lines.of(&path), line, "{path}");
        }
    }
}

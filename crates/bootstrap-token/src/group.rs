//! The groups that tokens put their holders into.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// The group of everyone who holds a bootstrap token.
pub const DEFAULT_GROUP: &str = "system:bootstrappers";

/// The extra group that kubeadm gives tokens which nodes join with.
pub const NODE_GROUP: &str = "system:bootstrappers:kubeadm:default-node-token";

const PREFIX: &str = "system:bootstrappers:";
const MAX_BODY_LEN: usize = 256;

/// An extra group of a token: `\Asystem:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]\z`.
///
/// ```
/// use burgee_bootstrap_token::BootstrapGroup;
///
/// let group: BootstrapGroup = "system:bootstrappers:workers".parse()?;
/// assert_eq!(group.as_str(), "system:bootstrappers:workers");
/// assert!("system:masters".parse::<BootstrapGroup>().is_err());
/// # Ok::<(), burgee_bootstrap_token::Error>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct BootstrapGroup(String);

impl BootstrapGroup {
    /// The groups of an `auth-extra-groups` value: split at commas, nothing trimmed, none if empty.
    ///
    /// # Errors
    /// [`Error::GroupInvalid`] with the first that is none: one bad group spoils the whole value.
    pub fn parse_list(value: &str) -> Result<Vec<Self>, Error> {
        if value.is_empty() {
            return Ok(Vec::new());
        }
        value.split(',').map(Self::from_str).collect()
    }

    /// The group's name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `name` is such a group.
    #[must_use]
    pub fn is_valid(name: &str) -> bool {
        let Some(body) = name.strip_prefix(PREFIX) else {
            return false;
        };
        let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        body.len() <= MAX_BODY_LEN
            && body
                .bytes()
                .all(|byte| word(byte) || byte == b':' || byte == b'-')
            && body.bytes().next_back().is_some_and(word)
    }
}

impl FromStr for BootstrapGroup {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        if Self::is_valid(name) {
            return Ok(Self(name.to_owned()));
        }
        Err(Error::GroupInvalid(name.to_owned()))
    }
}

impl From<BootstrapGroup> for String {
    fn from(group: BootstrapGroup) -> Self {
        group.0
    }
}

impl fmt::Display for BootstrapGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn groups_are_read_and_refused_as_upstream_does() {
        let good = [
            "foo",
            "foo:bar:baz",
            "foo-bar-42",
            ":a",
            "-a",
            &"x".repeat(256),
        ];
        for body in good {
            assert!(
                BootstrapGroup::is_valid(&format!("{PREFIX}{body}")),
                "{body}"
            );
        }
        let bad = [
            "",
            "Foo",
            " ",
            "*",
            "foo:",
            "foo-",
            "a.b",
            "a_b",
            "<script>",
            "a\n",
            &"x".repeat(257),
            &"x".repeat(300),
        ];
        for body in bad {
            assert!(
                !BootstrapGroup::is_valid(&format!("{PREFIX}{body}")),
                "{body}"
            );
        }
        for name in [
            "foo",
            "system:bootstrappers",
            "",
            " system:bootstrappers:foo",
        ] {
            assert!(!BootstrapGroup::is_valid(name), "{name}");
        }
    }

    #[test]
    fn one_bad_piece_spoils_a_list() {
        let (a, b) = ("system:bootstrappers:a", "system:bootstrappers:b");
        let names =
            |list: Vec<BootstrapGroup>| list.into_iter().map(String::from).collect::<Vec<_>>();
        assert_eq!(BootstrapGroup::parse_list("").unwrap(), []);
        let both = BootstrapGroup::parse_list(&format!("{b},{a}")).unwrap();
        assert_eq!(names(both), [b, a]);
        for (list, bad) in [
            (format!("{a},"), ""),
            (format!("{a},,{b}"), ""),
            (format!("{a}, {b}"), " system:bootstrappers:b"),
            (format!("{a},system:masters,x"), "system:masters"),
        ] {
            let expected = Err(Error::GroupInvalid(bad.to_owned()));
            assert_eq!(BootstrapGroup::parse_list(&list), expected, "{list}");
        }
    }

    #[test]
    fn the_error_is_upstreams() {
        let error = "Foo".parse::<BootstrapGroup>().unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"bootstrap group "Foo" is invalid (must match \Asystem:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]\z)"#
        );
    }

    proptest! {
        #[test]
        fn what_matches_the_pattern_is_a_group(
            name in "system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]"
        ) {
            prop_assert_eq!(String::from(name.parse::<BootstrapGroup>().unwrap()), name);
        }

        #[test]
        fn lists_of_groups_are_what_their_pieces_are(
            pieces in prop::collection::vec("(system:bootstrappers:)?[a-c:-]{0,3}", 1..4)
        ) {
            let list = pieces.join(",");
            let good = list.is_empty() || pieces.iter().all(|piece| BootstrapGroup::is_valid(piece));
            prop_assert_eq!(BootstrapGroup::parse_list(&list).is_ok(), good);
        }
    }
}

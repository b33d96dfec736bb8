//! A token as it is made, and the Secret that is written for it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use burgee_wire::{Object, ObjectMeta, Time};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use crate::secret::{NAMESPACE, SECRET_TYPE, keys};
use crate::{BootstrapGroup, Error, Token, Usages};

/// A token that somebody wants to exist.
///
/// ```
/// use burgee_bootstrap_token::{BootstrapGroup, NODE_GROUP, Token, TokenSpec, Usages};
///
/// let spec = TokenSpec::new(
///     Token::generate()?,
///     Usages::ALL,
///     BootstrapGroup::parse_list(NODE_GROUP)?,
/// )?;
/// let secret = spec.with_description("for the new rack").to_object();
/// assert_eq!(secret.text(&["type"]), "bootstrap.kubernetes.io/token");
/// # Ok::<(), burgee_bootstrap_token::Error>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenSpec {
    token: Token,
    usages: Usages,
    groups: Vec<BootstrapGroup>,
    description: String,
    expires: Option<Timestamp>,
}

impl TokenSpec {
    /// A token that never expires.
    ///
    /// # Errors
    /// [`Error::GroupsWithoutAuthentication`].
    pub fn new(token: Token, usages: Usages, groups: Vec<BootstrapGroup>) -> Result<Self, Error> {
        if !groups.is_empty() && !usages.authentication {
            return Err(Error::GroupsWithoutAuthentication);
        }
        Ok(Self {
            token,
            usages,
            groups,
            description: String::new(),
            expires: None,
        })
    }

    /// The same token with this text for people.
    #[must_use]
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// The same token, ending at the whole second that `instant` is in.
    #[must_use]
    pub fn expiring_at(mut self, instant: Timestamp) -> Self {
        self.expires = Some(Time::from(instant).timestamp());
        self
    }

    /// The same token, ending this long after `now`; zero means never.
    ///
    /// # Errors
    /// [`Error::TtlNegative`], where upstream makes a token without end.
    pub fn expiring_after(mut self, now: Timestamp, ttl: SignedDuration) -> Result<Self, Error> {
        if ttl.is_negative() {
            return Err(Error::TtlNegative);
        }
        if ttl.is_zero() {
            self.expires = None;
            return Ok(self);
        }
        Ok(self.expiring_at(now.checked_add(ttl).unwrap_or(Timestamp::MAX)))
    }

    /// The token.
    #[must_use]
    pub fn token(&self) -> &Token {
        &self.token
    }

    /// When it ends.
    #[must_use]
    pub fn expires(&self) -> Option<Timestamp> {
        self.expires
    }

    /// The Secret: the keys that are needed, no labels, no annotations. It holds the token's secret
    /// part in readable form.
    #[must_use]
    pub fn to_object(&self) -> Object {
        let groups: Vec<_> = self.groups.iter().map(BootstrapGroup::as_str).collect();
        let mut data = Map::new();
        let mut put = |key: &str, value: &str| {
            if !value.is_empty() {
                data.insert(key.to_owned(), STANDARD.encode(value).into());
            }
        };
        put(keys::TOKEN_ID, self.token.id().as_str());
        put(keys::TOKEN_SECRET, self.token.secret().expose());
        put(keys::DESCRIPTION, &self.description);
        put(keys::EXTRA_GROUPS, &groups.join(","));
        if let Some(expires) = self.expires {
            put(keys::EXPIRATION, &Time::from(expires).to_string());
        }
        for usage in self.usages.names() {
            put(&format!("{}{usage}", keys::USAGE_PREFIX), "true");
        }
        let content = [
            ("type".to_owned(), SECRET_TYPE.into()),
            ("data".to_owned(), Value::Object(data)),
        ];
        Object {
            metadata: ObjectMeta {
                namespace: NAMESPACE.to_owned(),
                name: self.token.id().secret_name(),
                ..ObjectMeta::default()
            },
            content: content.into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::testing::{example, now, token};
    use crate::{TokenListing, TokenRecord};

    fn bare() -> TokenSpec {
        TokenSpec::new(token(), Usages::default(), Vec::new()).unwrap()
    }

    #[test]
    fn the_example_is_written_bit_for_bit() {
        assert_eq!(
            example().into_value(),
            json!({
                "metadata": {"namespace": "kube-system", "name": "bootstrap-token-07401b"},
                "type": "bootstrap.kubernetes.io/token",
                "data": {
                    "token-id": "MDc0MDFi",
                    "token-secret": "ZjM5NWFjY2QyNDZhZTUyZA==",
                    "description": "ZGVtbw==",
                    "expiration": "MjAyNi0wMS0wMlQwMzowNDowNVo=",
                    "usage-bootstrap-signing": "dHJ1ZQ==",
                    "usage-bootstrap-authentication": "dHJ1ZQ==",
                    "auth-extra-groups":
                        "c3lzdGVtOmJvb3RzdHJhcHBlcnM6a3ViZWFkbTpkZWZhdWx0LW5vZGUtdG9rZW4=",
                }
            })
        );
    }

    #[test]
    fn what_is_empty_is_left_out() {
        let object = bare().to_object();
        let keys: Vec<_> = object.content["data"].as_object().unwrap().keys().collect();
        assert_eq!(keys, ["token-id", "token-secret"]);
    }

    #[test]
    fn groups_need_the_usage_that_they_are_for() {
        let groups = BootstrapGroup::parse_list("system:bootstrappers:a").unwrap();
        let signing = Usages {
            signing: true,
            authentication: false,
        };
        let error = TokenSpec::new(token(), signing, groups).unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"token groups cannot be specified unless --usages includes "authentication""#
        );
    }

    #[test]
    fn a_time_to_live_ends_at_a_whole_second_or_never() {
        let half_past = now() + SignedDuration::from_millis(500);
        let after = |ttl| {
            bare()
                .expiring_after(half_past, ttl)
                .map(|spec| spec.expires())
        };
        assert_eq!(after(SignedDuration::ZERO), Ok(None));
        assert_eq!(
            after(SignedDuration::from_hours(24)),
            Ok(Some("2026-01-02T00:00:00Z".parse().unwrap()))
        );
        assert_eq!(
            after(SignedDuration::from_nanos(-1)),
            Err(Error::TtlNegative)
        );
        let end = Time::from(Timestamp::MAX).timestamp();
        assert_eq!(after(SignedDuration::MAX), Ok(Some(end)));
    }

    #[test]
    fn a_time_to_live_of_zero_takes_an_earlier_end_back() {
        let spec = bare().expiring_at(now());
        let spec = spec.expiring_after(now(), SignedDuration::ZERO).unwrap();
        assert_eq!(spec.expires(), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            text in "[a-z0-9]{6}\\.[a-z0-9]{16}",
            description in "\\PC{0,40}",
            signing: bool,
            groups in prop::collection::vec("system:bootstrappers:[a-z0-9:-]{0,8}[a-z0-9]", 0..4),
            expires in prop::option::of(0_i64..253_000_000_000),
        ) {
            let token: Token = text.parse().unwrap();
            let expires = expires.map(|seconds| Timestamp::from_second(seconds).unwrap());
            let usages = Usages { signing, authentication: true };
            let list = BootstrapGroup::parse_list(&groups.join(",")).unwrap();
            let mut spec = TokenSpec::new(token.clone(), usages, list)
                .unwrap()
                .with_description(description.clone());
            if let Some(expires) = expires {
                spec = spec.expiring_at(expires);
            }
            let record = TokenRecord::from_object(&spec.to_object());
            let mut names: Vec<_> = usages.names().map(str::to_owned).collect();
            names.sort_unstable();
            let listing = TokenListing { token, description, expires, usages: names, groups };
            prop_assert_eq!(TokenListing::from_record(&record), Ok(listing));
            prop_assert_eq!(record.findings(Timestamp::UNIX_EPOCH - SignedDuration::from_secs(1)), []);
        }
    }
}

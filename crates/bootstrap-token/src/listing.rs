//! A stored token as people see it in a list.

use jiff::Timestamp;

use crate::{Error, Expiration, Token, TokenId, TokenRecord};

/// What `token list` shows of a Secret (upstream's `BootstrapTokenFromSecret`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenListing {
    /// The token.
    pub token: Token,
    /// Text for people.
    pub description: String,
    /// When it ends; never if there is none.
    pub expires: Option<Timestamp>,
    /// All usages that are enabled, known or not, sorted.
    pub usages: Vec<String>,
    /// Extra groups as they are stored, valid or not.
    pub groups: Vec<String>,
}

impl TokenListing {
    /// Reads a Secret, or says why it is no token. Expired tokens are listed.
    ///
    /// # Errors
    /// In this order: [`Error::SecretIdAbsent`], [`Error::SecretNameMismatch`],
    /// [`Error::SecretPartAbsent`], [`Error::SecretMalformed`],
    /// [`Error::SecretExpirationMalformed`].
    pub fn from_record(record: &TokenRecord) -> Result<Self, Error> {
        let name = record.name.clone();
        if record.id.is_empty() {
            return Err(Error::SecretIdAbsent { name });
        }
        let id = record.id.parse::<TokenId>();
        if record.name.strip_prefix(crate::NAME_PREFIX) != Some(record.id.as_str()) {
            let expected = id.ok();
            return Err(Error::SecretNameMismatch { name, expected });
        }
        if record.secret.0.is_empty() {
            return Err(Error::SecretPartAbsent { name });
        }
        let (Ok(id), Ok(secret)) = (id, record.secret.text().parse()) else {
            return Err(Error::SecretMalformed { name });
        };
        if record.expiration == Expiration::Malformed {
            return Err(Error::SecretExpirationMalformed { name });
        }
        let mut groups: Vec<_> = record.groups.split(',').map(str::to_owned).collect();
        if groups.first().is_some_and(String::is_empty) {
            groups.clear();
        }
        Ok(Self {
            token: Token::new(id, secret),
            description: record.description.clone(),
            expires: record.expiration.instant(),
            usages: record.usages.clone(),
            groups,
        })
    }
}

#[cfg(test)]
mod tests {
    use burgee_wire::Object;

    use super::*;
    use crate::testing::{TOKEN, example, record, with};

    fn list(object: &Object) -> Result<TokenListing, String> {
        TokenListing::from_record(&record(object)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_good_secret_is_listed_whole() {
        let listing = list(&with(example(), "usage-bootstrap-other", "true")).unwrap();
        assert_eq!(listing.token.text().expose(), TOKEN);
        assert_eq!(listing.description, "demo");
        assert_eq!(listing.expires.unwrap().to_string(), "2026-01-02T03:04:05Z");
        assert_eq!(listing.usages, ["authentication", "other", "signing"]);
        assert_eq!(listing.groups, [crate::NODE_GROUP]);
    }

    #[test]
    fn groups_are_listed_as_they_are_stored() {
        let groups = |value| {
            list(&with(example(), "auth-extra-groups", value))
                .unwrap()
                .groups
        };
        assert_eq!(groups("b,a, c,"), ["b", "a", " c", ""]);
        assert!(groups("").is_empty());
        assert!(groups(",a").is_empty());
    }

    #[test]
    fn bad_secrets_are_refused_in_upstreams_order_and_words() {
        let name = "bootstrap-token-07401b";
        let mut object = with(example(), "expiration", "soon");
        let mut refused = |key, value, expected: &str| {
            object = with(object.clone(), key, value);
            assert_eq!(list(&object).unwrap_err(), expected);
        };
        let text = format!(
            "can't parse expiration time of bootstrap token \"{name}\": it is no RFC 3339 instant"
        );
        refused("description", "", &text);
        let text = format!("bootstrap Token Secret is invalid and couldn't be parsed: {name}");
        refused("token-secret", "F395accd246ae52d", &text);
        let text = format!("bootstrap Token Secret has no token-secret data: {name}");
        refused("token-secret", "", &text);
        let text = format!(
            "bootstrap token name is not of the form 'bootstrap-token-(token-id)'. Actual: \"{name}\". Expected: \"bootstrap-token-abcdef\""
        );
        refused("token-id", "abcdef", &text);
        let text = format!("bootstrap Token Secret has no token-id data: {name}");
        refused("token-id", "", &text);
    }

    #[test]
    fn a_whole_token_in_place_of_its_id_is_not_repeated() {
        let text = list(&with(example(), "token-id", TOKEN)).unwrap_err();
        assert!(!text.contains("f395accd246ae52d"), "{text}");
        assert!(
            text.ends_with(r#"Expected: "bootstrap-token-(token-id)""#),
            "{text}"
        );
    }

    #[test]
    fn a_malformed_id_in_a_matching_name_is_no_token() {
        let mut object = with(example(), "token-id", "UPPER1");
        object.metadata.name = "bootstrap-token-UPPER1".into();
        assert!(list(&object).unwrap_err().contains("couldn't be parsed"));
    }
}

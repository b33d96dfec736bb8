//! Tokens from a file: `--token-auth-file`.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use burgee_identity::{Authenticated, Check, Reason, UserInfo};

use crate::csv::Records;
use crate::digest::{Digest, PrefixKey};
use crate::group_adder::add_authenticated_group;
use crate::{Audiences, Decision, Error, Reload, TokenAuthenticator, Verdict};

/// Knows the tokens of a CSV file with the columns token, user name, uid and groups.
///
/// Only keyed digests of the tokens stay in memory. The identities carry `system:authenticated`
/// already, so that an answer shares them instead of copying.
#[derive(Debug)]
pub struct StaticTokens {
    path: String,
    key: PrefixKey,
    table: ArcSwap<Table>,
}

#[derive(Debug)]
struct Table {
    /// Of the file's bytes, to tell a change from none.
    content: Digest,
    users: HashMap<Digest, Arc<UserInfo>>,
    /// Whether anyone has a token of this length, so that no other has to be hashed. Lengths are no
    /// secret.
    lengths: Vec<bool>,
}

impl StaticTokens {
    /// Reads the content of a token file. `path` stands in messages only.
    ///
    /// The rules are upstream's (`token/tokenfile`) but for two: a byte-order mark is dropped, and so
    /// are groups without a name.
    ///
    /// # Errors
    ///
    /// When the content is no CSV or a record has less than three columns.
    pub fn new(path: impl Into<String>, content: &[u8]) -> Result<Self, Error> {
        let path = path.into();
        let key = PrefixKey::random()?;
        let table = ArcSwap::from_pointee(read(&path, &key, content)?);
        Ok(Self { path, key, table })
    }

    /// Takes the tokens from `content` from now on.
    ///
    /// # Errors
    ///
    /// Those of [`StaticTokens::new`]; the tokens stay as they were then.
    pub fn reload(&self, content: &[u8]) -> Result<Reload, Error> {
        if self.table.load().content == self.key.digest(content) {
            return Ok(Reload::Unchanged);
        }
        self.table
            .store(Arc::new(read(&self.path, &self.key, content)?));
        Ok(Reload::Changed)
    }

    /// How many tokens are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.load().users.len()
    }

    /// Whether no token is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl TokenAuthenticator for StaticTokens {
    fn name(&self) -> &'static str {
        "static-token"
    }

    fn authenticate(&self, token: &str, _audiences: &Audiences) -> Decision {
        let table = self.table.load();
        let unknown = Decision::Now(Verdict::no_opinion(Reason::TokenUnknown));
        if table.lengths.get(token.len()) != Some(&true) {
            return unknown;
        }
        match table.users.get(&self.key.digest(token.as_bytes())) {
            Some(user) => {
                Decision::Now(Verdict::authenticated(Authenticated::new(Arc::clone(user))))
            }
            None => unknown,
        }
    }

    fn examine(&self, token: &str, audiences: &Audiences) -> Decision<Vec<Check>> {
        let (path, count) = (&self.path, self.len());
        self.authenticate(token, audiences).map({
            let known = format!("a token of {path}");
            let unknown = format!("none of the {count} tokens of {path}");
            move |verdict| {
                vec![match verdict.is_authenticated() {
                    true => Check::passed("file", known),
                    false => Check::failed("file", Reason::TokenUnknown, unknown),
                }]
            }
        })
    }
}

fn read(path: &str, key: &PrefixKey, content: &[u8]) -> Result<Table, Error> {
    let (mut users, mut lengths) = (HashMap::new(), Vec::new());
    let text = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    for (index, record) in Records::new(text).enumerate() {
        let record = record.map_err(Error::TokenFileSyntax)?;
        let [token, name, uid, optional @ ..] = record.as_slice() else {
            let found = record.len();
            return Err(Error::TokenFileColumns {
                path: path.to_owned(),
                found,
            });
        };
        // Shorter records end the reading, so every record up to here counts.
        let number = index + 1;
        if token.is_empty() {
            tracing::warn!(
                "empty token has been found in token file '{path}', record number '{number}'"
            );
            continue;
        }
        let user = UserInfo {
            name: text_of(name),
            uid: text_of(uid),
            groups: groups(path, number, optional.first()),
            ..UserInfo::default()
        };
        let mut user = Arc::new(user);
        add_authenticated_group(&mut user);
        let known = lengths.len().max(token.len() + 1);
        lengths.resize(known, false);
        if let Some(length) = lengths.get_mut(token.len()) {
            *length = true;
        }
        if users.insert(key.digest(token), user).is_some() {
            tracing::warn!(
                "duplicate token has been found in token file '{path}', record number '{number}'"
            );
        }
    }
    Ok(Table {
        content: key.digest(content),
        users,
        lengths,
    })
}

fn groups(path: &str, number: usize, column: Option<&Vec<u8>>) -> Vec<String> {
    let column = column.map(|column| text_of(column)).unwrap_or_default();
    let (named, nameless): (Vec<&str>, Vec<&str>) =
        column.split(',').partition(|group| !group.is_empty());
    if !column.is_empty() && !nameless.is_empty() {
        tracing::warn!(
            "empty group has been found in token file '{path}', record number '{number}'"
        );
    }
    named.into_iter().map(str::to_owned).collect()
}

fn text_of(field: &[u8]) -> String {
    String::from_utf8_lossy(field).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burgee_identity::Outcome;

    const FILE: &str = "good,jane,u1,devs\nmulti,joe,u2,\"dev,ops\"\nnogroup,bob,u3\nempty,eve,u4,\n,ghost,u5\ngood,jane2,u6\n";

    fn look_up(tokens: &StaticTokens, token: &str) -> Option<(String, String, String)> {
        let Decision::Now(verdict) = tokens.authenticate(token, &Audiences::ANY) else {
            panic!()
        };
        match verdict.outcome {
            Outcome::Authenticated(yes) => {
                assert!(yes.audiences().is_empty() && yes.user.extra.is_empty());
                Some((
                    yes.user.name.clone(),
                    yes.user.uid.clone(),
                    yes.user.groups.join("|"),
                ))
            }
            Outcome::NoOpinion(reason) => {
                assert_eq!(reason, Reason::TokenUnknown);
                None
            }
            Outcome::Rejected(rejection) => panic!("{rejection:?}"),
        }
    }

    fn single(line: &str, token: &str) -> Option<(String, String, String)> {
        look_up(&StaticTokens::new("t.csv", line.as_bytes()).unwrap(), token)
    }

    fn some(name: &str, uid: &str, groups: &str) -> Option<(String, String, String)> {
        Some((name.into(), uid.into(), groups.into()))
    }

    #[test]
    fn the_worked_example_is_read_as_upstream_reads_it() {
        let tokens = StaticTokens::new("t.csv", FILE.as_bytes()).unwrap();
        assert_eq!(
            look_up(&tokens, "good"),
            some("jane2", "u6", "system:authenticated")
        );
        assert_eq!(
            look_up(&tokens, "multi"),
            some("joe", "u2", "dev|ops|system:authenticated")
        );
        assert_eq!(
            look_up(&tokens, "nogroup"),
            some("bob", "u3", "system:authenticated")
        );
        assert_eq!(
            look_up(&tokens, "empty"),
            some("eve", "u4", "system:authenticated")
        );
        assert_eq!(look_up(&tokens, ""), None);
        assert_eq!(tokens.len(), 4);
    }

    #[test]
    fn spaces_and_columns_are_taken_as_they_are() {
        assert_eq!(
            single("t,u,i,\"g1, g2\"", "t"),
            some("u", "i", "g1| g2|system:authenticated")
        );
        assert_eq!(
            single("t,u,i,g5,other", "t"),
            some("u", "i", "g5|system:authenticated")
        );
        assert_eq!(
            single("t,u,i,\"a,,b\"", "t"),
            some("u", "i", "a|b|system:authenticated")
        );
        assert_eq!(single(" t,u,i", "t"), None);
        assert_eq!(
            single(" t,u,i", " t"),
            some("u", "i", "system:authenticated")
        );
        assert_eq!(single("t,,", "t"), some("", "", "system:authenticated"));
        assert_eq!(
            single("\u{feff}t,u,i", "t"),
            some("u", "i", "system:authenticated")
        );
        assert_eq!(single("t,u,i", "T"), None);
    }

    #[test]
    fn broken_files_are_refused_with_upstreams_words() {
        for (text, message) in [
            (
                "a,b",
                "token file 't.csv' must have at least 3 columns (token, user name, user uid), found 2",
            ),
            (
                "a,b,c\n  \n",
                "token file 't.csv' must have at least 3 columns (token, user name, user uid), found 1",
            ),
            (
                "a,b,c\nd,e\"f,g",
                "parse error on line 2, column 4: bare \" in non-quoted field",
            ),
        ] {
            assert_eq!(
                StaticTokens::new("t.csv", text.as_bytes())
                    .unwrap_err()
                    .to_string(),
                message
            );
        }
    }

    /// What is warned about while this content is read.
    fn warnings(content: &str) -> Vec<String> {
        #[derive(Default)]
        struct Warnings(std::sync::Mutex<Vec<String>>);

        impl tracing::field::Visit for &Warnings {
            fn record_debug(&mut self, _: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                self.0.lock().unwrap().push(format!("{value:?}"));
            }
        }

        struct Subscriber(Arc<Warnings>);

        impl tracing::Subscriber for Subscriber {
            fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
                *metadata.level() == tracing::Level::WARN
            }
            fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
                tracing::span::Id::from_u64(1)
            }
            fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
            fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
            fn event(&self, event: &tracing::Event<'_>) {
                event.record(&mut &*self.0);
            }
            fn enter(&self, _: &tracing::span::Id) {}
            fn exit(&self, _: &tracing::span::Id) {}
        }

        let warnings = Arc::new(Warnings::default());
        tracing::subscriber::with_default(Subscriber(Arc::clone(&warnings)), || {
            drop(StaticTokens::new("t.csv", content.as_bytes()));
        });
        std::mem::take(&mut *warnings.0.lock().unwrap())
    }

    #[test]
    fn defects_that_do_not_matter_are_warned_about_by_the_number_of_their_record() {
        let warning = |what: &str, number: usize| {
            vec![format!(
                "{what} has been found in token file 't.csv', record number '{number}'"
            )]
        };
        for (content, expected) in [
            ("a,jane,1,devs\n\n\nb,joe,2\n", vec![]),
            // Blank lines are no records; records without a token are.
            ("a,jane,1\n\n,ghost,2\n", warning("empty token", 2)),
            (
                ",x,1\na,jane,2\n\na,joe,3",
                [warning("empty token", 1), warning("duplicate token", 3)].concat(),
            ),
            ("a,jane,1,\"devs,,ops\"", warning("empty group", 1)),
            ("a,jane,1,\"\"", vec![]),
        ] {
            assert_eq!(warnings(content), expected, "{content:?}");
        }
    }

    #[test]
    fn line_ends_and_quotes_are_those_of_csv() {
        for (content, token) in [
            ("t,u,i\r\n", "t"),
            ("\"a,b\",u,i", "a,b"),
            ("\"a\"\"b\",u,i\n", "a\"b"),
            ("\"a\nb\",u,i\n", "a\nb"),
            ("x,y,z\nt,u,i", "t"),
            ("#t,u,i", "#t"),
        ] {
            assert!(single(content, token).is_some(), "{content:?}");
        }
    }

    #[test]
    fn a_reload_swaps_all_tokens_and_a_bad_one_changes_nothing() {
        let tokens = StaticTokens::new("t.csv", b"old,jane,1").unwrap();
        assert_eq!(tokens.reload(b"old,jane,1").unwrap(), Reload::Unchanged);
        assert!(tokens.reload(b"new,joe").is_err());
        assert!(look_up(&tokens, "old").is_some());
        assert_eq!(tokens.reload(b"new,joe,2").unwrap(), Reload::Changed);
        assert_eq!(
            (look_up(&tokens, "old"), look_up(&tokens, "new").is_some()),
            (None, true)
        );
    }

    #[test]
    fn an_explanation_names_the_file() {
        let tokens = StaticTokens::new("t.csv", b"good,jane,1\nother,joe,2").unwrap();
        for (token, expected) in [
            ("good", Check::passed("file", "a token of t.csv")),
            (
                "bad",
                Check::failed(
                    "file",
                    Reason::TokenUnknown,
                    "none of the 2 tokens of t.csv",
                ),
            ),
        ] {
            let Decision::Now(checks) = tokens.examine(token, &Audiences::ANY) else {
                panic!()
            };
            assert_eq!(checks, [expected]);
        }
    }

    #[test]
    fn no_token_is_kept_or_printed() {
        let tokens = StaticTokens::new("t.csv", b"s3cr3t,jane,1").unwrap();
        assert!(!format!("{tokens:?}").contains("s3cr3t"));
    }
}

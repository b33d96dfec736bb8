//! An `AuthenticationConfiguration` that changes while it is in force.

mod reloader;

use std::io;

pub use reloader::{Offers, Reloader};

use crate::{
    AnonymousConfiguration, AuthenticationConfiguration, ConfigurationError, Rules, hash_label,
};

/// Decides what each content of the file means: the rules of reloading, without time and network.
#[derive(Debug)]
struct Tracker {
    file: String,
    rules: Rules,
    anonymous: Option<AnonymousConfiguration>,
    /// Names the content in force.
    in_force: String,
    /// Names the content that was refused since.
    refused: Option<String>,
}

/// What a content of the file means.
#[derive(Debug)]
enum Offer {
    /// It is known: in force already, or refused before.
    Known,
    /// It cannot be used.
    Refused(ConfigurationError),
    /// It can be put in force once its issuers are healthy.
    Candidate(Candidate),
}

/// A configuration that is not in force yet.
#[derive(Debug)]
struct Candidate {
    configuration: AuthenticationConfiguration,
    /// Names the content: the form in which metrics show it.
    hash: String,
}

impl Tracker {
    /// Starts with what is in force.
    fn new(
        file: &str,
        content: &[u8],
        configuration: &AuthenticationConfiguration,
        rules: Rules,
    ) -> Self {
        Self {
            file: file.to_owned(),
            rules,
            anonymous: configuration.anonymous.clone(),
            in_force: hash_label(content),
            refused: None,
        }
    }

    /// What to do with what was read.
    fn offer(&mut self, content: &io::Result<Vec<u8>>) -> Offer {
        let content = match content {
            Ok(content) => content,
            // It may be readable the next time.
            Err(error) => {
                return Offer::Refused(ConfigurationError::unreadable(&self.file, error));
            }
        };
        let hash = hash_label(content);
        if hash == self.in_force {
            self.refused = None;
            return Offer::Known;
        }
        if self.refused.as_ref() == Some(&hash) {
            return Offer::Known;
        }
        let anonymous = self.anonymous.as_ref();
        match AuthenticationConfiguration::load_again(&self.file, content, &self.rules, anonymous) {
            Ok(configuration) => Offer::Candidate(Candidate {
                configuration,
                hash,
            }),
            Err(error) => {
                // It will be as wrong the next time.
                self.refused = Some(hash);
                Offer::Refused(error)
            }
        }
    }

    /// A candidate was put in force.
    fn settle(&mut self, hash: String) {
        self.in_force = hash;
        self.refused = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n";

    fn tracker(content: &str) -> Tracker {
        let rules = Rules {
            disallowed_issuers: vec!["https://self.example".to_owned()],
        };
        let configuration =
            AuthenticationConfiguration::load("auth.yaml", content.as_bytes(), &rules).unwrap();
        Tracker::new("auth.yaml", content.as_bytes(), &configuration, rules)
    }

    fn offer(tracker: &mut Tracker, content: &str) -> Offer {
        tracker.offer(&Ok(content.as_bytes().to_vec()))
    }

    fn refusal(tracker: &mut Tracker, content: &str) -> String {
        match offer(tracker, content) {
            Offer::Refused(error) => error.to_string(),
            other => panic!("{other:?}"),
        }
    }

    fn is_known(tracker: &mut Tracker, content: &str) -> bool {
        matches!(offer(tracker, content), Offer::Known)
    }

    fn candidate(tracker: &mut Tracker, content: &str) -> Candidate {
        match offer(tracker, content) {
            Offer::Candidate(candidate) => candidate,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_in_force_already_is_known() {
        assert!(is_known(&mut tracker(HEAD), HEAD));
    }

    #[test]
    fn a_good_change_is_a_candidate_until_it_is_in_force() {
        let mut tracker = tracker(HEAD);
        let changed = format!("{HEAD}# changed\n");
        let first = candidate(&mut tracker, &changed);
        // It was not healthy: the same content is tried again.
        let again = candidate(&mut tracker, &changed);
        assert_eq!(first.hash, again.hash);
        tracker.settle(again.hash);
        assert!(is_known(&mut tracker, &changed));
    }

    #[test]
    fn a_bad_change_is_refused_once() {
        let mut tracker = tracker(HEAD);
        for (content, expected) in [
            ("jwt: [", "unclosed bracket"),
            ("", "empty config data"),
            ("kind: Pod", "Object 'apiVersion' is missing in 'auth.yaml'"),
        ] {
            let error = refusal(&mut tracker, content);
            assert!(error.contains(expected), "{error}");
            assert!(is_known(&mut tracker, content));
        }
    }

    #[test]
    fn going_back_after_a_bad_change_is_none_and_the_bad_one_is_told_again_later() {
        let mut tracker = tracker(HEAD);
        for _ in 0..2 {
            refusal(&mut tracker, "jwt: [");
            assert!(is_known(&mut tracker, HEAD));
        }
        refusal(&mut tracker, "jwt: [");
        let changed = format!("{HEAD}# changed\n");
        let hash = candidate(&mut tracker, &changed).hash;
        tracker.settle(hash);
        candidate(&mut tracker, HEAD);
        refusal(&mut tracker, "jwt: [");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_tried_again() {
        let mut tracker = tracker(HEAD);
        for _ in 0..2 {
            let Offer::Refused(error) = tracker.offer(&Err(io::ErrorKind::NotFound.into())) else {
                panic!("it cannot be read");
            };
            assert_eq!(
                error.to_string(),
                r#"failed to load authentication configuration from file "auth.yaml": open auth.yaml: no such file or directory"#
            );
        }
        assert!(is_known(&mut tracker, HEAD));
    }

    #[test]
    fn anonymous_stays_as_it_was_at_the_start() {
        let on = format!("{HEAD}anonymous: {{enabled: true, conditions: [{{path: /livez}}]}}\n");
        let same = format!("# the same\n{on}");
        let expected = "invalid authentication configuration: anonymous: Forbidden: changed from initial configuration file";
        for (before, after, allowed) in [
            (on.as_str(), same.as_str(), true),
            (&on, HEAD, false),
            (HEAD, &on, false),
            (&on, &on.replace("livez", "readyz"), false),
            (&on, &on.replace("[{path: /livez}]", "[]"), false),
        ] {
            let mut tracker = tracker(before);
            if allowed {
                candidate(&mut tracker, after);
            } else {
                assert_eq!(refusal(&mut tracker, after), expected, "{after}");
            }
        }
    }

    #[test]
    fn a_changed_anonymous_is_told_after_everything_else() {
        let mut tracker = tracker(HEAD);
        let bad = format!(
            "{HEAD}anonymous: {{enabled: true}}\njwt:\n- issuer: {{url: 'https://self.example', audiences: [a]}}\n  claimMappings: {{username: {{claim: sub, prefix: ''}}}}\n"
        );
        let expected = r#"invalid authentication configuration: [jwt[0].issuer.url: Invalid value: "https://self.example": URL must not overlap with disallowed issuers: [https://self.example], anonymous: Forbidden: changed from initial configuration file]"#;
        assert_eq!(refusal(&mut tracker, &bad), expected);
    }
}

//! Explanations for people.
//!
//! Much of what is shown was chosen by whoever made the credential, so that nothing of it reaches the
//! terminal as it stands: control characters and those that turn the direction of text are written as
//! `\u{…}`.

use std::fmt::Write as _;

use burgee_identity::UserInfo;
use burgee_wire::explanation::{
    AuthenticatorOutcome, CertificateAnatomy, CheckOutcome, CredentialAnatomy, RecordedRefusal,
    TimeAnatomy,
};
use serde_json::Value;

use super::subject::Subject;
use super::{Explained, Source};

/// How far what belongs to something stands behind it.
const INDENT: usize = 2;

/// Who explains, in a sentence.
pub(super) fn source(source: &Source) -> String {
    match source {
        Source::Alone(why) => format!(
            "No server was asked ({why}): this is what the credential says by itself, and anyone could \
             have written that."
        ),
        Source::Burgee(url) => format!("{} explains:", printable(url)),
        Source::Other(url) => format!(
            "{} is no Burgee and cannot explain: this is what it says in a review, and what the \
             credential says by itself.",
            printable(url)
        ),
    }
}

/// The whole explanation.
pub(super) fn text(explained: &Explained, subject: &Subject) -> String {
    let Explained { status, source } = explained;
    let mut text = Text::default();
    text.line(0, &self::source(source));
    text.gap();
    match subject {
        Subject::AuditId(id) if !status.refusals.is_empty() => {
            text.line(0, &format!("Refused with audit id {id}, the latest first:"));
            for refusal in &status.refusals {
                text.refusal(refusal);
            }
            return text.0;
        }
        Subject::AuditId(_) => {
            text.line(0, &status.error);
            return text.0;
        }
        _ => {}
    }
    match (status.authenticated, status.reason.as_str()) {
        (true, _) => text.line(0, "Accepted."),
        (false, "") if matches!(source, Source::Alone(_)) => {
            let kind = status
                .credential
                .as_ref()
                .map(|credential| &*credential.kind);
            text.line(
                0,
                match kind {
                    Some("Opaque") => "It says nothing by itself.",
                    _ => "Nothing is wrong with what it says.",
                },
            );
        }
        (false, "") => text.line(0, "Refused."),
        (false, reason) => text.line(0, &format!("Refused: {reason}")),
    }
    text.labelled(INDENT, "message", &status.error);
    text.labelled(INDENT, "to do", &status.advice);
    if let Some(user) = &status.user {
        text.user(user);
    }
    text.labelled(INDENT, "audiences", &status.audiences.join(", "));
    if !status.authenticators.is_empty() {
        text.gap();
        text.line(0, "Authenticators, in the order in which they are asked:");
        let names = status.authenticators.iter().map(|one| one.name.len());
        let width = names.max().unwrap_or_default();
        for authenticator in &status.authenticators {
            text.authenticator(authenticator, width);
        }
    }
    if let Some(credential) = &status.credential {
        text.gap();
        text.credential(credential);
    }
    text.0
}

/// Text in the making, line by line.
#[derive(Default)]
struct Text(String);

impl Text {
    fn gap(&mut self) {
        self.0.push('\n');
    }

    fn line(&mut self, indent: usize, text: &str) {
        let line = format!("{:indent$}{}", "", printable(text));
        self.0.push_str(line.trim_end());
        self.0.push('\n');
    }

    /// A label and its text; nothing if there is no text.
    fn labelled(&mut self, indent: usize, label: &str, text: &str) {
        if !text.is_empty() {
            self.line(indent, &format!("{label:<10} {text}"));
        }
    }

    fn user(&mut self, user: &UserInfo) {
        self.labelled(INDENT, "user", &user.name);
        self.labelled(INDENT, "uid", &user.uid);
        self.labelled(INDENT, "groups", &user.groups.join(", "));
        for (key, values) in &user.extra {
            let values = values.join(", ");
            self.labelled(INDENT, "extra", &format!("{key}: {values}"));
        }
    }

    fn authenticator(&mut self, authenticator: &AuthenticatorOutcome, width: usize) {
        let result = match authenticator.result.as_str() {
            "Authenticated" => "accepts",
            "NoOpinion" => "no opinion",
            "NotAsked" => "not asked",
            "Rejected" => "REFUSES",
            other => other,
        };
        let why = match (
            authenticator.reason.as_str(),
            authenticator.message.as_str(),
        ) {
            (reason, "") => reason.to_owned(),
            (reason, message) => format!("{reason}: {message}"),
        };
        let name = &authenticator.name;
        self.line(INDENT, &format!("{name:<width$}  {result:<10}  {why}"));
        self.checks(INDENT * 2, &authenticator.checks);
    }

    fn checks(&mut self, indent: usize, checks: &[CheckOutcome]) {
        let width = checks.iter().map(|check| check.name.len()).max();
        let width = width.unwrap_or_default();
        for check in checks {
            let mark = match check.result.as_str() {
                "Passed" => "ok",
                "Failed" => "FAIL",
                "Skipped" => "skip",
                other => other,
            };
            let CheckOutcome { name, detail, .. } = check;
            self.line(indent, &format!("{mark:<4}  {name:<width$}  {detail}"));
            if !check.reason.is_empty() {
                let what = format!("{}: {}", check.reason, check.advice);
                self.line(indent + 6, &what);
            }
        }
    }

    fn credential(&mut self, credential: &CredentialAnatomy) {
        let mark = if credential.verified {
            "verified"
        } else {
            "not verified"
        };
        self.line(0, &format!("What the credential says by itself ({mark}):"));
        let kind = format!("{}, {} bytes", credential.kind, credential.length);
        self.labelled(INDENT, "kind", &kind);
        self.labelled(INDENT, "token id", &credential.token_id);
        self.members("header", credential.header.as_ref());
        self.members("claims", credential.claims.as_ref());
        self.times(INDENT, &credential.times);
        for certificate in &credential.certificates {
            self.certificate(certificate);
        }
        self.checks(INDENT, &credential.checks);
        for remark in &credential.remarks {
            self.labelled(INDENT, "remark", remark);
        }
    }

    fn members(&mut self, label: &str, value: Option<&Value>) {
        match value {
            Some(Value::Object(members)) if !members.is_empty() => {
                self.line(INDENT, label);
                for (name, value) in members {
                    self.line(INDENT * 2, &format!("{name}: {value}"));
                }
            }
            Some(other) => self.labelled(INDENT, label, &other.to_string()),
            None => {}
        }
    }

    fn times(&mut self, indent: usize, times: &[TimeAnatomy]) {
        for TimeAnatomy {
            name,
            time,
            relative,
        } in times
        {
            self.labelled(indent, name, &format!("{time}  {relative}"));
        }
    }

    fn certificate(&mut self, certificate: &CertificateAnatomy) {
        let authority = if certificate.authority {
            " (an authority)"
        } else {
            ""
        };
        self.line(INDENT, &format!("certificate{authority}"));
        let indent = INDENT * 2;
        self.labelled(indent, "subject", &certificate.subject);
        self.labelled(indent, "issuer", &certificate.issuer);
        self.labelled(indent, "serial", &certificate.serial_number);
        self.labelled(indent, "sha-256", &certificate.fingerprint);
        self.labelled(indent, "usages", &certificate.usages.join(", "));
        self.times(indent, &certificate.times);
    }

    fn refusal(&mut self, refusal: &RecordedRefusal) {
        let mut line = format!("{}  {} {}", refusal.time, refusal.method, refusal.path);
        if !refusal.address.is_empty() {
            let _ = write!(line, "  from {}", refusal.address);
        }
        self.line(INDENT, &line);
        let attempted = match refusal.attempted.as_slice() {
            [] => "nothing".to_owned(),
            kinds => kinds.join(", "),
        };
        self.labelled(INDENT * 2, "presented", &attempted);
        for reason in &refusal.reasons {
            self.labelled(INDENT * 2, "reason", &reason.reason);
            self.labelled(INDENT * 2, "message", &reason.message);
            self.labelled(INDENT * 2, "to do", &reason.advice);
        }
    }
}

/// Text that does nothing to a terminal but stand there, on one line.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || turns_direction(character) {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
        } else {
            out.push(character);
        }
    }
    out
}

/// Whether a character makes text look like other text: marks, embeddings, overrides and isolates of
/// Unicode's bidirectional algorithm, line and paragraph separators, and characters without width.
fn turns_direction(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

//! `burgee explain`.

mod remote;
mod render;
mod subject;

use std::path::PathBuf;

use anyhow::anyhow;
use burgee_authn::explain::{anatomy, certificate_anatomy, certificates_from_pem};
use burgee_identity::{Clock as _, SystemClock};
use burgee_kubeconfig::Kubeconfig;
use burgee_wire::explanation::{
    GROUP, TokenExplanation, TokenExplanationSpec, TokenExplanationStatus, VERSION,
};
use clap::{ArgGroup, Args, ValueEnum};
use jiff::Timestamp;
use serde::Serialize;

use crate::failure::Failure;
use crate::output::print;
use remote::Server;
use subject::Subject;

/// Explain why a credential is accepted or refused
///
/// Asks the server of a kubeconfig, which takes the right to create
/// tokenexplanations.authentication.burgee.dev: what every authenticator says, and each check that the
/// credential passes or fails. Of a server that is no Burgee, and of no server at all, one learns what
/// the credential says by itself, which nobody has verified then.
///
/// The output never shows the token, the secret part of one, or a signature.
#[derive(Args, Debug)]
#[command(
    group = ArgGroup::new("subject").required(true),
    after_help = "Exit codes: 0 the credential is accepted, or nothing is wrong with what it says by \
        itself; or requests with the audit id are remembered. 1 it is refused or something is wrong \
        with it, none is remembered, or the server cannot be asked. 2 wrong command line.\n\n\
        Examples:\n  \
        burgee explain --file /var/run/secrets/kubernetes.io/serviceaccount/token\n  \
        kubectl create token builder | burgee explain -\n  \
        burgee explain --cert client.crt --output yaml\n  \
        burgee explain --audit-id 6f0c4e0e-8f0a-4c55-9d4e-0c8a2d6b8b11"
)]
pub(crate) struct Arguments {
    /// The token, or - for standard input. Everyone on this machine can see a token that stands on
    /// the command line, so better give - or --file
    #[arg(group = "subject")]
    token: Option<String>,
    /// File with a token, or with a certificate in PEM
    #[arg(long, short, value_name = "FILE", group = "subject")]
    file: Option<PathBuf>,
    /// File with a client certificate in PEM, and intermediates if there are any. Keys in it are
    /// neither read nor sent
    #[arg(long, value_name = "FILE", group = "subject")]
    cert: Option<PathBuf>,
    /// Audit id of a request that was answered with 401: the header Audit-Id of the answer
    #[arg(long, value_name = "ID", group = "subject", conflicts_with = "offline")]
    audit_id: Option<String>,
    /// Audience that the token must be for; may be given several times. The server's own by default
    #[arg(long = "audience", value_name = "AUDIENCE")]
    audiences: Vec<String>,
    /// Kubeconfig file, instead of those that kubectl reads
    #[arg(long, value_name = "FILE", conflicts_with = "offline")]
    kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig, instead of the current one
    #[arg(long, value_name = "NAME", conflicts_with = "offline")]
    context: Option<String>,
    /// Ask no server
    #[arg(long)]
    offline: bool,
    /// How to write it
    #[arg(long, short, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

/// How an explanation is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Format {
    /// An indented JSON document
    Json,
    /// For people
    Text,
    /// A YAML document
    Yaml,
}

/// An explanation, and who gave it.
pub(super) struct Explained {
    pub(super) status: TokenExplanationStatus,
    pub(super) source: Source,
}

/// Who gave an explanation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Source {
    /// The credential itself, and why nobody else was asked.
    Alone(&'static str),
    /// A Burgee, at this URL.
    Burgee(String),
    /// Another API server, at this URL, which can only review tokens.
    Other(String),
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let subject = self.subject()?;
        let now = SystemClock::new().now();
        let explained = match self.server()? {
            Ok(server) => server.explain(&subject, &self.audiences, now)?,
            Err(why) => alone(&subject, Source::Alone(why), now)?,
        };
        match self.output {
            Format::Text => print(&render::text(&explained, &subject))?,
            Format::Json | Format::Yaml => {
                eprintln!("{}", render::source(&explained.source));
                let document = Document::new(&explained.status);
                print(&match self.output {
                    Format::Yaml => serde_saphyr::to_string(&document)?,
                    _ => serde_json::to_string_pretty(&document)? + "\n",
                })?;
            }
        }
        if is_good(&explained, &subject) {
            Ok(())
        } else {
            Err(Failure::Told)
        }
    }

    fn subject(&self) -> Result<Subject, Failure> {
        if let Some(audit_id) = &self.audit_id {
            return Ok(Subject::AuditId(audit_id.clone()));
        }
        if let Some(file) = &self.cert {
            return Subject::certificate(&subject::read_file(file)?);
        }
        let text = match (&self.token, &self.file) {
            (Some(token), _) if token == "-" => subject::read_standard_input()?,
            (Some(token), _) => return Ok(Subject::Token(token.clone())),
            (None, Some(file)) => subject::read_file(file)?,
            (None, None) => return Err(Failure::Usage(anyhow!("nothing to explain is given"))),
        };
        if subject::holds_certificate(&text) {
            return Subject::certificate(&text);
        }
        // Whatever writes files ends them with a line's end, and all who read tokens from them know.
        Ok(Subject::Token(text.trim_end().to_owned()))
    }

    /// The server to ask, or why none is.
    fn server(&self) -> Result<Result<Server, &'static str>, Failure> {
        if self.offline {
            return Ok(Err("--offline was given"));
        }
        let config = match &self.kubeconfig {
            Some(file) => Kubeconfig::read(file)?,
            None => match Kubeconfig::load_default() {
                Err(burgee_kubeconfig::Error::HomeUnknown) => Kubeconfig::default(),
                config => config?,
            },
        };
        let must_ask =
            self.kubeconfig.is_some() || self.context.is_some() || self.audit_id.is_some();
        if !must_ask && config == Kubeconfig::default() {
            return Ok(Err("there is no kubeconfig"));
        }
        Ok(Ok(Server::new(&config, self.context.as_deref())?))
    }
}

/// What a credential says by itself, as far as there is one.
fn alone(subject: &Subject, source: Source, now: Timestamp) -> Result<Explained, Failure> {
    let credential = match subject {
        Subject::Token(token) => anatomy(token, now),
        Subject::Certificate(pem) => certificate_anatomy(&certificates_from_pem(pem), now),
        Subject::AuditId(_) => {
            return Err(Failure::Failed(anyhow!(
                "the server is no Burgee and remembers no refused requests"
            )));
        }
    };
    let mut status = TokenExplanationStatus::default();
    if let Some(failure) = credential
        .checks
        .iter()
        .find(|check| check.result == "Failed")
    {
        status.reason.clone_from(&failure.reason);
        status.advice.clone_from(&failure.advice);
    }
    status.credential = Some(credential);
    Ok(Explained { status, source })
}

fn is_good(explained: &Explained, subject: &Subject) -> bool {
    let status = &explained.status;
    match (subject, &explained.source) {
        (Subject::AuditId(_), _) => !status.refusals.is_empty(),
        (Subject::Certificate(_), Source::Alone(_) | Source::Other(_))
        | (Subject::Token(_), Source::Alone(_)) => status.reason.is_empty(),
        _ => status.authenticated,
    }
}

/// An explanation as an object, as kubectl would show it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    kind: &'static str,
    api_version: String,
    status: &'a TokenExplanationStatus,
}

impl<'a> Document<'a> {
    fn new(status: &'a TokenExplanationStatus) -> Self {
        Self {
            kind: "TokenExplanation",
            api_version: format!("{GROUP}/{VERSION}"),
            status,
        }
    }
}

/// The question that a subject is.
fn question(subject: &Subject, audiences: &[String]) -> TokenExplanation {
    let mut spec = TokenExplanationSpec {
        audiences: audiences.to_vec(),
        ..TokenExplanationSpec::default()
    };
    match subject {
        Subject::AuditId(id) => spec.audit_id.clone_from(id),
        Subject::Certificate(pem) => spec.certificate.clone_from(pem),
        Subject::Token(token) => spec.token.clone_from(token),
    }
    TokenExplanation {
        spec,
        ..TokenExplanation::default()
    }
}

#[cfg(test)]
mod tests;

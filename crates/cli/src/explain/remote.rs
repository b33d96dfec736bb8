//! Asking a server.

use std::sync::Arc;

use anyhow::anyhow;
use burgee_authn::explain::anatomy;
use burgee_identity::SystemClock;
use burgee_kubeconfig::{Client, Error, Kubeconfig};
use burgee_wire::authentication::{TokenReview, TokenReviewSpec};
use burgee_wire::explanation::{GROUP, PATH, TokenExplanation, TokenExplanationStatus, VERSION};
use http::{Method, StatusCode};
use jiff::Timestamp;
use serde::Serialize;

use super::subject::Subject;
use super::{Explained, Source, alone, question};
use crate::failure::Failure;

const REVIEWS: &str = "/apis/authentication.k8s.io/v1/tokenreviews";

/// A server that can be asked.
pub(super) struct Server {
    client: Client,
    url: String,
}

impl Server {
    pub(super) fn new(config: &Kubeconfig, context: Option<&str>) -> Result<Self, Failure> {
        let access = config.access(context)?;
        let url = access.server().to_owned();
        // What is explained is a credential, which must not be shown to whoever listens.
        if !url.starts_with("https://") {
            return Err(Failure::Usage(anyhow!(
                "{url} is not spoken to over TLS, so no credential is sent there"
            )));
        }
        let client = access.client(Arc::new(SystemClock::new()))?;
        Ok(Self { client, url })
    }

    pub(super) fn explain(
        &self,
        subject: &Subject,
        audiences: &[String],
        now: Timestamp,
    ) -> Result<Explained, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(self.ask(subject, audiences, now))
    }

    async fn ask(
        &self,
        subject: &Subject,
        audiences: &[String],
        now: Timestamp,
    ) -> Result<Explained, Failure> {
        let question = Object {
            kind: "TokenExplanation",
            api_version: format!("{GROUP}/{VERSION}"),
            object: question(subject, audiences),
        };
        match self.post::<TokenExplanation>(PATH, &question).await {
            Ok(answer) => Ok(Explained {
                status: answer.status,
                source: Source::Burgee(self.url.clone()),
            }),
            Err(error) if is_not_found(&error) => self.review(subject, audiences, now).await,
            Err(error) => Err(self.failure(error, subject)),
        }
    }

    /// What a server that explains nothing says of a token.
    async fn review(
        &self,
        subject: &Subject,
        audiences: &[String],
        now: Timestamp,
    ) -> Result<Explained, Failure> {
        let source = Source::Other(self.url.clone());
        let Subject::Token(token) = subject else {
            return alone(subject, source, now);
        };
        let review = TokenReview {
            spec: TokenReviewSpec {
                // A line's end would make of a good token a bad one.
                token: token.trim().to_owned(),
                audiences: audiences.to_vec(),
            },
            ..TokenReview::default()
        };
        let review = Object {
            kind: "TokenReview",
            api_version: "authentication.k8s.io/v1".to_owned(),
            object: review,
        };
        let answer = self.post::<TokenReview>(REVIEWS, &review).await;
        let answer = answer.map_err(|error| self.failure(error, subject))?.status;
        let mut credential = anatomy(token, now);
        credential.verified = answer.authenticated;
        let mut status = TokenExplanationStatus {
            authenticated: answer.authenticated,
            user: answer.authenticated.then_some(answer.user),
            audiences: answer.audiences,
            error: answer.error,
            ..TokenExplanationStatus::default()
        };
        let failure = credential
            .checks
            .iter()
            .find(|check| check.result == "Failed");
        if let Some(failure) = failure.filter(|_| !answer.authenticated) {
            status.reason.clone_from(&failure.reason);
            status.advice.clone_from(&failure.advice);
        }
        status.credential = Some(credential);
        Ok(Explained { status, source })
    }

    async fn post<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        object: &impl Serialize,
    ) -> Result<T, Error> {
        self.client.send_json(Method::POST, path, object).await
    }

    fn failure(&self, error: Error, subject: &Subject) -> Failure {
        let hint = match subject {
            Subject::AuditId(_) => "",
            _ => " (--offline tells what the credential says by itself)",
        };
        let asked = format!("cannot ask {}{hint}", self.url);
        Failure::Failed(anyhow::Error::new(error).context(asked))
    }
}

/// Whether the server has no such resource.
fn is_not_found(error: &Error) -> bool {
    matches!(error, Error::Refused(status) if status.code == StatusCode::NOT_FOUND.as_u16())
}

/// An object with its kind.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Object<T> {
    kind: &'static str,
    api_version: String,
    #[serde(flatten)]
    object: T,
}

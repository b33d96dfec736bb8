//! Why a credential is accepted or refused, for those whom RBAC lets ask. Nothing is stored.

use burgee_authn::Audiences;
use burgee_authn::explain::{Credential, certificates_from_pem};
use burgee_resources::Resource;
use burgee_wire::Status;
use burgee_wire::explanation::{
    RefusalReason, TokenExplanation, TokenExplanationSpec, TokenExplanationStatus,
};
use burgee_wire::field::{FieldError, Path};
use rustls_pki_types::CertificateDer;
use serde_json::Value;

use crate::api::Api;
use crate::registry::Result;
use crate::reviews::{refuse, typed, value_of};

/// The most audiences that one question may have.
const MAX_AUDIENCES: usize = 64;

/// What a question is about.
enum Subject<'a> {
    AuditId(&'a str),
    Certificates(Vec<CertificateDer<'static>>),
    Token(&'a str),
}

impl Api {
    /// Answers a TokenExplanation. The answer does not repeat the credential.
    ///
    /// # Errors
    ///
    /// 422 unless exactly one thing is asked for.
    pub(crate) async fn token_explanation(
        &self,
        resource: &Resource,
        input: Value,
    ) -> Result<Value> {
        let mut explanation: TokenExplanation = typed(input)?;
        let spec = &explanation.spec;
        let subject = match validate(spec) {
            Ok(subject) => subject,
            Err(error) => {
                refuse(resource, &[error])?;
                return Err(Box::new(Status::internal("the question was refused")));
            }
        };
        let audiences = Audiences::of_server(spec.audiences.iter().cloned());
        let explain = async |credential| {
            let now = self.clock.now();
            self.authentication
                .explain(credential, &audiences, now)
                .await
        };
        explanation.status = match &subject {
            Subject::AuditId(id) => self.refused_requests(id),
            Subject::Certificates(chain) => explain(Credential::Certificates(chain)).await,
            Subject::Token(token) => explain(Credential::Token(token)).await,
        };
        explanation.metadata.namespace.clear();
        explanation.spec.token.clear();
        explanation.spec.certificate.clear();
        value_of(explanation)
    }

    fn refused_requests(&self, audit_id: &str) -> TokenExplanationStatus {
        let refusals = self.refusals.find(audit_id);
        let mut status = TokenExplanationStatus::default();
        match refusals.first().and_then(|latest| telling(&latest.reasons)) {
            Some(RefusalReason {
                reason,
                message,
                advice,
            }) => {
                status.reason.clone_from(reason);
                status.error.clone_from(message);
                status.advice.clone_from(advice);
            }
            None => {
                let oldest = self.refusals.oldest();
                let reach = oldest.map_or("none is remembered at all".to_owned(), |oldest| {
                    format!("the oldest that is remembered is of {oldest}")
                });
                let dropped = self.refusals.dropped();
                status.error = format!(
                    "no refused request with this audit id is remembered by this server: {reach}, \
                     and {dropped} were left out because there were too many at once"
                );
            }
        }
        status.refusals = refusals;
        status
    }
}

/// The reason that says more than that nobody knows a token.
fn telling(reasons: &[RefusalReason]) -> Option<&RefusalReason> {
    let unknown = burgee_identity::Reason::TokenUnknown.code();
    let telling = reasons.iter().find(|reason| reason.reason != unknown);
    telling.or(reasons.first())
}

fn validate(spec: &TokenExplanationSpec) -> std::result::Result<Subject<'_>, FieldError> {
    let path = Path::new("spec");
    if spec.audiences.len() > MAX_AUDIENCES {
        let audiences = path.child("audiences");
        let found = spec.audiences.len();
        return Err(FieldError::too_many(&audiences, found, MAX_AUDIENCES));
    }
    match [&spec.token, &spec.certificate, &spec.audit_id].map(|text| text.as_str()) {
        [token, "", ""] if !token.is_empty() => Ok(Subject::Token(token)),
        ["", certificate, ""] if !certificate.is_empty() => {
            let chain = certificates_from_pem(certificate);
            if chain.is_empty() {
                let path = path.child("certificate");
                let detail = "must hold a certificate in PEM";
                return Err(FieldError::invalid(&path, "(not shown)", detail));
            }
            Ok(Subject::Certificates(chain))
        }
        ["", "", audit_id] if !audit_id.is_empty() => Ok(Subject::AuditId(audit_id)),
        ["", "", ""] => Err(FieldError::required(
            &path,
            "must have exactly one of token, certificate and auditID",
        )),
        _ => Err(FieldError::forbidden(
            &path,
            "may have only one of token, certificate and auditID",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(token: &str, certificate: &str, audit_id: &str) -> Option<String> {
        let spec = TokenExplanationSpec {
            token: token.to_owned(),
            certificate: certificate.to_owned(),
            audit_id: audit_id.to_owned(),
            audiences: Vec::new(),
        };
        validate(&spec).err().map(|error| error.to_string())
    }

    #[test]
    fn exactly_one_thing_is_asked_for() {
        assert_eq!(refusal("hunter2", "", ""), None);
        assert_eq!(refusal("", "", "id"), None);
        assert_eq!(
            refusal("", "", "").unwrap(),
            "spec: Required value: must have exactly one of token, certificate and auditID"
        );
        let expected = "spec: Forbidden: may have only one of token, certificate and auditID";
        for (token, certificate, audit_id) in [
            ("hunter2", "c", ""),
            ("hunter2", "", "i"),
            ("", "c", "i"),
            ("hunter2", "c", "i"),
        ] {
            assert_eq!(refusal(token, certificate, audit_id).unwrap(), expected);
        }
        assert_eq!(
            refusal("", "hunter2", "").unwrap(),
            "spec.certificate: Invalid value: \"(not shown)\": must hold a certificate in PEM"
        );
    }

    #[test]
    fn audiences_are_limited() {
        let spec = TokenExplanationSpec {
            token: "t".to_owned(),
            audiences: vec![String::new(); MAX_AUDIENCES + 1],
            ..TokenExplanationSpec::default()
        };
        let error = validate(&spec).err().unwrap();
        assert_eq!(
            error.to_string(),
            "spec.audiences: Too many: 65: must have at most 64 items"
        );
    }
}

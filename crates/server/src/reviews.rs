//! Computed answers: who a token is, who I am, and what someone may do. Nothing is stored.

use std::fmt;
use std::sync::Arc;

use burgee_authz::review;
use burgee_identity::UserInfo;
use burgee_resources::Resource;
use burgee_wire::authentication::{
    SelfSubjectReview, SelfSubjectReviewStatus, TokenRequest, TokenReview,
};
use burgee_wire::authorization::{
    SelfSubjectAccessReview, SelfSubjectRulesReview, SubjectAccessReview,
};
use burgee_wire::field::FieldError;
use burgee_wire::schema::StructRef;
use burgee_wire::{ObjectMeta, Status, decode, encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::Api;
use crate::http::Encoding;
use crate::registry::{Expected, Input, Result, Target, WriteOptions};

/// A computed answer.
pub(crate) struct Reviewed {
    /// Compact JSON.
    pub(crate) json: String,
    /// What the client should know.
    pub(crate) warnings: Vec<String>,
}

impl fmt::Debug for Reviewed {
    /// Never shows the answer, which can hold a fresh token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reviewed")
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}

/// A request for a computed answer.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) target: Target<'a>,
    pub(crate) body: &'a [u8],
    pub(crate) encoding: Encoding,
    pub(crate) options: &'a WriteOptions,
    pub(crate) user: &'a Arc<UserInfo>,
}

impl fmt::Debug for Question<'_> {
    /// Never shows the body, which can hold a token under review.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question")
            .field("target", &self.target)
            .field("encoding", &self.encoding)
            .finish_non_exhaustive()
    }
}

impl Api {
    /// Answers a creation of a kind that is not stored.
    ///
    /// # Errors
    ///
    /// 400 for a body that is no such review, 422 for one that asks nothing.
    pub(crate) async fn review(&self, question: Question<'_>) -> Result<Reviewed> {
        let resource = question.target.resource;
        let expected = Expected::of(resource);
        let (input, warnings) = read(&question, &expected)?;
        let answer = match resource.plural {
            "tokenexplanations" => {
                self.token_explanation(question.target.resource, input)
                    .await?
            }
            "tokenreviews" => self.token_review(input).await?,
            "selfsubjectreviews" => self.self_review(&question)?,
            "subjectaccessreviews" => {
                self.access_review(&question, input, review::validate_subject)?
            }
            "localsubjectaccessreviews" => {
                let mut input = input;
                take_namespace(&question.target, &mut input)?;
                self.access_review(&question, input, review::validate_local)?
            }
            "selfsubjectaccessreviews" => self.self_access_review(&question, input)?,
            "selfsubjectrulesreviews" => self.self_rules_review(&question, input)?,
            _ => return Err(Box::new(Status::unknown_path())),
        };
        let json = canonical(&expected, answer)?;
        Ok(Reviewed { json, warnings })
    }

    /// Mints a token for a service account.
    ///
    /// # Errors
    ///
    /// As kube-apiserver answers them, see `burgee_service_account::Error`.
    pub(crate) async fn token_request(&self, question: Question<'_>) -> Result<Reviewed> {
        const SCHEMA: &str = "io.k8s.api.authentication.v1.TokenRequest";
        const VERSION: &str = "authentication.k8s.io/v1";
        let expected = Expected {
            api_version: VERSION.to_owned(),
            kind: "TokenRequest",
            schema: schema_of(SCHEMA)?,
        };
        let (input, mut warnings) = read(&question, &expected)?;
        let mut request: TokenRequest = typed(input)?;
        request.status = Default::default();
        let Target {
            namespace, name, ..
        } = question.target;
        let refused = |error: burgee_service_account::Error| Box::new(error.status());
        let prepared = self
            .issuer
            .prepare(namespace, name, request)
            .await
            .map_err(refused)?;
        let issued = match question.options.dry_run {
            true => self.issuer.dry_run(prepared).await,
            false => self.issuer.issue(prepared).await,
        };
        let issued = issued.map_err(refused)?;
        warnings.extend(issued.warnings);
        let json = canonical(&expected, issued.response)?;
        Ok(Reviewed { json, warnings })
    }

    async fn token_review(&self, input: Value) -> Result<Value> {
        let mut review: TokenReview = typed(input)?;
        review.metadata.namespace = String::new();
        review.status = self.authentication.review(&review.spec).await?;
        value_of(review)
    }

    fn self_review(&self, question: &Question<'_>) -> Result<Value> {
        let metadata = ObjectMeta {
            creation_timestamp: Some(self.clock.now().into()),
            ..Default::default()
        };
        let status = SelfSubjectReviewStatus {
            user_info: (**question.user).clone(),
        };
        value_of(SelfSubjectReview { metadata, status })
    }

    fn access_review(
        &self,
        question: &Question<'_>,
        input: Value,
        validate: impl Fn(&SubjectAccessReview) -> Vec<FieldError>,
    ) -> Result<Value> {
        let mut review: SubjectAccessReview = typed(input)?;
        refuse(question.target.resource, &validate(&review))?;
        let user = review::reviewed_user(&review.spec);
        let spec = &review.spec;
        review.status = review::answer(
            &*self.authorization,
            &user,
            spec.resource_attributes.as_ref(),
            spec.non_resource_attributes.as_ref(),
        );
        value_of(review)
    }

    fn self_access_review(&self, question: &Question<'_>, input: Value) -> Result<Value> {
        let mut review: SelfSubjectAccessReview = typed(input)?;
        refuse(question.target.resource, &review::validate_self(&review))?;
        let spec = &review.spec;
        review.status = review::answer(
            &*self.authorization,
            question.user,
            spec.resource_attributes.as_ref(),
            spec.non_resource_attributes.as_ref(),
        );
        value_of(review)
    }

    fn self_rules_review(&self, question: &Question<'_>, input: Value) -> Result<Value> {
        let mut review: SelfSubjectRulesReview = typed(input)?;
        if review.spec.namespace.is_empty() {
            return Err(Box::new(Status::bad_request("no namespace on request")));
        }
        review.status = self
            .authorization
            .rules_for(question.user, &review.spec.namespace);
        // Upstream answers with the rules alone.
        review.spec = Default::default();
        value_of(review)
    }
}

fn read(question: &Question<'_>, expected: &Expected) -> Result<(Value, Vec<String>)> {
    let Question {
        body,
        encoding,
        options,
        ..
    } = *question;
    let input = Input::decode(body, encoding, expected, options.field_validation)?;
    Ok((input.value, input.warnings))
}

fn schema_of(name: &str) -> Result<StructRef> {
    let found = burgee_wire::schema::schema().find(name);
    found.ok_or_else(|| Box::new(Status::internal("the kind is not described")))
}

/// Takes the URL's namespace, which the body may repeat but not contradict.
fn take_namespace(target: &Target<'_>, input: &mut Value) -> Result<()> {
    let Some(metadata) = input.get_mut("metadata").and_then(Value::as_object_mut) else {
        return Ok(());
    };
    match metadata.get("namespace").and_then(Value::as_str) {
        None | Some("") => {
            metadata.insert("namespace".into(), target.namespace.into());
            Ok(())
        }
        Some(own) if own == target.namespace => Ok(()),
        Some(_) => Err(Box::new(Status::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ))),
    }
}

pub(crate) fn refuse(resource: &Resource, errors: &[FieldError]) -> Result<()> {
    if errors.is_empty() {
        return Ok(());
    }
    Err(Box::new(Status::invalid(
        resource.group,
        resource.kind,
        "",
        errors,
    )))
}

pub(crate) fn typed<T: DeserializeOwned>(value: Value) -> Result<T> {
    serde_json::from_value(value).map_err(|error| Box::new(Status::bad_request(error.to_string())))
}

pub(crate) fn value_of<T: Serialize>(answer: T) -> Result<Value> {
    serde_json::to_value(answer).map_err(|error| Box::new(Status::internal(&error.to_string())))
}

/// The answer in canonical form.
fn canonical<T: Serialize>(expected: &Expected, answer: T) -> Result<String> {
    let Expected {
        api_version,
        kind,
        schema,
    } = expected;
    let decoded = decode::conform(value_of(answer)?, *schema);
    let decoded = decoded.map_err(|error| Box::new(Status::internal(&error.to_string())))?;
    Ok(encode::object(api_version, kind, &decoded.value, *schema))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;

    #[test]
    fn debug_output_keeps_tokens() {
        let query = crate::http::Query::default();
        let question = Question {
            target: Target {
                resource: burgee_resources::find("authentication.k8s.io", "v1", "tokenreviews")
                    .unwrap(),
                namespace: "",
                name: "",
                subresource: "",
            },
            body: br#"{"spec":{"token":"hunter2"}}"#,
            encoding: Encoding::Json,
            options: &WriteOptions::parse("CreateOptions", &query, &HeaderMap::new(), false)
                .unwrap(),
            user: &Arc::new(UserInfo::named("a")),
        };
        let body = format!("{:?}", question.body);
        let shown = format!("{question:?}");
        assert!(
            !shown.contains("hunter2") && !shown.contains(&body),
            "{shown}"
        );
        let reviewed = Reviewed {
            json: r#"{"status":{"token":"hunter2"}}"#.to_owned(),
            warnings: Vec::new(),
        };
        assert_eq!(format!("{reviewed:?}"), "Reviewed { warnings: [], .. }");
    }
}

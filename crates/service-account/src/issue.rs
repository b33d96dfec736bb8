//! The rules of TokenRequest: who gets which token.

use std::sync::Arc;

use burgee_identity::Clock;
use burgee_wire::authentication::{BoundObjectReference, TokenRequest};
use burgee_wire::{ObjectMeta, Time};
use jiff::{SignedDuration, Timestamp};

use crate::error::uid_mismatch;
use crate::lookup::find;
use crate::{
    Claims, Error, KubernetesClaims, LookupError, ObjectClaim, ObjectFacts, ObjectKind,
    ObjectLookup, ObjectRef, TokenSigner,
};

/// The lifetime that the ServiceAccount admission plug-in asks for, in seconds: an hour and seven
/// seconds, which nobody asks for by chance.
pub const WARN_AFTER_SECONDS: i64 = 60 * 60 + 7;

/// How long extended tokens live when the key is at hand, in seconds: 365 days.
pub const EXTENDED_SECONDS: i64 = 365 * 24 * 60 * 60;

const DEFAULT_SECONDS: i64 = 60 * 60;
const LEAST_SECONDS: i64 = 10 * 60;
const MOST_SECONDS: i64 = 1 << 32;

/// The settings of issuing.
#[derive(Clone, Debug)]
pub struct IssuingRules {
    /// The claim `iss` of every token.
    pub issuer: String,
    /// Whom tokens are for that name nobody (`--api-audiences`).
    pub api_audiences: Vec<String>,
    /// The longest lifetime in seconds, if it is limited (`--service-account-max-token-expiration`).
    pub max_expiration_seconds: Option<i64>,
    /// Whether tokens that pods get without asking live longer.
    pub extension: Extension,
    /// What happens when a request names another uid than the service account's.
    pub uid_check: UidCheck,
}

/// Whether tokens that pods get without asking live longer than they say, so that programs which do
/// not read them again keep working (`--service-account-extend-token-expiration`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Extension {
    /// They do not.
    Off,
    /// They live so many seconds: [`EXTENDED_SECONDS`], or less if the signer does not sign longer
    /// ones.
    Seconds(i64),
}

/// What happens when a request names another uid than the service account's (upstream's gate
/// `TokenRequestServiceAccountUIDValidation`).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum UidCheck {
    /// It is refused.
    #[default]
    Enforce,
    /// It is warned.
    Warn,
}

impl IssuingRules {
    /// The rules of this issuer with upstream's defaults: the issuer is the audience, no limit, the
    /// usual extension.
    #[must_use]
    pub fn new(issuer: impl Into<String>) -> Self {
        let issuer = issuer.into();
        Self {
            api_audiences: vec![issuer.clone()],
            issuer,
            max_expiration_seconds: None,
            extension: Extension::Seconds(EXTENDED_SECONDS),
            uid_check: UidCheck::Enforce,
        }
    }

    /// What an operator should know of a limit and an extension that contradict each other.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let (Extension::Seconds(extended), Some(max)) =
            (self.extension, self.max_expiration_seconds)
        else {
            return Vec::new();
        };
        let mut warnings = Vec::new();
        if max < WARN_AFTER_SECONDS {
            warnings.push(format!(
                "tokens of pods are never extended, because a maximum of {max} seconds is below \
                 the {WARN_AFTER_SECONDS} seconds that mark them"
            ));
        } else if max < extended {
            warnings.push(format!(
                "extended tokens of pods live {extended} seconds, beyond the maximum of {max} \
                 seconds"
            ));
        }
        warnings
    }
}

/// Issues tokens.
///
/// A request goes through [`TokenIssuer::prepare`], then the server's admission, then
/// [`TokenIssuer::issue`]; the order of all checks is upstream's.
#[derive(Clone, Debug)]
pub struct TokenIssuer {
    rules: IssuingRules,
    objects: Arc<dyn ObjectLookup>,
    signer: Arc<dyn TokenSigner>,
    clock: Arc<dyn Clock>,
}

/// A request whose own text is in order, completed with what it left out.
#[derive(Clone, Debug)]
pub struct PreparedRequest {
    /// The request as admission sees it.
    pub request: TokenRequest,
    service_account_uid: String,
    received: Timestamp,
    warnings: Vec<String>,
    annotations: Vec<(&'static str, String)>,
}

/// A token, and what to tell whom about it.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The answer to the request.
    pub response: TokenRequest,
    /// Warnings for the client.
    pub warnings: Vec<String>,
    /// Audit annotations, key and value.
    pub annotations: Vec<(&'static str, String)>,
}

impl TokenIssuer {
    /// Issues by these rules.
    #[must_use]
    pub fn new(
        rules: IssuingRules,
        objects: Arc<dyn ObjectLookup>,
        signer: Arc<dyn TokenSigner>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            rules,
            objects,
            signer,
            clock,
        }
    }

    /// Checks a request for a token of the service account `namespace`/`name` and fills in defaults.
    ///
    /// # Errors
    ///
    /// One of those whose [`Error::status`] the server answers.
    pub async fn prepare(
        &self,
        namespace: &str,
        name: &str,
        mut request: TokenRequest,
    ) -> Result<PreparedRequest, Error> {
        let requested = std::mem::take(&mut request.metadata);
        if !requested.namespace.is_empty() && requested.namespace != namespace {
            return Err(Error::NamespaceMismatch);
        }
        if !requested.name.is_empty() && requested.name != name {
            return Err(Error::NameMismatch {
                name: name.to_owned(),
                requested: requested.name,
            });
        }
        let object = ObjectRef {
            kind: ObjectKind::ServiceAccount,
            namespace,
            name,
        };
        let found = self.objects.live(object).await;
        let service_account = found.map_err(|problem| Error::ServiceAccountLookup {
            name: name.to_owned(),
            problem,
        })?;

        let (mut warnings, mut annotations) = (Vec::new(), Vec::new());
        let mut uid = service_account.uid.clone();
        if !requested.uid.is_empty() && requested.uid != uid {
            if self.rules.uid_check == UidCheck::Enforce {
                return Err(Error::UidMismatch {
                    name: name.to_owned(),
                    requested: requested.uid,
                    actual: uid,
                });
            }
            let mismatch = uid_mismatch(&requested.uid, &uid);
            warnings.push(format!(
                "{mismatch} but TokenRequestServiceAccountUIDValidation is not enabled. In the \
                 future, this will return a conflict error"
            ));
            annotations.push(("authentication.k8s.io/token-request-uid-mismatch", mismatch));
            uid = requested.uid;
        }

        let received = self.clock.now();
        request.metadata = ObjectMeta {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            uid,
            creation_timestamp: Some(Time::from(received)),
            managed_fields: requested.managed_fields,
            ..ObjectMeta::default()
        };
        request.status = Default::default();
        if request.spec.audiences.is_empty() {
            request.spec.audiences.clone_from(&self.rules.api_audiences);
        }
        let seconds = *request
            .spec
            .expiration_seconds
            .get_or_insert(DEFAULT_SECONDS);
        if seconds < LEAST_SECONDS {
            return Err(Error::ExpirationTooShort(seconds));
        }
        if seconds > MOST_SECONDS {
            return Err(Error::ExpirationTooLong(seconds));
        }
        Ok(PreparedRequest {
            request,
            service_account_uid: service_account.uid,
            received,
            warnings,
            annotations,
        })
    }

    /// Signs the token.
    ///
    /// # Errors
    ///
    /// One of those whose [`Error::status`] the server answers.
    pub async fn issue(&self, prepared: PreparedRequest) -> Result<Issued, Error> {
        let (mut issued, claims) = self.complete(prepared).await?;
        issued.response.status.token = self.signer.sign(&claims.to_json()).await?;
        let credential = format!("JTI={}", claims.jti);
        issued.annotations.push((
            "authentication.kubernetes.io/issued-credential-id",
            credential,
        ));
        Ok(issued)
    }

    /// Does everything but signing; the response has no token. (kube-apiserver issues a real token
    /// here, to whoever asks only to try.)
    ///
    /// # Errors
    ///
    /// Those of [`TokenIssuer::issue`] but for signing.
    pub async fn dry_run(&self, prepared: PreparedRequest) -> Result<Issued, Error> {
        self.complete(prepared).await.map(|(issued, _)| issued)
    }

    async fn complete(&self, prepared: PreparedRequest) -> Result<(Issued, Claims), Error> {
        let PreparedRequest {
            mut request,
            service_account_uid,
            received,
            mut warnings,
            annotations,
        } = prepared;
        let reference = request.spec.bound_object_ref.as_ref();
        let bound = self.resolve(&request.metadata, reference).await?;

        let mut seconds = request.spec.expiration_seconds.unwrap_or(DEFAULT_SECONDS);
        if let Some(max) = self
            .rules
            .max_expiration_seconds
            .filter(|max| seconds > *max)
        {
            let text =
                format!("requested expiration of {seconds} seconds shortened to {max} seconds");
            warnings.push(text);
            seconds = max;
        }
        request.spec.expiration_seconds = Some(seconds);
        let expires = received.saturating_add(SignedDuration::from_secs(seconds));
        let expires = expires.unwrap_or(Timestamp::MAX);
        request.status.expiration_timestamp = Some(Time::from(expires));

        let claims = self.claims(Contents {
            namespace: &request.metadata.namespace,
            service_account: ObjectClaim::new(&request.metadata.name, service_account_uid),
            audiences: &request.spec.audiences,
            seconds,
            bound,
            now: self.clock.now(),
            id: uuid::Uuid::new_v4().to_string(),
        });
        Ok((
            Issued {
                response: request,
                warnings,
                annotations,
            },
            claims,
        ))
    }

    /// Finds the object that the token is to be bound to.
    async fn resolve(
        &self,
        metadata: &ObjectMeta,
        reference: Option<&BoundObjectReference>,
    ) -> Result<Bound, Error> {
        let Some(reference) = reference else {
            return Ok(Bound::default());
        };
        let kind = kind_of(reference)?;
        let name = reference.name.as_str();
        let namespace = if kind == ObjectKind::Node {
            ""
        } else {
            metadata.namespace.as_str()
        };
        let found = self
            .objects
            .live(ObjectRef {
                kind,
                namespace,
                name,
            })
            .await;
        let facts = found.map_err(|problem| Error::BoundObjectLookup {
            kind,
            name: name.to_owned(),
            problem,
        })?;
        if kind == ObjectKind::Pod && facts.service_account_name != metadata.name {
            return Err(Error::BoundPodForeign {
                service_account: metadata.name.clone(),
            });
        }
        if !reference.uid.is_empty() && reference.uid != facts.uid {
            return Err(Error::BoundObjectReplaced {
                kind: reference.kind.clone(),
                name: name.to_owned(),
                uid: reference.uid.clone(),
            });
        }
        let claim = Some(ObjectClaim::new(name, &facts.uid));
        Ok(match kind {
            ObjectKind::Node => Bound {
                node: claim,
                ..Bound::default()
            },
            ObjectKind::Secret => Bound {
                secret: claim,
                ..Bound::default()
            },
            _ => Bound {
                node: self.node_of(&facts).await?,
                pod: claim,
                ..Bound::default()
            },
        })
    }

    /// The node of a pod; by name only when the node itself is not there.
    async fn node_of(&self, pod: &ObjectFacts) -> Result<Option<ObjectClaim>, Error> {
        let name = pod.node_name.as_str();
        if name.is_empty() {
            return Ok(None);
        }
        let object = ObjectRef {
            kind: ObjectKind::Node,
            namespace: "",
            name,
        };
        match find(&*self.objects, object).await {
            Ok(node) => Ok(Some(ObjectClaim::new(name, node.uid))),
            Err(LookupError::NotFound) => Ok(Some(ObjectClaim::new(name, ""))),
            Err(LookupError::Failed(problem)) => Err(Error::NodeLookup(problem)),
        }
    }

    fn claims(&self, contents: Contents<'_>) -> Claims {
        let Contents {
            namespace,
            service_account,
            audiences,
            seconds,
            bound,
            now,
            id,
        } = contents;
        let issued = Time::from(now).timestamp().as_second();
        let (lifetime, warnafter) = match self.rules.extension {
            Extension::Seconds(extended)
                if seconds == WARN_AFTER_SECONDS
                    && bound.pod.is_some()
                    && audiences
                        .iter()
                        .all(|one| self.rules.api_audiences.contains(one)) =>
            {
                (extended, Some(issued.saturating_add(WARN_AFTER_SECONDS)))
            }
            _ => (seconds, None),
        };
        Claims {
            aud: audiences.to_vec(),
            exp: Some(issued.saturating_add(lifetime)),
            iat: Some(issued),
            iss: self.rules.issuer.clone(),
            jti: id,
            nbf: Some(issued),
            sub: Claims::subject(namespace, &service_account.name),
            kubernetes: KubernetesClaims {
                namespace: namespace.to_owned(),
                node: bound.node,
                pod: bound.pod,
                secret: bound.secret,
                service_account,
                warnafter,
            },
        }
    }
}

/// The objects that a token names.
#[derive(Debug, Default)]
struct Bound {
    node: Option<ObjectClaim>,
    pod: Option<ObjectClaim>,
    secret: Option<ObjectClaim>,
}

/// What goes into the claims of one token.
struct Contents<'a> {
    namespace: &'a str,
    service_account: ObjectClaim,
    audiences: &'a [String],
    seconds: i64,
    bound: Bound,
    now: Timestamp,
    id: String,
}

/// The kind that a reference means. Its version does not matter, its group does.
fn kind_of(reference: &BoundObjectReference) -> Result<ObjectKind, Error> {
    let (group, version) = match reference.api_version.split_once('/') {
        None => ("", reference.api_version.as_str()),
        // More than one slash makes no group and no version (apimachinery's ParseGroupVersion).
        Some((_, version)) if version.contains('/') => ("", ""),
        Some(both) => both,
    };
    match (group, reference.kind.as_str()) {
        ("", "Node") => Ok(ObjectKind::Node),
        ("", "Pod") => Ok(ObjectKind::Pod),
        ("", "Secret") => Ok(ObjectKind::Secret),
        (_, kind) => Err(Error::BoundObjectUnsupported {
            api_version: format!("{group}/{version}"),
            kind: kind.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests;

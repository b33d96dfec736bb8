//! The rules for accepting a token.

mod examine;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use burgee_identity::{Clock, Reason, Rejection, UserInfo, names};
use burgee_jose::{Error as JoseError, Jws, VerificationKeys};
use burgee_wire::quoted;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::lookup::find_uid;
use crate::{
    Claims, KeySource, LookupError, ObjectClaim, ObjectFacts, ObjectKind, ObjectLookup, ObjectRef,
    TokenUse,
};

/// How far clocks may be apart, and how long after its deletion an object still counts.
const LEEWAY: SignedDuration = SignedDuration::from_secs(60);

const INVALIDATED: &str = "service account token has been invalidated";

/// Judges tokens of service accounts.
pub struct TokenValidator {
    issuers: Vec<String>,
    api_audiences: Vec<String>,
    keys: Arc<dyn KeySource>,
    objects: Arc<dyn ObjectLookup>,
    clock: Arc<dyn Clock>,
}

/// A token that is good.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ValidToken {
    /// Whose it is; the group `system:authenticated` is left to the caller.
    pub user: UserInfo,
    /// The requested audiences that it is for.
    pub audiences: Vec<String>,
    /// The last instant at which it is accepted, if it ends at all.
    pub good_until: Option<Timestamp>,
    /// What to count, if anything.
    pub uses: Vec<TokenUse>,
    /// Audit annotations, key and value.
    pub annotations: Vec<(&'static str, String)>,
}

/// A token that is not good, or none of a service account.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum NotValid {
    /// It is someone else's: another authenticator may know it.
    Foreign(Reason),
    /// It says that it is of an issuer of ours, and it is wrong.
    Rejected(Rejection),
}

impl From<Rejection> for NotValid {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl TokenValidator {
    /// Accepts tokens of these issuers. `api_audiences` are those of the server itself.
    #[must_use]
    pub fn new(
        issuers: Vec<String>,
        api_audiences: Vec<String>,
        keys: Arc<dyn KeySource>,
        objects: Arc<dyn ObjectLookup>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            issuers,
            api_audiences,
            keys,
            objects,
            clock,
        }
    }

    /// Judges a token. `requested` are the audiences of which it must be for one; none means those of
    /// the server.
    ///
    /// Signature before audience, audience before time, time before objects. It waits only when keys
    /// or objects have to be asked for.
    ///
    /// # Errors
    ///
    /// Why it is not good.
    pub async fn validate(
        &self,
        token: &str,
        requested: &[String],
    ) -> Result<ValidToken, NotValid> {
        let claims = self.verify(token).await?;
        let mut valid = ValidToken {
            user: UserInfo::default(),
            audiences: Vec::new(),
            good_until: claims.exp.map(|seconds| later(instant(seconds), LEEWAY)),
            uses: Vec::new(),
            annotations: Vec::new(),
        };
        if claims.aud.is_empty() {
            valid
                .annotations
                .push(("authentication.k8s.io/legacy-token", claims.sub.clone()));
            valid.uses.push(TokenUse::WithoutAudience);
        }
        valid.audiences = self.check_audiences(&claims, requested)?;
        let now = self.clock.now();
        check_times(&claims, now)?;
        self.check_objects(&claims, now).await?;
        check_freshness(&claims, now, &mut valid);
        valid.user = user(claims);
        Ok(valid)
    }

    /// The claims of a token of ours, once its signature is verified.
    async fn verify(&self, token: &str) -> Result<Claims, NotValid> {
        let foreign = |_| NotValid::Foreign(Reason::TokenMalformed);
        let jws = Jws::parse(token).map_err(foreign)?;
        let issuer = unverified_issuer(jws.unverified_payload())
            .ok_or(NotValid::Foreign(Reason::TokenMalformed))?;
        if !self.issuers.iter().any(|known| *known == issuer) {
            return Err(NotValid::Foreign(Reason::TokenIssuerForeign));
        }
        let keys = self.keys_for(&jws).await;
        let verified = keys.verify(&jws).map_err(|error| match error {
            JoseError::UnknownKey => {
                Rejection::new(Reason::TokenKeyUnknown, "invalid signature, no keys found")
            }
            _ => Rejection::new(
                Reason::TokenSignatureInvalid,
                "go-jose/go-jose: error in cryptographic primitive",
            ),
        })?;
        let claims = Claims::from_json(verified.payload).map_err(|_| {
            Rejection::new(
                Reason::TokenClaimsInvalid,
                "token claims are not acceptable",
            )
        })?;
        if !self.issuers.contains(&claims.iss) {
            let message = format!("token issuer {} is invalid", quoted(&claims.iss));
            return Err(Rejection::new(Reason::TokenClaimsInvalid, message).into());
        }
        Ok(claims)
    }

    /// All keys, after having asked for the one that the token names if it is not known.
    async fn keys_for(&self, jws: &Jws<'_>) -> Arc<VerificationKeys> {
        let keys = self.keys.keys();
        if let Some(key_id) = jws.header().key_id().filter(|id| !id.is_empty())
            && !keys.contains(key_id)
            && let Some(refresh) = self.keys.refresh(key_id)
        {
            refresh.await;
            return self.keys.keys();
        }
        keys
    }

    /// Those of the requested audiences that the token is for.
    fn check_audiences(
        &self,
        claims: &Claims,
        requested: &[String],
    ) -> Result<Vec<String>, Rejection> {
        let own = self.api_audiences.as_slice();
        let requested = if requested.is_empty() { own } else { requested };
        let intended = if claims.aud.is_empty() {
            own
        } else {
            &claims.aud
        };
        let matching: Vec<String> = requested
            .iter()
            .filter(|audience| intended.contains(audience))
            .cloned()
            .collect();
        if matching.is_empty() && !own.is_empty() {
            let message = format!(
                "token audiences {} is invalid for the target audiences {}",
                list(intended),
                list(requested)
            );
            return Err(Rejection::new(Reason::TokenAudienceMismatch, message));
        }
        Ok(matching)
    }

    async fn check_objects(&self, claims: &Claims, now: Timestamp) -> Result<(), Rejection> {
        self.check_account(claims, now).await?;
        let namespace = claims.kubernetes.namespace.as_str();
        for (kind, claim) in bound_objects(claims) {
            self.check_bound(kind, namespace, claim, now).await?;
        }
        Ok(())
    }

    async fn check_account(&self, claims: &Claims, now: Timestamp) -> Result<(), Rejection> {
        let kubernetes = &claims.kubernetes;
        let namespace = kubernetes.namespace.as_str();
        let own = &kubernetes.service_account;
        let object = ObjectRef {
            kind: ObjectKind::ServiceAccount,
            namespace,
            name: &own.name,
        };
        let live =
            find_uid(&*self.objects, object, &own.uid)
                .await
                .map_err(|error| match error {
                    LookupError::NotFound => Rejection::new(
                        Reason::ServiceAccountGone,
                        LookupError::NotFound.status(object).message,
                    ),
                    LookupError::Failed(problem) => {
                        Rejection::new(Reason::BoundObjectLookupFailed, problem)
                    }
                })?;
        if live.uid != own.uid {
            let message = format!(
                "service account UID ({}) does not match claim ({})",
                live.uid, own.uid
            );
            return Err(Rejection::new(Reason::ServiceAccountReplaced, message));
        }
        if is_deleted(&live, now) {
            let message = format!("service account {namespace}/{} has been deleted", own.name);
            return Err(Rejection::new(Reason::ServiceAccountGone, message));
        }
        Ok(())
    }

    async fn check_bound(
        &self,
        kind: ObjectKind,
        namespace: &str,
        claim: &ObjectClaim,
        now: Timestamp,
    ) -> Result<(), Rejection> {
        let object = ObjectRef {
            kind,
            namespace: if kind == ObjectKind::Node {
                ""
            } else {
                namespace
            },
            name: &claim.name,
        };
        let live = find_uid(&*self.objects, object, &claim.uid)
            .await
            .map_err(|error| {
                let reason = match error {
                    LookupError::NotFound => Reason::BoundObjectGone,
                    LookupError::Failed(_) => Reason::BoundObjectLookupFailed,
                };
                Rejection::new(reason, INVALIDATED)
            })?;
        if live.uid != claim.uid {
            let spelled = spelled(kind);
            let message = format!(
                "{spelled} UID ({}) does not match service account {spelled} ref claim ({})",
                live.uid, claim.uid
            );
            return Err(Rejection::new(Reason::BoundObjectReplaced, message));
        }
        if is_deleted(&live, now) {
            return Err(Rejection::new(Reason::BoundObjectGone, INVALIDATED));
        }
        Ok(())
    }
}

impl fmt::Debug for TokenValidator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenValidator")
            .field("issuers", &self.issuers)
            .field("api_audiences", &self.api_audiences)
            .finish_non_exhaustive()
    }
}

/// Whose token the payload says it is; nothing if it is no JSON object or `iss` is no text.
fn unverified_issuer(payload: &[u8]) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Issuer<'a> {
        #[serde(borrow, default)]
        iss: Cow<'a, str>,
    }
    // An array would be read as a struct too.
    let is_object = payload.trim_ascii_start().first() == Some(&b'{');
    let issuer = is_object.then(|| serde_json::from_slice::<Issuer<'_>>(payload).ok())?;
    issuer.map(|issuer| issuer.iss)
}

/// `nbf`, `exp` and `iat`, in the order in which they decide.
fn check_times(claims: &Claims, now: Timestamp) -> Result<(), Rejection> {
    check_begin(claims, now)?;
    check_end(claims, now)?;
    check_issuance(claims, now)
}

fn check_begin(claims: &Claims, now: Timestamp) -> Result<(), Rejection> {
    match claims.nbf {
        Some(nbf) if later(now, LEEWAY) < instant(nbf) => Err(Rejection::new(
            Reason::TokenNotYetValid,
            "service account token is not valid yet",
        )),
        _ => Ok(()),
    }
}

fn check_end(claims: &Claims, now: Timestamp) -> Result<(), Rejection> {
    match claims.exp {
        Some(exp) if later(now, -LEEWAY) > instant(exp) => Err(Rejection::new(
            Reason::TokenExpired,
            "service account token has expired",
        )),
        _ => Ok(()),
    }
}

fn check_issuance(claims: &Claims, now: Timestamp) -> Result<(), Rejection> {
    match claims.iat {
        Some(iat) if later(now, LEEWAY) < instant(iat) => Err(Rejection::new(
            Reason::TokenIssuedInFuture,
            "service account token is issued in the future",
        )),
        _ => Ok(()),
    }
}

/// Notes whether the holder of an extended token should have had a newer one.
fn check_freshness(claims: &Claims, now: Timestamp, valid: &mut ValidToken) {
    let Some(threshold) = claims.kubernetes.warnafter.filter(|seconds| *seconds != 0) else {
        return;
    };
    let threshold = instant(threshold);
    if now <= threshold {
        valid.uses.push(TokenUse::Valid);
        return;
    }
    let late = now.duration_since(threshold).as_secs();
    let text = format!(
        "subject: {}, seconds after warning threshold: {late}",
        claims.sub
    );
    valid
        .annotations
        .push(("authentication.k8s.io/stale-token", text));
    valid.uses.push(TokenUse::Stale);
}

/// What a token is bound to besides its account, in the order in which it is looked up.
fn bound_objects(claims: &Claims) -> impl Iterator<Item = (ObjectKind, &ObjectClaim)> {
    let kubernetes = &claims.kubernetes;
    let secret = kubernetes.secret.as_ref();
    let pod = kubernetes.pod.as_ref();
    // The node of a pod is only copied: a pod may outlive the object of its node.
    let node = kubernetes.node.as_ref().filter(|_| pod.is_none());
    let secret = secret.map(|claim| (ObjectKind::Secret, claim));
    let pod = pod.map(|claim| (ObjectKind::Pod, claim));
    let node = node.map(|claim| (ObjectKind::Node, claim));
    secret.into_iter().chain(pod).chain(node)
}

fn spelled(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Node => "node",
        ObjectKind::Pod => "pod",
        ObjectKind::Secret => "secret",
        ObjectKind::ServiceAccount => "service account",
    }
}

/// Whether an object's deletion is more than the leeway ago.
fn is_deleted(object: &ObjectFacts, now: Timestamp) -> bool {
    object
        .deletion_timestamp
        .is_some_and(|deletion| deletion < later(now, -LEEWAY))
}

/// The user that a token stands for.
fn user(claims: Claims) -> UserInfo {
    let kubernetes = claims.kubernetes;
    let namespace = kubernetes.namespace;
    let account = kubernetes.service_account;
    let groups = [
        names::SERVICE_ACCOUNTS.to_owned(),
        format!("{}:{namespace}", names::SERVICE_ACCOUNTS),
    ];
    let mut user = UserInfo::named(Claims::subject(&namespace, &account.name)).with_groups(groups);
    user.uid = account.uid;
    let mut add = |key: &str, value: String| {
        user.extra
            .insert(format!("authentication.kubernetes.io/{key}"), vec![value]);
    };
    if !claims.jti.is_empty() {
        add("credential-id", format!("JTI={}", claims.jti));
    }
    if let Some(pod) = kubernetes
        .pod
        .filter(|pod| !pod.name.is_empty() && !pod.uid.is_empty())
    {
        add("pod-name", pod.name);
        add("pod-uid", pod.uid);
    }
    if let Some(node) = kubernetes.node.filter(|node| !node.name.is_empty()) {
        add("node-name", node.name);
        if !node.uid.is_empty() {
            add("node-uid", node.uid);
        }
    }
    user
}

/// An instant in seconds since 1970; what is beyond all time stands at its ends.
fn instant(seconds: i64) -> Timestamp {
    let beyond = if seconds < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    Timestamp::from_second(seconds).unwrap_or(beyond)
}

fn later(instant: Timestamp, by: SignedDuration) -> Timestamp {
    let beyond = if by.is_negative() {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    instant.saturating_add(by).unwrap_or(beyond)
}

/// A list as Go's `%q` prints it.
fn list(items: &[String]) -> String {
    let quoted: Vec<String> = items.iter().map(|item| quoted(item)).collect();
    format!("[{}]", quoted.join(" "))
}

#[cfg(test)]
mod tests;

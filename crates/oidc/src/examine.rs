//! Every check on a token, each by itself.

use std::sync::Arc;

use burgee_authn::Decision;
use burgee_cel::Variables;
use burgee_identity::{Check, Rejection, Secret};
use burgee_jose::{Jws, KeyId};
use burgee_wire::quoted;

use crate::authenticator::{IssuerTokens, not_ready};
use crate::key_set::{Attempt, KeySet, NotVerified};
use crate::verifier::{self, go_time, list, seconds};
use crate::{Claims, mapping};

/// How many of a provider's keys are listed.
const MAX_SHOWN: usize = 8;

impl IssuerTokens {
    /// Every check that a token has to pass, in the order in which they decide. Neither the token nor its
    /// signature is shown; values of claims only where they become part of the user.
    pub(crate) fn examine(self: Arc<Self>, token: &str, payload: Vec<u8>) -> Decision<Vec<Check>> {
        let token = Secret::from(token.to_owned());
        Decision::from_future(async move {
            let keys = self.provider.keys();
            if let Some(keys) = &keys {
                keys.prefetch().await;
            }
            self.checks(token.expose(), &payload, keys.as_deref())
        })
    }

    fn checks(&self, token: &str, payload: &[u8], keys: Option<&KeySet>) -> Vec<Check> {
        let mut checks = vec![Check::passed("issuer", self.expectations.issuer.clone())];
        checks.push(match keys {
            Some(_) => Check::passed("provider", ""),
            None => {
                let why = self.provider.health().err().unwrap_or_default();
                Check::failed("provider", not_ready().reason, why)
            }
        });
        let claims = match Claims::from_json(payload) {
            Ok(claims) => claims,
            Err(rejection) => {
                checks.push(failed("claims", rejection));
                return checks;
            }
        };
        let now = self.surroundings.clock.now();
        checks.push(Check::passed("claims", ""));
        checks.push(match self.expectations.audience(&claims) {
            Ok(()) => Check::passed("audience", texts(&claims.audience)),
            Err(rejection) => failed("audience", rejection),
        });
        checks.push(match verifier::expiry(&claims, now) {
            Ok(expiry) => Check::passed("expiry", go_time(seconds(expiry)).to_string()),
            Err(rejection) => failed("expiry", rejection),
        });
        checks.push(match verifier::not_before(&claims, now) {
            Ok(Some(begin)) => Check::passed("not-before", go_time(seconds(begin)).to_string()),
            Ok(None) => Check::passed("not-before", "the token does not say when it begins"),
            Err(rejection) => failed("not-before", rejection),
        });
        self.check_signature(token, keys, &mut checks);
        self.check_user(&claims, &mut checks);
        checks
    }

    fn check_signature(&self, token: &str, keys: Option<&KeySet>, checks: &mut Vec<Check>) {
        let jws = match verifier::parse(token) {
            Ok(jws) => jws,
            Err(rejection) => {
                checks.push(failed("signature", rejection));
                return;
            }
        };
        checks.push(match self.expectations.algorithm(&jws) {
            Ok(algorithm) => Check::passed("algorithm", algorithm.as_str()),
            Err(rejection) => failed("algorithm", rejection),
        });
        let Some(keys) = keys else {
            checks.push(Check::skipped("key", "the provider was not found yet"));
            checks.push(Check::skipped("signature", "there are no keys"));
            return;
        };
        let Some(known) = keys.keys() else {
            let failure = keys.verify(&jws, Attempt::WithoutWaiting).err();
            let rejection = verifier::signature(failure.unwrap_or(NotVerified::KeyUnknown));
            checks.push(failed("key", rejection));
            checks.push(Check::skipped("signature", "there are no keys"));
            return;
        };
        checks.push(match jws.header().key_id() {
            None => Check::passed("key", "the token names none: any may verify it"),
            Some(id) if known.contains(id) => Check::passed("key", quoted(id)),
            Some(id) => {
                let ids = known.iter().filter_map(|key| key.key_id.as_ref());
                let ids = list(ids.map(KeyId::as_str).take(MAX_SHOWN));
                let detail = format!("the provider has no key {}, but {ids}", quoted(id));
                failed(
                    "key",
                    Rejection::new(verifier::signature(NotVerified::KeyUnknown).reason, detail),
                )
            }
        });
        checks.push(match known.verify(&jws) {
            Ok(verified) => {
                let id = verified.key.key_id.as_ref();
                let id = id.map_or("a key without id".to_owned(), |id| quoted(id.as_str()));
                Check::passed("signature", format!("verified by {id}"))
            }
            Err(_) => {
                let by_another = other_key(&jws, known.iter().map(|key| &key.key));
                let mut rejection = verifier::signature(NotVerified::SignatureInvalid);
                if by_another {
                    rejection.message = "another key of the provider verifies it".into();
                }
                failed("signature", rejection)
            }
        });
    }

    fn check_user(&self, claims: &Claims, checks: &mut Vec<Check>) {
        let configured = &self.configured;
        if !self.is_complete(claims) {
            let detail = "distributed claims are fetched only when the token is used";
            checks.push(Check::skipped("distributed-claims", detail));
        }
        let variables = configured.variables(claims);
        checks.push(match configured.username(claims, &variables) {
            Ok(name) => Check::passed("username", quoted(&name)),
            Err(rejection) => failed("username", rejection),
        });
        checks.push(match configured.groups(claims, &variables) {
            Ok(groups) => Check::passed("groups", texts(&groups)),
            Err(rejection) => failed("groups", rejection),
        });
        checks.push(match configured.uid(claims, &variables) {
            Ok(uid) => Check::passed("uid", quoted(&uid)),
            Err(rejection) => failed("uid", rejection),
        });
        if let Some(id) = mapping::credential_id(claims) {
            checks.push(Check::passed("credential-id", quoted(id)));
        }
        for extra in &configured.claim_mappings.extra {
            checks.push(match extra.values(&variables) {
                Ok(values) => Check::passed("extra", format!("{}: {}", extra.key, texts(&values))),
                Err(rejection) => failed("extra", rejection),
            });
        }
        for required in &configured.required_claims {
            checks.push(match required.check(claims) {
                Ok(()) => Check::passed("required-claim", required.claim.clone()),
                Err(rejection) => failed("required-claim", rejection),
            });
        }
        for rule in &configured.claim_validation_rules {
            checks.push(match rule.check_claims(&variables) {
                Ok(()) => Check::passed("claim-rule", rule.expression.text().to_owned()),
                Err(rejection) => failed("claim-rule", rejection),
            });
        }
        let user = configured.mapped(claims, &variables);
        let user = user.as_ref().map(Variables::user);
        for rule in &configured.user_validation_rules {
            checks.push(match user.as_ref().map(|user| rule.check_user(user)) {
                Ok(Ok(())) => Check::passed("user-rule", rule.expression.text().to_owned()),
                Ok(Err(rejection)) => failed("user-rule", rejection),
                Err(_) => Check::skipped("user-rule", "the claims make no user"),
            });
        }
    }
}

/// Texts out of a token that nobody vouches for.
fn texts(items: &[String]) -> String {
    list(items.iter().map(String::as_str))
}

fn failed(name: &'static str, rejection: Rejection) -> Check {
    Check::failed(name, rejection.reason, rejection.message)
}

/// Whether the token names the wrong one of its issuer's keys.
fn other_key<'a>(
    jws: &Jws<'_>,
    mut keys: impl Iterator<Item = &'a burgee_jose::PublicKey>,
) -> bool {
    keys.any(|key| key.verify(jws).is_ok())
}

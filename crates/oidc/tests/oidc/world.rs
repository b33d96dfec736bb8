//! One provider, one key, one authenticator, and a clock.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use burgee_authn::{Audiences, Decision, TokenAuthenticator as _, Verdict};
use burgee_cel::{Expects, Expression, Scope};
use burgee_identity::{Outcome, Reason, SettableClock, UserInfo};
use burgee_jose::{Algorithm, PrivateKey, Signer as _, SigningKey};
use burgee_oidc::{
    ClaimMappings, Issuer, JwtAuthenticator, JwtAuthenticators, Metrics, PrefixedMapping,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::provider::{Answer, KEYS, Provider};

/// When tests take place: 2026-01-01T00:00:00Z.
pub(crate) const NOW: i64 = 1_767_225_600;

pub(crate) struct World {
    pub(crate) provider: Provider,
    pub(crate) clock: Arc<SettableClock>,
    pub(crate) metrics: Arc<Recorder>,
    pub(crate) jwt: JwtAuthenticators,
    pub(crate) key: SigningKey,
}

/// Remembers what was counted.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    pub(crate) judged: Mutex<Vec<(String, bool)>>,
    pub(crate) fetched: Mutex<Vec<bool>>,
    pub(crate) in_use: Mutex<Vec<String>>,
    pub(crate) removed: Mutex<Vec<String>>,
}

impl Metrics for Recorder {
    fn judged(&self, issuer_hash: &str, success: bool, _duration: Duration) {
        let entry = (issuer_hash.to_owned(), success);
        self.judged.lock().unwrap().push(entry);
    }

    fn key_set_fetched(&self, _issuer_hash: &str, success: bool, _at: Timestamp) {
        self.fetched.lock().unwrap().push(success);
    }

    fn key_set_in_use(&self, _issuer_hash: &str, key_set_hash: &str) {
        self.in_use.lock().unwrap().push(key_set_hash.to_owned());
    }

    fn issuers_removed(&self, issuer_hashes: &[String]) {
        self.removed
            .lock()
            .unwrap()
            .extend_from_slice(issuer_hashes);
    }
}

impl World {
    /// A provider that was found and publishes one key, and an authenticator that takes the user's name
    /// from `sub`.
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// The same with a changed configuration.
    pub(crate) async fn with(change: impl FnOnce(&mut JwtAuthenticator)) -> Self {
        let world = Self::start(Provider::start().await, change);
        assert!(world.jwt.wait_until_healthy(DEADLINE).await);
        world
    }

    /// The same with a provider that may not be there.
    pub(crate) fn start(provider: Provider, change: impl FnOnce(&mut JwtAuthenticator)) -> Self {
        let key = key();
        let public = key.private_key().public_key();
        provider.answer(KEYS, Answer::keys(&[public]));
        let mut configured = configured(&provider);
        change(&mut configured);
        let clock = SettableClock::at(Timestamp::from_second(NOW).unwrap());
        let (clock, metrics) = (Arc::new(clock), Arc::new(Recorder::default()));
        let jwt = JwtAuthenticators::start(
            [configured],
            Arc::clone(&clock) as _,
            Arc::clone(&metrics) as _,
        );
        Self {
            provider,
            clock,
            metrics,
            jwt: jwt.unwrap(),
            key,
        }
    }

    /// A token with these claims besides or instead of the usual ones; null takes one out.
    pub(crate) fn token(&self, changes: Value) -> String {
        self.signed(&self.key, changes)
    }

    /// The same, signed by another key.
    pub(crate) fn signed(&self, key: &SigningKey, changes: Value) -> String {
        key.sign(self.claims(changes).to_string().as_bytes())
            .unwrap()
    }

    pub(crate) fn claims(&self, changes: Value) -> Value {
        let mut claims = json!({
            "iss": self.provider.url(),
            "aud": "kubernetes",
            "sub": "jane",
            "exp": NOW + 3600,
        });
        for (name, value) in changes.as_object().unwrap() {
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                claims[name] = value.clone();
            }
        }
        claims
    }

    pub(crate) fn decide(&self, token: &str) -> Decision {
        self.jwt.authenticate(token, &Audiences::ANY)
    }

    pub(crate) async fn judge(&self, token: &str) -> Verdict {
        self.decide(token).resolve().await
    }

    /// The user of a token that is good.
    pub(crate) async fn user(&self, token: &str) -> UserInfo {
        match self.judge(token).await.outcome {
            Outcome::Authenticated(good) => (*good.user).clone(),
            other => panic!("{other:?}"),
        }
    }

    /// Why a token is not.
    pub(crate) async fn refusal(&self, token: &str) -> (Reason, String) {
        match self.judge(token).await.outcome {
            Outcome::Rejected(rejection) => (rejection.reason, rejection.message.into_owned()),
            other => panic!("{other:?}"),
        }
    }

    /// How often the keys were asked for.
    pub(crate) fn fetches(&self) -> usize {
        self.provider.requests(KEYS)
    }

    pub(crate) fn publish(&self, keys: &[&SigningKey]) {
        let keys: Vec<_> = keys
            .iter()
            .map(|key| key.private_key().public_key())
            .collect();
        self.provider.answer(KEYS, Answer::keys(&keys));
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

/// How long anything may take: far longer than it does.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Looks until a condition holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < DEADLINE, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) fn key() -> SigningKey {
    SigningKey::new(PrivateKey::generate(Algorithm::Es256).unwrap())
}

/// Every algorithm, one audience, the name from `sub`.
pub(crate) fn configured(provider: &Provider) -> JwtAuthenticator {
    JwtAuthenticator {
        issuer: Issuer {
            url: provider.url(),
            discovery_url: None,
            certificate_authority: Some(provider.authority().to_owned()),
            audiences: vec!["kubernetes".to_owned()],
        },
        signing_algorithms: Algorithm::ALL.to_vec(),
        claim_mappings: ClaimMappings {
            username: claim("sub", ""),
            groups: None,
            uid: None,
            extra: Vec::new(),
        },
        required_claims: Vec::new(),
        claim_validation_rules: Vec::new(),
        user_validation_rules: Vec::new(),
    }
}

pub(crate) fn claim(name: &str, prefix: &str) -> PrefixedMapping {
    PrefixedMapping::Claim {
        claim: name.to_owned(),
        prefix: prefix.to_owned(),
    }
}

/// An expression on claims.
pub(crate) fn expression(text: &str) -> Expression {
    Expression::compile(text, Scope::Claims, Expects::Any).unwrap()
}

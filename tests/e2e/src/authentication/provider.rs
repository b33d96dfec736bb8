//! The OpenID provider of `scripts/oidc_provider.mjs`.

use std::cell::RefCell;
use std::path::Path;

use burgee_testkit::{Authority, Conversation, Script, repository};
use serde_json::{Value, json};

use super::Files;

/// Clients of the provider, by the algorithm that signs their tokens.
pub(super) const RS256: &str = "kubernetes";
pub(super) const ES256: &str = "kubernetes-es256";
pub(super) const PS256: &str = "kubernetes-ps256";

/// The access token that its endpoint for distributed claims wants to see.
pub(super) const DISTRIBUTED: &str = "access-token-for-claims";

/// A running provider.
pub(super) struct Provider {
    authority: Authority,
    issuer: String,
    // Told and heard in turns, which only one thread at a time may do.
    conversation: RefCell<Conversation>,
    // Both hold files that the process may still read.
    _script: Script,
    _files: Files,
}

impl Provider {
    pub(super) fn start() -> Self {
        let authority = Authority::new("provider");
        let identity = authority.server();
        let files = Files::new();
        files.replace("certificate", &identity.certificate);
        files.replace("key", &identity.key);
        files.replace("authority", authority.pem());
        let script = repository().join("tests/e2e/scripts/oidc_provider.mjs");
        let script = Script::new(&script, Path::new("/dev/null"));
        let arguments = ["certificate", "key", "authority"].map(|name| files.path(name));
        let conversation = script.start(&arguments.each_ref().map(|path| path.to_str().unwrap()));
        let ready: Value = serde_json::from_str(&conversation.hear()).unwrap();
        Self {
            authority,
            issuer: ready["issuer"].as_str().unwrap().to_owned(),
            conversation: RefCell::new(conversation),
            _script: script,
            _files: files,
        }
    }

    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// PEM of the authority that its certificate leads up to.
    pub(super) fn authority(&self) -> &str {
        self.authority.pem()
    }

    /// An ID token with these claims of an account, which has a `sub`.
    #[track_caller]
    pub(super) fn id_token(&self, client: &str, account: Value) -> String {
        self.token(json!({"do": "idToken", "client": client, "account": account}))
    }

    /// An ID token that is good for so many seconds.
    #[track_caller]
    pub(super) fn short_id_token(&self, client: &str, account: Value, seconds: u32) -> String {
        self.token(json!({
            "do": "idToken", "client": client, "account": account, "lifetime": seconds,
        }))
    }

    /// A JWT in which these claims stand instead of the provider's; `null` removes one.
    #[track_caller]
    pub(super) fn access_token(&self, client: &str, claims: Value) -> String {
        self.token(json!({"do": "accessToken", "client": client, "claims": claims}))
    }

    /// New keys are published, and do not sign yet.
    pub(super) fn publish_keys(&self) {
        self.tell(json!({"do": "publishKeys"}));
    }

    /// The keys that were published last sign.
    pub(super) fn sign_with_newest(&self) {
        self.tell(json!({"do": "signWithNewest"}));
    }

    /// Only the keys that sign are published.
    pub(super) fn withdraw_keys(&self) {
        self.tell(json!({"do": "withdrawKeys"}));
    }

    /// `well`, `never`, `503`, `garbage`, or `refuse`.
    pub(super) fn answer(&self, how: &str) {
        self.tell(json!({"do": "answer", "how": how}));
    }

    /// What its endpoint for distributed claims answers to the bearer of [`DISTRIBUTED`].
    pub(super) fn distribute(&self, claims: &str) {
        self.tell(json!({"do": "distribute", "claims": claims}));
    }

    /// How often paths that begin so were asked for.
    pub(super) fn count(&self, segment: &str) -> u64 {
        let answer = self.tell(json!({"do": "counts"}));
        answer["counts"][segment].as_u64().unwrap_or_default()
    }

    #[track_caller]
    fn token(&self, command: Value) -> String {
        self.tell(command)["token"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    fn tell(&self, command: Value) -> Value {
        let mut conversation = self.conversation.borrow_mut();
        conversation.say(&command.to_string());
        let answer: Value = serde_json::from_str(&conversation.hear()).unwrap();
        assert_eq!(answer["error"], Value::Null, "{}", answer["error"]);
        answer
    }
}

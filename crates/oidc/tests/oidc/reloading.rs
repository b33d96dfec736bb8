//! A changed file with a real provider in it.

use std::fmt;
use std::sync::{Arc, Mutex};

use burgee_identity::{Clock, SettableClock};
use burgee_oidc::{AuthenticationConfiguration, JwtAuthenticators, NoMetrics, Reloader, Rules};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::provider::Provider;
use crate::world::{NOW, until};

/// What was warned about.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl Visit for Warnings {
    fn record_debug(&mut self, _: &Field, value: &dyn fmt::Debug) {
        self.0.lock().unwrap().push(format!("{value:?}"));
    }
}

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::WARN && metadata.target().starts_with("burgee_oidc::reload")
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// A file with these entries under `jwt`.
fn file(jwt: &[Value]) -> Vec<u8> {
    let file = json!({
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthenticationConfiguration",
        "jwt": jwt,
    });
    file.to_string().into_bytes()
}

#[tokio::test]
async fn a_changed_file_is_warned_about_like_the_first_one() {
    let warnings = Warnings::default();
    let _guard = tracing::subscriber::set_default(warnings.clone());
    let provider = Provider::start().await;
    let now = Timestamp::from_second(NOW).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SettableClock::at(now));
    let (first, rules) = (file(&[]), Rules::default());
    let configuration = AuthenticationConfiguration::load("f", &first, &rules).unwrap();
    let jwt = JwtAuthenticators::start([], Arc::clone(&clock), Arc::new(NoMetrics)).unwrap();
    let jwt = Arc::new(jwt);
    let reloader = Reloader::new("f", &first, &configuration, rules, Arc::clone(&jwt), clock);
    let offers = reloader.offers();
    let stop = CancellationToken::new();
    let running = tokio::spawn(reloader.run(stop.clone()));

    let issuer = |prefix: &str| {
        file(&[json!({
            "issuer": {
                "url": provider.url(),
                "audiences": ["kubernetes"],
                "certificateAuthority": provider.authority(),
            },
            "claimMappings": {"username": {"claim": "sub", "prefix": prefix}},
        })])
    };
    offers.offer(Ok(issuer("idp:")));
    until("the first change", || !jwt.health().is_empty()).await;
    assert!(warnings.0.lock().unwrap().is_empty());
    offers.offer(Ok(issuer("")));
    until("the warning", || !warnings.0.lock().unwrap().is_empty()).await;
    let warned = warnings.0.lock().unwrap().join("\n");
    assert!(
        warned.starts_with("jwt[0].claimMappings.username: user names are taken as"),
        "{warned}"
    );
    stop.cancel();
    running.await.unwrap();
}

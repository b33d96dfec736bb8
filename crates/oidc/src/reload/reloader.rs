//! What puts changed files in force.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use burgee_identity::Clock;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Candidate, Offer, Tracker};
use crate::{AuthenticationConfiguration, JwtAuthenticators, Rules, hash_label};

/// How long the issuers of a changed file may take to be healthy, all of them.
const HEALTH_LIMIT: Duration = Duration::from_secs(60);

/// After this a file whose issuers were not healthy is tried again, if nothing else happens.
const RETRY: Duration = Duration::from_secs(60);

/// Puts a changed `AuthenticationConfiguration` in force while requests go on.
///
/// A new file replaces the old one whole, and only once each of its issuers was found, which may take a
/// minute; until then, and whenever something is wrong with it, the old one stays. What `anonymous` says
/// can not change. Who watches the file hands over each content of it by [`Reloader::offers`], as often
/// as it likes.
///
/// A file that breaks rules is not looked at again until it changes; one that could not be read, or whose
/// issuers were not found, is.
#[derive(Debug)]
pub struct Reloader {
    tracker: Tracker,
    authenticators: Arc<JwtAuthenticators>,
    clock: Arc<dyn Clock>,
    inbox: Arc<Inbox>,
}

/// Takes what is in the file. Copies lead to the same reloader.
#[derive(Clone, Debug)]
pub struct Offers(Arc<Inbox>);

impl Offers {
    /// Hands over what is in the file, or why it cannot be read. Does not wait; of several that the
    /// reloader did not get to see, the last one counts.
    pub fn offer(&self, content: io::Result<Vec<u8>>) {
        self.0.put(content);
    }
}

impl Reloader {
    /// Begins with the file that is in force: its name, content and meaning, under the rules that later
    /// ones have to keep, too. It counts as the configuration in force.
    #[must_use]
    pub fn new(
        file: &str,
        content: &[u8],
        configuration: &AuthenticationConfiguration,
        rules: Rules,
        authenticators: Arc<JwtAuthenticators>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let metrics = authenticators.metrics();
        metrics.configuration_in_force(&hash_label(content));
        Self {
            tracker: Tracker::new(file, content, configuration, rules),
            authenticators,
            clock,
            inbox: Arc::default(),
        }
    }

    /// Where contents of the file go.
    #[must_use]
    pub fn offers(&self) -> Offers {
        Offers(Arc::clone(&self.inbox))
    }

    /// Takes offers until it is told to stop.
    pub async fn run(mut self, stop: CancellationToken) {
        stop.run_until_cancelled(self.take_offers()).await;
    }

    async fn take_offers(&mut self) {
        let inbox = Arc::clone(&self.inbox);
        let mut unhealthy = None;
        loop {
            let content = match unhealthy.take() {
                None => inbox.take().await,
                Some(content) => tokio::time::timeout(RETRY, inbox.take())
                    .await
                    .unwrap_or(Ok(content)),
            };
            match self.tracker.offer(&content) {
                Offer::Known => {}
                Offer::Refused(error) => {
                    tracing::error!(%error, "the changed authentication configuration cannot be used");
                    self.reloaded(false);
                }
                Offer::Candidate(candidate) => {
                    let success = self.try_candidate(candidate, &inbox).await;
                    self.reloaded(success);
                    unhealthy = content.ok().filter(|_| !success);
                }
            }
        }
    }

    /// Puts a candidate in force when it is healthy in time, and nothing newer comes before that.
    async fn try_candidate(&mut self, candidate: Candidate, inbox: &Inbox) -> bool {
        let Candidate {
            configuration,
            hash,
        } = candidate;
        let warnings = crate::warnings(&configuration.jwt);
        let prepared = match self.authenticators.prepare(configuration.jwt) {
            Ok(prepared) => prepared,
            Err(error) => {
                let error = burgee_https::explain(&error);
                tracing::error!(%error, "the changed authentication configuration cannot be used");
                return false;
            }
        };
        tokio::select! {
            biased;
            healthy = prepared.wait_until_healthy(HEALTH_LIMIT) => if !healthy {
                for issuer in prepared.health() {
                    if let Err(error) = issuer.result {
                        tracing::error!(%error, "the changed authentication configuration is not put in force yet");
                    }
                }
                return false;
            },
            () = inbox.differs(&hash) => {
                tracing::info!("the authentication configuration changed again before it was in force");
                return false;
            }
        }
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        self.authenticators.replace(prepared);
        self.authenticators.metrics().configuration_in_force(&hash);
        self.tracker.settle(hash);
        tracing::info!("the changed authentication configuration is in force");
        true
    }

    fn reloaded(&self, success: bool) {
        let metrics = self.authenticators.metrics();
        metrics.configuration_reloaded(success, self.clock.now());
    }
}

/// The last content that was offered and not taken.
#[derive(Debug, Default)]
struct Inbox {
    content: Mutex<Option<io::Result<Vec<u8>>>>,
    arrived: Notify,
}

impl Inbox {
    fn put(&self, content: io::Result<Vec<u8>>) {
        *self.lock() = Some(content);
        self.arrived.notify_one();
    }

    async fn take(&self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(content) = self.lock().take() {
                return content;
            }
            self.arrived.notified().await;
        }
    }

    /// Waits until there is something else than the content of this hash, and leaves it there. The same
    /// content is dropped.
    async fn differs(&self, hash: &str) {
        loop {
            {
                let mut content = self.lock();
                let is_same = |bytes: &Vec<u8>| hash_label(bytes) == hash;
                match &*content {
                    Some(Ok(bytes)) if is_same(bytes) => *content = None,
                    Some(Ok(_)) => return,
                    // What is being tried was read; that it cannot be read now says nothing of it.
                    Some(Err(_)) | None => {}
                }
            }
            self.arrived.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<io::Result<Vec<u8>>>> {
        // What is inside is replaced whole, so that a panic elsewhere cannot have left it half-made.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use burgee_identity::SettableClock;
    use jiff::Timestamp;
    use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
    use tokio::task::JoinHandle;
    use tokio::time::Instant;

    use super::*;
    use crate::Metrics;

    const HEAD: &str =
        "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n";

    #[derive(Debug, PartialEq)]
    enum Event {
        InForce(String),
        Reloaded(bool, Timestamp),
    }

    #[derive(Debug)]
    struct Recorder(UnboundedSender<Event>);

    impl Metrics for Recorder {
        fn configuration_reloaded(&self, success: bool, at: Timestamp) {
            self.0.send(Event::Reloaded(success, at)).unwrap();
        }

        fn configuration_in_force(&self, configuration_hash: &str) {
            let hash = configuration_hash.to_owned();
            self.0.send(Event::InForce(hash)).unwrap();
        }
    }

    struct Running {
        offers: Offers,
        events: UnboundedReceiver<Event>,
        authenticators: Arc<JwtAuthenticators>,
        stop: CancellationToken,
        task: JoinHandle<()>,
    }

    const NOW: &str = "2026-01-01T00:00:00Z";

    fn reloaded(success: bool) -> Event {
        Event::Reloaded(success, NOW.parse().unwrap())
    }

    fn in_force(content: &str) -> Event {
        Event::InForce(hash_label(content.as_bytes()))
    }

    /// A reloader that began with [`HEAD`].
    async fn run() -> Running {
        let (sender, events) = unbounded_channel();
        let clock: Arc<dyn Clock> = Arc::new(SettableClock::at(NOW.parse().unwrap()));
        let metrics = Arc::new(Recorder(sender));
        let authenticators = JwtAuthenticators::start([], Arc::clone(&clock), metrics).unwrap();
        let authenticators = Arc::new(authenticators);
        let rules = Rules::default();
        let content = HEAD.as_bytes();
        let configuration = AuthenticationConfiguration::load("f", content, &rules).unwrap();
        let reloader = Reloader::new(
            "f",
            content,
            &configuration,
            rules,
            Arc::clone(&authenticators),
            clock,
        );
        let stop = CancellationToken::new();
        let mut running = Running {
            offers: reloader.offers(),
            events,
            authenticators,
            stop: stop.clone(),
            task: tokio::spawn(reloader.run(stop)),
        };
        assert_eq!(running.next().await, in_force(HEAD));
        running
    }

    impl Running {
        fn offer(&self, content: &str) {
            self.offers.offer(Ok(content.as_bytes().to_vec()));
        }

        async fn next(&mut self) -> Event {
            self.events.recv().await.unwrap()
        }
    }

    /// A file with an issuer that no one answers for.
    fn unreachable() -> String {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["issuer.example".to_owned()]).unwrap();
        let pem = certificate.self_signed(&key).unwrap().pem();
        let pem = pem.replace("\r\n", "\n").replace('\n', "\n      ");
        format!(
            "{HEAD}jwt:\n- issuer:\n    url: https://127.0.0.1:1\n    audiences: [a]\n    certificateAuthority: |\n      {pem}\n  claimMappings: {{username: {{claim: sub, prefix: ''}}}}\n"
        )
    }

    #[tokio::test(start_paused = true)]
    async fn a_good_file_is_put_in_force_and_counted_once() {
        let mut running = run().await;
        let changed = format!("{HEAD}# changed\n");
        running.offer(&changed);
        assert_eq!(running.next().await, in_force(&changed));
        assert_eq!(running.next().await, reloaded(true));
        running.offer(&changed);
        running.offer(HEAD);
        assert_eq!(running.next().await, in_force(HEAD));
        assert_eq!(running.next().await, reloaded(true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_bad_file_is_counted_once_and_an_unreadable_one_each_time() {
        let mut running = run().await;
        running.offer("jwt: [");
        assert_eq!(running.next().await, reloaded(false));
        running.offer("jwt: [");
        running.offers.offer(Err(io::ErrorKind::NotFound.into()));
        assert_eq!(running.next().await, reloaded(false));
        running.offers.offer(Err(io::ErrorKind::NotFound.into()));
        assert_eq!(running.next().await, reloaded(false));
        // What is in force goes on to be.
        running.offer(HEAD);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let changed = format!("{HEAD}# changed\n");
        running.offer(&changed);
        assert_eq!(running.next().await, in_force(&changed));
    }

    #[tokio::test(start_paused = true)]
    async fn issuers_that_are_not_found_within_a_minute_keep_the_old_file_and_are_tried_again() {
        let mut running = run().await;
        let started = Instant::now();
        running.offer(&unreachable());
        assert_eq!(running.next().await, reloaded(false));
        assert_eq!(started.elapsed().as_secs(), HEALTH_LIMIT.as_secs());
        assert!(running.authenticators.health().is_empty());
        assert_eq!(running.next().await, reloaded(false));
        let retried = HEALTH_LIMIT + RETRY + HEALTH_LIMIT;
        assert_eq!(started.elapsed().as_secs(), retried.as_secs());
        // Without it nothing is tried any more.
        running.offer(HEAD);
        running.offer("jwt: [");
        assert_eq!(running.next().await, reloaded(false));
    }

    #[tokio::test(start_paused = true)]
    async fn a_newer_file_does_not_wait_for_issuers_of_the_one_before() {
        let mut running = run().await;
        let unreachable = unreachable();
        let repaired = format!("{HEAD}# repaired\n");
        running.offer(&unreachable);
        tokio::time::sleep(Duration::from_secs(5)).await;
        running.offer(&unreachable);
        running.offers.offer(Err(io::ErrorKind::NotFound.into()));
        tokio::time::sleep(Duration::from_secs(5)).await;
        let repaired_at = Instant::now();
        running.offer(&repaired);
        assert_eq!(running.next().await, reloaded(false));
        assert_eq!(running.next().await, in_force(&repaired));
        assert!(repaired_at.elapsed() < Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn it_stops_when_told_even_while_issuers_are_looked_for() {
        let running = run().await;
        running.offer(&unreachable());
        tokio::time::sleep(Duration::from_secs(5)).await;
        running.stop.cancel();
        running.task.await.unwrap();
    }
}

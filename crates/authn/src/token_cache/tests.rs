use super::*;

use std::sync::atomic::AtomicUsize;

use burgee_identity::{Authenticated, SettableClock};
use tokio::sync::Semaphore;

use crate::NoMetrics;

/// A delegate that counts its questions, and answers later once it is let.
#[derive(Debug)]
struct Delegate {
    outcome: Mutex<Outcome>,
    good_until: Option<jiff::Timestamp>,
    asked: AtomicUsize,
    gate: Option<Arc<Semaphore>>,
}

impl Delegate {
    fn now(outcome: Outcome) -> Self {
        Self {
            outcome: Mutex::new(outcome),
            good_until: None,
            asked: AtomicUsize::new(0),
            gate: None,
        }
    }

    fn behind(gate: &Arc<Semaphore>, outcome: Outcome) -> Self {
        Self {
            gate: Some(Arc::clone(gate)),
            ..Self::now(outcome)
        }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl TokenAuthenticator for Delegate {
    fn name(&self) -> &'static str {
        "delegate"
    }

    fn authenticate(&self, token: &str, _audiences: &Audiences) -> Decision {
        assert_ne!(token, "panic now");
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut verdict = Verdict::from(self.outcome.lock().unwrap().clone());
        verdict.good_until = self.good_until;
        let token = token.to_owned();
        match self.gate.clone() {
            None => Decision::Now(verdict),
            Some(gate) => Decision::Later(Box::pin(async move {
                gate.acquire().await.unwrap().forget();
                assert_ne!(token, "panic later");
                verdict
            })),
        }
    }
}

fn jane() -> Outcome {
    Outcome::Authenticated(Authenticated::new(UserInfo::named("jane")))
}

struct Subject {
    cache: TokenCache,
    delegate: Arc<Delegate>,
    clock: Arc<SettableClock>,
}

impl Subject {
    fn new(delegate: Delegate) -> Self {
        Self::with_policy(delegate, CachePolicy::default())
    }

    fn with_policy(delegate: Delegate, policy: CachePolicy) -> Self {
        let clock = Arc::new(SettableClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
        let delegate = Arc::new(delegate);
        let (asked, shared): (Arc<dyn TokenAuthenticator>, Arc<dyn Clock>) =
            (delegate.clone(), clock.clone());
        let cache = TokenCache::new(asked, policy, shared, Arc::new(NoMetrics)).unwrap();
        Self {
            cache,
            delegate,
            clock,
        }
    }

    fn ask(&self, token: &str) -> Decision {
        self.cache.authenticate(token, &Audiences::ANY)
    }

    fn outcome(&self, token: &str) -> Outcome {
        match self.ask(token) {
            Decision::Now(verdict) => verdict.outcome,
            Decision::Later(_) => panic!("decided from memory"),
        }
    }
}

#[test]
fn keys_are_those_of_the_specification() {
    let key: Vec<u8> = (0..32).collect();
    let key = DigestKey::from_bytes(key.as_slice().try_into().unwrap());
    let digest = |audiences: &Audiences| {
        let digest = entry_digest(&key, "abc", audiences);
        digest
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let none = "817f5e553ffd96d15871d1e68e306ddf5f8d5f0bdb85bf3bc5d135ab1bf13834";
    assert_eq!(digest(&Audiences::ANY), none);
    assert_eq!(digest(&Audiences::of(Vec::<String>::new())), none);
    for (audiences, expected) in [
        (
            &["https://kubernetes.default.svc"][..],
            "2f07d940ca282ed05ea63403ff96ad037c9a09a197cc173e9ae72644b38231f5",
        ),
        (
            &["a", "b"],
            "acd4af4b18534a87139f32a2ef8933edc3df5bc18228ac1d971128cad55ff0ba",
        ),
        (
            &["b", "a"],
            "92a46803b71befcf64a3ad37873bea89a7fe1f2c3eb7f09100da4b3c85869fec",
        ),
    ] {
        assert_eq!(digest(&Audiences::of(audiences.iter().copied())), expected);
    }
}

#[test]
fn an_identity_is_remembered_for_ten_seconds() {
    let subject = Subject::new(Delegate::now(jane()));
    for (advance, asked) in [(0, 1), (9, 1), (1, 2), (9, 2)] {
        subject.clock.advance(Duration::from_secs(advance));
        assert_eq!(subject.outcome("t"), jane());
        assert_eq!(subject.delegate.asked(), asked);
    }
}

#[test]
fn a_step_of_the_civil_clock_does_not_prolong_memory() {
    let subject = Subject::new(Delegate::now(jane()));
    subject.outcome("t");
    subject.clock.advance(Duration::from_secs(10));
    subject.clock.set("2020-01-01T00:00:00Z".parse().unwrap());
    subject.outcome("t");
    assert_eq!(subject.delegate.asked(), 2);
}

#[test]
fn nothing_but_identities_is_remembered_unless_the_policy_says_so() {
    let unknown = Outcome::NoOpinion(Reason::TokenUnknown);
    let rejected = Outcome::rejected(Reason::TokenExpired, "x");
    let patient = CachePolicy {
        failure: Duration::from_secs(120),
        ..CachePolicy::default()
    };
    for (outcome, policy, asked) in [
        (unknown.clone(), CachePolicy::default(), 2),
        (unknown, patient, 1),
        (rejected.clone(), CachePolicy::default(), 2),
        (rejected, patient, 2),
        (
            jane(),
            CachePolicy {
                success: Duration::ZERO,
                ..patient
            },
            2,
        ),
    ] {
        let subject = Subject::with_policy(Delegate::now(outcome.clone()), policy);
        assert_eq!(
            [subject.outcome("t"), subject.outcome("t")],
            [outcome.clone(), outcome]
        );
        assert_eq!(subject.delegate.asked(), asked);
    }
}

#[test]
fn a_token_is_not_remembered_beyond_its_own_end() {
    let good_until = Some("2026-01-01T00:00:03Z".parse().unwrap());
    let subject = Subject::new(Delegate {
        good_until,
        ..Delegate::now(jane())
    });
    for (advance, asked) in [(0, 1), (2, 1), (1, 2), (0, 3)] {
        subject.clock.advance(Duration::from_secs(advance));
        subject.outcome("t");
        assert_eq!(subject.delegate.asked(), asked);
    }
}

#[test]
fn audiences_and_their_order_belong_to_the_question() {
    let subject = Subject::new(Delegate::now(jane()));
    for audiences in [&["a", "b"][..], &["b", "a"], &["a", "b"], &["ab"]] {
        let audiences = Audiences::of(audiences.iter().copied());
        assert!(matches!(
            subject.cache.authenticate("t", &audiences),
            Decision::Now(_)
        ));
    }
    assert_eq!(subject.delegate.asked(), 3);
}

#[test]
fn a_capacity_bounds_memory() {
    let policy = CachePolicy {
        capacity: 8,
        ..CachePolicy::default()
    };
    let subject = Subject::with_policy(Delegate::now(jane()), policy);
    for number in 0..1000 {
        subject.outcome(&number.to_string());
    }
    assert!(subject.cache.0.entries.len() <= 8);
}

#[test]
fn what_is_gone_is_forgotten_and_the_rest_is_not() {
    let subject = Subject::new(Delegate::now(jane()));
    subject.outcome("t");
    subject.cache.forget(|user| user.name == "joe");
    subject.outcome("t");
    assert_eq!(subject.delegate.asked(), 1);
    subject.cache.forget(|user| user.name == "jane");
    subject.outcome("t");
    assert_eq!(subject.delegate.asked(), 2);
    subject.cache.clear();
    subject.outcome("t");
    assert_eq!(subject.delegate.asked(), 3);
}

#[tokio::test]
async fn callers_share_one_question_while_it_is_on_its_way() {
    let gate = Arc::new(Semaphore::new(0));
    let subject = Subject::new(Delegate::behind(&gate, jane()));
    let waiting: Vec<_> = (0..5).map(|_| subject.ask("t").resolve()).collect();
    gate.add_permits(1);
    for verdict in futures_util::future::join_all(waiting).await {
        assert_eq!(verdict.outcome, jane());
    }
    // The first caller's decision is there before the second asks, so nobody else reached it.
    assert_eq!(subject.delegate.asked(), 1);
    assert_eq!(subject.outcome("t"), jane());
    assert!(subject.cache.0.lock().is_empty());
}

#[tokio::test]
async fn a_question_goes_on_when_its_caller_leaves() {
    let gate = Arc::new(Semaphore::new(0));
    let subject = Subject::new(Delegate::behind(&gate, jane()));
    drop(subject.ask("t"));
    let second = subject.ask("t").resolve();
    gate.add_permits(1);
    assert_eq!(second.await.outcome, jane());
    assert_eq!(subject.delegate.asked(), 1);
}

#[tokio::test]
async fn an_answer_from_before_an_invalidation_is_used_by_nobody_after_it() {
    let gate = Arc::new(Semaphore::new(0));
    let subject = Subject::new(Delegate::behind(&gate, jane()));
    let before = subject.ask("t").resolve();
    subject.cache.forget(|_| false);
    *subject.delegate.outcome.lock().unwrap() = Outcome::rejected(Reason::TokenRevoked, "gone");
    let after = subject.ask("t").resolve();
    gate.add_permits(2);
    assert_eq!(before.await.outcome, jane());
    assert_eq!(after.await.outcome.reason(), Some(Reason::TokenRevoked));
    gate.add_permits(1);
    assert_eq!(
        subject.ask("t").resolve().await.outcome.reason(),
        Some(Reason::TokenRevoked)
    );
}

#[tokio::test]
async fn a_delegate_that_panics_rejects_and_the_cache_lives_on() {
    let unexpected = "Internal error occurred: authentication failed unexpectedly";
    let message = |verdict: Verdict| match verdict.outcome {
        Outcome::Rejected(rejection) => {
            assert_eq!(rejection.reason, Reason::AuthenticatorFailed);
            rejection.message
        }
        other => panic!("{other:?}"),
    };
    let gate = Arc::new(Semaphore::new(2));
    let subject = Subject::new(Delegate::behind(&gate, jane()));
    assert_eq!(
        message(subject.ask("panic now").resolve().await),
        unexpected
    );
    assert_eq!(
        message(subject.ask("panic later").resolve().await),
        unexpected
    );
    assert_eq!(subject.ask("t").resolve().await.outcome, jane());
}

#[tokio::test(start_paused = true)]
async fn a_question_takes_thirty_seconds_at_most() {
    let gate = Arc::new(Semaphore::new(0));
    let subject = Subject::new(Delegate::behind(&gate, jane()));
    let started = tokio::time::Instant::now();
    let verdict = subject.ask("t").resolve().await;
    assert_eq!(started.elapsed(), FETCH_LIMIT);
    let Outcome::Rejected(rejection) = verdict.outcome else {
        panic!()
    };
    assert_eq!(rejection.reason, Reason::AuthenticatorTimedOut);
    assert_eq!(rejection.message, "context deadline exceeded");
}

#[tokio::test]
async fn a_delegate_that_does_not_answer_is_not_asked_without_limit() {
    let gate = Arc::new(Semaphore::new(0));
    let subject = Subject::new(Delegate::behind(&gate, jane()));
    let waiting: Vec<_> = (0..FLIGHT_LIMIT)
        .map(|number| subject.ask(&number.to_string()))
        .collect();
    let Decision::Now(verdict) = subject.ask("one more") else {
        panic!("asked without limit")
    };
    assert_eq!(
        verdict.outcome.reason(),
        Some(Reason::AuthenticatorUnavailable)
    );
    gate.add_permits(FLIGHT_LIMIT + 1);
    let answers = futures_util::future::join_all(waiting.into_iter().map(Decision::resolve));
    assert!(answers.await.iter().all(Verdict::is_authenticated));
    assert_eq!(subject.ask("one more").resolve().await.outcome, jane());
}

#[tokio::test]
async fn annotations_and_warnings_are_repeated_with_the_identity() {
    #[derive(Debug)]
    struct Annotating;

    impl TokenAuthenticator for Annotating {
        fn name(&self) -> &'static str {
            "annotating"
        }

        fn authenticate(&self, _token: &str, _audiences: &Audiences) -> Decision {
            let verdict = Verdict::from(jane()).with_warning("careful");
            Decision::Now(verdict.with_annotations(vec![("key", "value".to_owned())]))
        }
    }

    let clock = Arc::new(SettableClock::at(jiff::Timestamp::UNIX_EPOCH));
    let policy = CachePolicy::default();
    let cache = TokenCache::new(Arc::new(Annotating), policy, clock, Arc::new(NoMetrics)).unwrap();
    // From the delegate, from the shared entry twice, and from the thread's own.
    for _ in 0..4 {
        let verdict = cache.authenticate("t", &Audiences::ANY).resolve().await;
        assert_eq!(verdict.warnings(), ["careful"]);
        assert_eq!(verdict.annotations(), [("key", "value".to_owned())]);
    }
}

#[test]
fn what_is_gone_is_forgotten_by_every_thread() {
    let subject = Subject::new(Delegate::now(jane()));
    let gate = std::sync::Barrier::new(2);
    std::thread::scope(|scope| {
        let asking = || {
            for _ in 0..3 {
                subject.outcome("t");
            }
            gate.wait();
            gate.wait();
            subject.outcome("t");
        };
        scope.spawn(asking);
        gate.wait();
        let before = subject.delegate.asked();
        subject.cache.forget(|user| user.name == "jane");
        gate.wait();
        assert_eq!(before, 1);
    });
    assert_eq!(subject.delegate.asked(), 2);
}

#[derive(Debug, Default)]
struct Recorder(Mutex<Vec<String>>);

impl Metrics for Recorder {
    fn token_cache_request(&self, status: CacheStatus, _duration: Duration) {
        self.0.lock().unwrap().push(status.as_str().into());
    }

    fn token_cache_fetch(&self, status: FetchStatus) {
        self.0.lock().unwrap().push(status.as_str().into());
    }

    fn token_cache_active_fetches(&self, state: ActiveFetch, change: i64) {
        self.0
            .lock()
            .unwrap()
            .push(format!("{}{change:+}", state.as_str()));
    }
}

#[tokio::test]
async fn hits_misses_and_waits_are_counted() {
    let recorder = Arc::new(Recorder::default());
    let gate = Arc::new(Semaphore::new(1));
    let delegate = Arc::new(Delegate::behind(&gate, jane()));
    let clock = Arc::new(SettableClock::at(jiff::Timestamp::UNIX_EPOCH));
    let metrics: Arc<dyn Metrics> = recorder.clone();
    let cache = TokenCache::new(delegate, CachePolicy::default(), clock, metrics).unwrap();
    cache.authenticate("t", &Audiences::ANY).resolve().await;
    cache.authenticate("t", &Audiences::ANY).resolve().await;
    let mut seen = recorder.0.lock().unwrap().clone();
    seen.sort();
    assert_eq!(seen, ["hit", "in_flight+1", "in_flight-1", "miss", "ok"]);
}

#[test]
fn tokens_are_neither_kept_nor_printed() {
    let subject = Subject::new(Delegate::now(jane()));
    subject.outcome("s3cr3t");
    assert!(!format!("{:?}", subject.cache).contains("s3cr3t"));
}

#[test]
fn explaining_a_token_asks_the_delegate_and_remembers_nothing() {
    #[derive(Debug, Default)]
    struct Webhook {
        asked: AtomicUsize,
        rehearsed: AtomicUsize,
    }

    impl TokenAuthenticator for Webhook {
        fn name(&self) -> &'static str {
            "webhook"
        }

        fn authenticate(&self, _: &str, _: &Audiences) -> Decision {
            self.asked.fetch_add(1, Ordering::SeqCst);
            Outcome::NoOpinion(Reason::TokenUnknown).into()
        }

        fn rehearse(&self, _: &str, _: &Audiences) -> Decision {
            self.rehearsed.fetch_add(1, Ordering::SeqCst);
            Outcome::NoOpinion(Reason::TokenUnknown).into()
        }
    }

    let webhook = Arc::new(Webhook::default());
    let policy = CachePolicy {
        failure: Duration::from_secs(120),
        ..CachePolicy::default()
    };
    let clock = Arc::new(burgee_identity::SettableClock::at(
        jiff::Timestamp::UNIX_EPOCH,
    ));
    let delegate = Arc::clone(&webhook) as Arc<dyn TokenAuthenticator>;
    let cache = TokenCache::new(delegate, policy, clock, Arc::new(crate::NoMetrics)).unwrap();
    assert_eq!(cache.name(), "webhook");
    for _ in 0..2 {
        drop(cache.rehearse("new", &Audiences::ANY));
    }
    drop(cache.authenticate("new", &Audiences::ANY));
    let count = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
    assert_eq!((count(&webhook.rehearsed), count(&webhook.asked)), (2, 1));
}

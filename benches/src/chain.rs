//! What the chain of authenticators costs in front of a request, without sockets.
//!
//! Each kind of credential is judged by a chain of its own surroundings, next to the cryptography that it
//! cannot do without.

use std::cell::Cell;
use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use burgee_authn::{
    Anonymous, Audiences, Authenticator as _, Chain, ClientCertificates, Decision, NoMetrics,
    PeerCertificates, Request, ServiceAccountTokens, StaticTokens, TokenAuthenticator, UidPolicy,
    Verdict,
};
use burgee_identity::{Authenticated, Clock, SystemClock, UserInfo};
use burgee_jose::{Algorithm, PrivateKey, Signer as _, SigningKey, VerificationKeys};
use burgee_service_account::{
    BoxFuture, LookupError, ObjectFacts, ObjectLookup, ObjectRef, StaticKeys, TokenValidator,
};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use crate::Plan;
use crate::figure::{Figure, Goal, Report};
use crate::measure::{Pair, median, pair};
use crate::tokens::Bare;

const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
const ACCOUNT_UID: &str = "16fd2706-8baf-433b-82eb-8c7fada847da";
const POD_UID: &str = "6fa459ea-ee8a-3ca4-894e-db77e160355e";

/// How many tokens are in the token file.
const STATIC_TOKENS: usize = 100_000;
/// How many tokens go through the cache when its bound is looked at.
const DISTINCT_TOKENS: usize = 100_000;

/// What a token that was never seen may cost beside the check of its signature.
const MISS: Goal = Goal::RatioAtMost(1.15);

pub(crate) fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    let rounds = plan.choose(201, 31);
    // First, while there is no freed memory that it could use again.
    distinct_tokens(report)?;
    let service_accounts = service_account_tokens(plan, rounds, report)?;
    garbage(rounds, service_accounts, report)?;
    static_token(rounds, report)?;
    certificate(rounds, report)?;
    anonymous(rounds, report)
}

/// A chain that knows the tokens of `key`, and a token of usual size for each number.
struct ServiceAccounts {
    chain: Chain,
    key: SigningKey,
    now: i64,
}

impl ServiceAccounts {
    fn new(algorithm: Algorithm) -> Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let now = clock.now().as_second();
        let key = SigningKey::new(PrivateKey::generate(algorithm)?);
        let keys = VerificationKeys::from_iter([key.private_key().public_key().clone()]);
        let validator = TokenValidator::new(
            vec![ISSUER.to_owned()],
            vec![ISSUER.to_owned()],
            Arc::new(StaticKeys(Arc::new(keys))),
            Arc::new(Everything),
            Arc::clone(&clock),
        );
        let tokens = ServiceAccountTokens::new(Arc::new(validator), Arc::new(NoMetrics));
        let chain = Chain::builder([ISSUER])
            .service_accounts(Arc::new(tokens))
            .build(clock, Arc::new(NoMetrics))?;
        Ok(Self { chain, key, now })
    }

    fn claims(&self, number: usize, issuer: &str) -> String {
        let Self { now, .. } = self;
        let (expiry, warn) = (now + 86_400, now + 3_607);
        format!(
            r#"{{"aud":["{ISSUER}"],"exp":{expiry},"iat":{now},"iss":"{issuer}","jti":"1b671a64-40d5-491e-99b0-{number:012x}","kubernetes.io":{{"namespace":"team-a","node":{{"name":"worker-1.example.com","uid":"7d444840-9dc0-11d1-b245-5ffdce74fad2"}},"pod":{{"name":"builder-66bff467f8-7kx2m","uid":"{POD_UID}"}},"serviceaccount":{{"name":"builder","uid":"{ACCOUNT_UID}"}},"warnafter":{warn}}},"nbf":{now},"sub":"system:serviceaccount:team-a:builder"}}"#
        )
    }

    fn token(&self, number: usize) -> Result<String> {
        Ok(self.key.sign(self.claims(number, ISSUER).as_bytes())?)
    }
}

/// Finds whatever a token names.
#[derive(Debug)]
struct Everything;

impl ObjectLookup for Everything {
    fn cached(&self, object: ObjectRef<'_>) -> Option<ObjectFacts> {
        let is_pod = object.kind.resource() == "pods";
        let facts = ObjectFacts {
            uid: if is_pod { POD_UID } else { ACCOUNT_UID }.to_owned(),
            service_account_name: if is_pod { "builder" } else { "" }.to_owned(),
            ..ObjectFacts::default()
        };
        Some(facts)
    }

    fn live<'a>(
        &'a self,
        object: ObjectRef<'a>,
    ) -> BoxFuture<'a, Result<ObjectFacts, LookupError>> {
        let found = self.cached(object).ok_or(LookupError::NotFound);
        Box::pin(std::future::ready(found))
    }
}

/// The headers of a request with this token.
fn bearing(token: &str) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, format!("Bearer {token}").parse()?);
    Ok(headers)
}

/// Whether the chain lets a request through, from memory.
fn admits(chain: &Chain, headers: &HeaderMap, peer: Option<&PeerCertificates>) -> Result<bool> {
    let request = Request {
        headers,
        path: "/api/v1/namespaces",
        peer_certificates: peer,
        audiences: chain.api_audiences(),
    };
    match black_box(chain.authenticate(black_box(&request))) {
        Decision::Now(verdict) => Ok(verdict.is_authenticated()),
        Decision::Later(_) => bail!("the chain has to wait for someone"),
    }
}

/// Many requests, one after the other and then again from the first.
struct Round<'a> {
    chain: &'a Chain,
    requests: Vec<HeaderMap>,
    next: Cell<usize>,
}

impl<'a> Round<'a> {
    fn new(chain: &'a Chain, tokens: impl IntoIterator<Item = Result<String>>) -> Result<Self> {
        let requests = tokens.into_iter().map(|token| bearing(&token?));
        Ok(Self {
            chain,
            requests: requests.collect::<Result<_>>()?,
            next: Cell::new(0),
        })
    }

    /// Judges the next one, which the cache does not know.
    fn judge(&self) {
        let next = self.next.get();
        if let Some(headers) = self.requests.get(next) {
            let _ = admits(self.chain, headers, None);
        }
        self.next.set(next + 1);
        if next + 1 >= self.requests.len() {
            self.chain.token_cache().clear();
            self.next.set(0);
        }
    }
}

/// Tokens that were seen before, and tokens that were not. Returns what the garbage is compared with.
fn service_account_tokens(
    plan: &Plan,
    rounds: usize,
    report: &mut Report,
) -> Result<ServiceAccounts> {
    let accounts = ServiceAccounts::new(Algorithm::Es256)?;
    hit(plan, rounds, &accounts, report)?;
    for (algorithm, count) in [(Algorithm::Es256, 8_000), (Algorithm::Rs256, 2_000)] {
        let accounts = ServiceAccounts::new(algorithm)?;
        let bare = Bare::public(accounts.key.private_key())?;
        let token = accounts.token(0)?;
        let (message, signature) = parts(&token)?;
        bare.verify(message, &signature)?;
        ensure!(
            admits(&accounts.chain, &bearing(&token)?, None)?,
            "a good token is refused"
        );
        accounts.chain.token_cache().clear();
        let round = Round::new(
            &accounts.chain,
            (1..=count).map(|number| accounts.token(number)),
        )?;
        let miss = pair(
            rounds,
            || round.judge(),
            || drop(black_box(bare.verify(black_box(message), &signature))),
        );
        let name = format!("chain.{}.miss", algorithm.as_str());
        let figure = Figure::new(name, miss.subject, "us");
        report.add(figure.floor_paired(miss.floor, miss.ratio).goal(MISS))?;
    }
    Ok(accounts)
}

/// What was signed, and the signature.
fn parts(token: &str) -> Result<(&[u8], Vec<u8>)> {
    let (message, _) = token.rsplit_once('.').context("a token has three parts")?;
    let signature = burgee_jose::Jws::parse(token)?.signature().to_vec();
    Ok((message.as_bytes(), signature))
}

fn hit(plan: &Plan, rounds: usize, accounts: &ServiceAccounts, report: &mut Report) -> Result<()> {
    let token = accounts.token(0)?;
    let headers = bearing(&token)?;
    let chain = &accounts.chain;
    ensure!(admits(chain, &headers, None)?, "a good token is refused");
    let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
    let hit = pair(
        rounds,
        || drop(black_box(admits(chain, &headers, None))),
        || {
            black_box(hmac::sign(&key, black_box(token.as_bytes())));
        },
    );
    let figure = Figure::new("chain.cached", hit.subject * 1e3, "ns");
    report.add(figure.floor_paired(hit.floor * 1e3, hit.ratio))?;
    let beyond = (hit.subject - hit.floor) * 1e3;
    let figure = Figure::new("chain.cached.beyond-hmac", beyond, "ns");
    report.add(figure.goal(Goal::ValueAtMost(150.0)))?;

    let times = (0..plan.rounds()).map(|_| {
        let alone = hits_per_second(chain, &headers, 1, plan.round_time());
        (
            alone,
            hits_per_second(chain, &headers, 2, plan.round_time()),
        )
    });
    let times: Vec<(f64, f64)> = times.collect();
    let alone = median(times.iter().map(|(alone, _)| *alone));
    let both = median(times.iter().map(|(_, both)| *both));
    let ratio = median(times.iter().map(|(alone, both)| both / alone));
    let figure = Figure::new("chain.cached.two-threads", both / 1e6, "M/s");
    let figure = figure.peer_paired(alone / 1e6, ratio);
    report.add(figure.goal(Goal::RatioAtLeast(1.8)))
}

fn hits_per_second(chain: &Chain, headers: &HeaderMap, threads: usize, limit: Duration) -> f64 {
    let count = || {
        let (begin, mut calls) = (Instant::now(), 0_u32);
        while begin.elapsed() < limit {
            for _ in 0..1_000 {
                let _ = black_box(admits(chain, headers, None));
            }
            calls += 1_000;
        }
        f64::from(calls) / begin.elapsed().as_secs_f64()
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(count)).collect();
        let counts = threads.into_iter().map(|thread| thread.join());
        counts.map(|count| count.unwrap_or(f64::NAN)).sum()
    })
}

/// Tokens of nobody, next to a good one that was not seen before.
fn garbage(rounds: usize, accounts: ServiceAccounts, report: &mut Report) -> Result<()> {
    const COUNT: usize = 4_000;
    let random = SystemRandom::new();
    let opaque = |_| {
        let mut bytes = [0; 32];
        let filled = random.fill(&mut bytes);
        filled.context("the system has no random bytes")?;
        Ok(bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        }))
    };
    let foreign = |number| {
        let claims = accounts.claims(number, "https://elsewhere.example");
        Ok(accounts.key.sign(claims.as_bytes())?)
    };
    // Another signature of the right length.
    let forged = |number| {
        let (token, other) = (accounts.token(number)?, accounts.token(number + COUNT)?);
        let message = token.rsplit_once('.').context("no signature")?.0;
        let signature = other.rsplit_once('.').context("no signature")?.1;
        Ok(format!("{message}.{signature}"))
    };
    let tokens: [(&str, Vec<Result<String>>); 3] = [
        ("opaque", (0..COUNT).map(opaque).collect()),
        ("foreign-issuer", (0..COUNT).map(foreign).collect()),
        ("forged", (0..COUNT).map(forged).collect()),
    ];
    for (kind, tokens) in tokens {
        let bad = Round::new(&accounts.chain, tokens)?;
        if let Some(headers) = bad.requests.first() {
            ensure!(!admits(&accounts.chain, headers, None)?, "{kind} is let in");
        }
        let good = (0..COUNT).map(|number| accounts.token(2 * COUNT + number));
        let good = Round::new(&accounts.chain, good)?;
        let Pair {
            subject,
            floor,
            ratio,
        } = pair(rounds, || bad.judge(), || good.judge());
        let figure = Figure::new(format!("chain.garbage.{kind}"), subject, "us");
        // A forged signature has to be looked at as closely as a good one.
        let goal = Goal::RatioAtMost(if kind == "forged" { 1.05 } else { 1.0 });
        report.add(figure.peer_paired(floor, ratio).goal(goal))?;
    }
    Ok(())
}

fn static_token(rounds: usize, report: &mut Report) -> Result<()> {
    let mut file = String::new();
    for number in 0..STATIC_TOKENS {
        writeln!(
            file,
            "token-{number:032},user-{number},uid-{number},\"team,dev\""
        )?;
    }
    let tokens = StaticTokens::new("tokens.csv", file.as_bytes())?;
    let chain = Chain::builder([ISSUER])
        .static_tokens(Arc::new(tokens))
        .build(Arc::new(SystemClock::new()), Arc::new(NoMetrics))?;
    // Different ones, so that not everything is in the processor's cache.
    let numbers = (0..STATIC_TOKENS).step_by(97);
    let requests = numbers.map(|number| bearing(&format!("token-{number:032}")));
    let requests = requests.collect::<Result<Vec<_>>>()?;
    let mut next = requests.iter().cycle();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
    let lookup = pair(
        rounds,
        || {
            if let Some(headers) = next.next() {
                let _ = admits(&chain, headers, None);
            }
        },
        || {
            black_box(hmac::sign(&key, black_box(&[b'x'; 38])));
        },
    );
    let figure = Figure::new("chain.static-token", lookup.subject * 1e3, "ns");
    let figure = figure.floor_paired(lookup.floor * 1e3, lookup.ratio);
    report.add(figure.goal(Goal::ValueAtMost(400.0)))
}

fn certificate(rounds: usize, report: &mut Report) -> Result<()> {
    let authority_key = rcgen::KeyPair::generate()?;
    let mut authority = rcgen::CertificateParams::new(Vec::new())?;
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_certificate = authority.self_signed(&authority_key)?;
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let mut client = rcgen::CertificateParams::new(Vec::new())?;
    client.distinguished_name = rcgen::DistinguishedName::new();
    let name = rcgen::DnType::CommonName;
    client.distinguished_name.push(name, "jane");
    client.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    let leaf = client.signed_by(&rcgen::KeyPair::generate()?, &issuer)?;
    let leaf: CertificateDer<'static> = leaf.der().clone();

    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let certificates = ClientCertificates::new(
        "clients",
        UidPolicy::FromSubject,
        Arc::clone(&clock),
        Arc::new(NoMetrics),
    )?;
    certificates.reload(authority_certificate.pem().as_bytes())?;
    let chain = Chain::builder([ISSUER])
        .client_certificates(Arc::new(certificates))
        .build(clock, Arc::new(NoMetrics))?;
    let headers = HeaderMap::new();
    let connection = PeerCertificates::new([leaf.clone()]);
    ensure!(
        admits(&chain, &headers, Some(&connection))?,
        "a good certificate is refused"
    );

    let anchors = [anchor_from_trusted_cert(authority_certificate.der())?.to_owned()];
    let algorithms = webpki::ALL_VERIFICATION_ALGS;
    let bare = || {
        let leaf = EndEntityCert::try_from(black_box(&leaf))?;
        let usage = KeyUsage::client_auth();
        let now = UnixTime::now();
        leaf.verify_for_usage(algorithms, &anchors, &[], now, usage, None, None)
            .map(|_| ())
    };
    bare()?;
    let first = pair(
        rounds,
        || {
            let connection = PeerCertificates::new([leaf.clone()]);
            let _ = admits(&chain, &headers, Some(&connection));
        },
        || drop(black_box(bare())),
    );
    let figure = Figure::new("chain.x509.first", first.subject, "us");
    report.add(figure.floor_paired(first.floor, first.ratio).goal(MISS))?;
    let later = pair(
        rounds,
        || drop(black_box(admits(&chain, &headers, Some(&connection)))),
        || drop(black_box(bare())),
    );
    let figure = Figure::new("chain.x509.later", later.subject, "us");
    report.add(figure.floor_paired(later.floor, later.ratio).goal(MISS))
}

fn anonymous(rounds: usize, report: &mut Report) -> Result<()> {
    let chain = Chain::builder([ISSUER])
        .anonymous(Anonymous::everywhere())
        .build(Arc::new(SystemClock::new()), Arc::new(NoMetrics))?;
    let headers = HeaderMap::new();
    ensure!(admits(&chain, &headers, None)?, "nobody is let in");
    let nobody = pair(
        rounds,
        || drop(black_box(admits(&chain, &headers, None))),
        || drop(black_box(Arc::new(black_box(0)))),
    );
    let figure = Figure::new("chain.anonymous", nobody.subject * 1e3, "ns");
    report.add(figure.goal(Goal::ValueAtMost(50.0)))
}

/// Knows everybody, so that the cache is all that costs memory.
#[derive(Debug)]
struct Anyone;

impl TokenAuthenticator for Anyone {
    fn name(&self) -> &'static str {
        "anyone"
    }

    fn authenticate(&self, token: &str, _: &Audiences) -> Decision {
        Decision::Now(Verdict::authenticated(Authenticated::new(UserInfo::named(
            token,
        ))))
    }
}

/// How much memory more it takes to remember the second hundred thousand tokens, when the first are there.
fn distinct_tokens(report: &mut Report) -> Result<()> {
    let chain = Chain::builder([ISSUER])
        .service_accounts(Arc::new(Anyone))
        .build(Arc::new(SystemClock::new()), Arc::new(NoMetrics))?;
    let mut resident = [0.0; 3];
    for (round, resident) in resident.iter_mut().enumerate() {
        *resident = resident_mebibytes()?;
        for number in 0..DISTINCT_TOKENS {
            let headers = bearing(&format!("{round}-{number:060}"))?;
            ensure!(admits(&chain, &headers, None)?, "a token is refused");
        }
    }
    let [before, first, second] = resident;
    let figure = Figure::new("chain.distinct.first-100k", first - before, "MiB");
    report.add(figure)?;
    let figure = Figure::new("chain.distinct.next-100k", second - first, "MiB");
    report.add(figure.goal(Goal::ValueAtMost(4.0)))
}

fn resident_mebibytes() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/self/statm")?;
    let pages: f64 = text
        .split_whitespace()
        .nth(1)
        .context("statm has no resident pages")?
        .parse()?;
    Ok(pages * rustix::param::page_size() as f64 / (1024.0 * 1024.0))
}

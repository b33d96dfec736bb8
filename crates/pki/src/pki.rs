//! A data directory's identity as a whole.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use burgee_identity::Clock;
use jiff::Timestamp;

use crate::authority::{Authority, Profile, Usage};
use crate::directory::{Access, Directory};
use crate::issued::Issued;
use crate::kubeconfig::{Kubeconfig, server_url};
use crate::service_account::{self, ServiceAccountKeyFiles};
use crate::serving::{ServingMaterial, ServingSource};
use crate::{Error, SubjectName, subject_name};

const KUBECONFIG: &str = "admin.kubeconfig";

/// How the server that a data directory is for is reached.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Options {
    /// The addresses that it listens on, with the ports that it really got. The kubeconfig leads to
    /// the first.
    pub listen: Vec<SocketAddr>,
    /// Names for the serving certificate besides the usual ones (`--tls-san`).
    pub names: Vec<SubjectName>,
    /// Where the serving certificate comes from.
    pub serving: ServingSource,
}

impl Options {
    /// A server with a certificate of the data directory's own authority.
    #[must_use]
    pub fn listening_on(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        Self {
            listen: addresses.into_iter().collect(),
            ..Self::default()
        }
    }
}

/// The identity in a data directory, complete and checked. It keeps the serving key in memory, and
/// neither the authority's nor the administrator's.
#[derive(Debug)]
pub struct Pki {
    directory: Directory,
    options: Options,
    authority: Vec<u8>,
    serving: ServingMaterial,
    trusted: Vec<u8>,
    server_url: String,
    service_account: ServiceAccountKeyFiles,
}

impl Pki {
    /// Opens the identity in `directory`, making what is missing and renewing what is due.
    ///
    /// Waits while another process does the same. A relative path means one below the current
    /// directory at the time of this call.
    ///
    /// # Errors
    /// Everything in [`Error`]: files that cannot be read, are open to others or do not belong
    /// together. What is wrong is left as it is.
    pub fn open_or_create(
        directory: &Path,
        options: Options,
        clock: &dyn Clock,
    ) -> Result<Self, Error> {
        let directory = Directory::create(directory)?;
        let lock = directory.lock()?;
        let now = clock.now();

        let authority = Authority::open_or_create(&directory, now)?;
        let service_account = service_account::open_or_create(&directory)?;
        let server_url = options.listen.first().map_or_else(
            || "https://localhost:6443".to_owned(),
            |first| server_url(*first),
        );
        let (serving, trusted) = renew(&directory, &authority, &options, &server_url, now)?;
        drop(lock);

        Ok(Self {
            directory,
            options,
            authority: authority.certificate.pem,
            serving,
            trusted,
            server_url,
            service_account,
        })
    }

    /// Renews what is due while the server runs: its certificate, and the administrator's with the
    /// kubeconfig. Meant to be called once a day; for certificates that somebody else looks after,
    /// as often as they should be noticed.
    ///
    /// Returns what to serve from now on if it differs from `current`.
    ///
    /// # Errors
    /// As [`Pki::open_or_create`]. The server goes on with what it has.
    pub fn renew_serving(
        &self,
        current: &ServingMaterial,
        clock: &dyn Clock,
    ) -> Result<Option<ServingMaterial>, Error> {
        let lock = self.directory.lock()?;
        let now = clock.now();
        let authority = Authority::open_again(&self.directory, &self.authority, now)?;
        let (serving, _) = renew(
            &self.directory,
            &authority,
            &self.options,
            &self.server_url,
            now,
        )?;
        drop(lock);
        Ok((serving != *current).then_some(serving))
    }

    /// The certificate authority's certificate in PEM: what the server trusts the administrator's
    /// certificate by.
    #[must_use]
    pub fn authority(&self) -> &[u8] {
        &self.authority
    }

    /// What clients trust the server by, in PEM: the authority, or the certificates that the server
    /// was given.
    #[must_use]
    pub fn trusted(&self) -> &[u8] {
        &self.trusted
    }

    /// The file of [`Pki::authority`].
    #[must_use]
    pub fn authority_file(&self) -> PathBuf {
        self.directory.path("pki/ca.crt")
    }

    /// The administrator's kubeconfig.
    #[must_use]
    pub fn kubeconfig_file(&self) -> PathBuf {
        self.directory.path(KUBECONFIG)
    }

    /// The URL that the kubeconfig leads to.
    #[must_use]
    pub fn server_url(&self) -> &str {
        &self.server_url
    }

    /// Where the key is that signs service-account tokens, and its public half.
    #[must_use]
    pub fn service_account(&self) -> &ServiceAccountKeyFiles {
        &self.service_account
    }

    /// What the server shows of itself in TLS, as of the time that the directory was opened.
    #[must_use]
    pub fn serving(&self) -> &ServingMaterial {
        &self.serving
    }
}

/// Makes or renews what the authority issues, and then the kubeconfig that embeds it. Returns what
/// clients trust the server by as well.
fn renew(
    directory: &Directory,
    authority: &Authority,
    options: &Options,
    server_url: &str,
    now: Timestamp,
) -> Result<(ServingMaterial, Vec<u8>), Error> {
    let (serving, trusted) = match &options.serving {
        ServingSource::Issued => {
            let addresses = options.listen.iter().map(SocketAddr::ip);
            let mut names = subject_name::of_server(addresses);
            names.extend(options.names.iter().cloned());
            names.sort_unstable();
            names.dedup();
            let profile = Profile {
                common_name: "burgee",
                organization: None,
                names,
                usage: Usage::Server,
            };
            let issued = Issued::open_or_issue(directory, "serving", authority, &profile, now)?;
            let trusted = authority.certificate.pem.clone();
            (ServingMaterial::from_issued(&issued), trusted)
        }
        // Their root may be in nobody's trust store. Clients take each of the certificates in a
        // kubeconfig as an anchor, so the ones that the server presents do.
        ServingSource::Files { certificates, key } => {
            ServingMaterial::from_files(certificates, key, now)?
        }
    };

    let profile = Profile {
        common_name: "kubernetes-admin",
        organization: Some("system:masters"),
        names: Vec::new(),
        usage: Usage::Client,
    };
    let admin = Issued::open_or_issue(directory, "admin", authority, &profile, now)?;
    let kubeconfig = Kubeconfig {
        server: server_url,
        authority: &trusted,
        certificate: &admin.certificate.pem,
        key: &admin.key.pem,
    };
    let is_current = directory
        .read(KUBECONFIG, Access::Private)?
        .is_some_and(|text| kubeconfig.is_in(&text));
    if !is_current {
        directory.replace_file(KUBECONFIG, kubeconfig.to_yaml().as_bytes(), Access::Private)?;
    }
    Ok((serving, trusted))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use burgee_identity::SettableClock;
    use jiff::ToSpan as _;

    use super::*;
    use crate::directory::faults::dying_after;

    /// Every file with its contents.
    fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
        let entries = [root.to_owned(), root.join("pki")]
            .into_iter()
            .flat_map(|directory| fs::read_dir(directory).unwrap());
        entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect()
    }

    fn clock() -> SettableClock {
        SettableClock::at("2026-01-01T00:00:00Z".parse().unwrap())
    }

    fn open(root: &Path, clock: &dyn Clock) -> Result<Pki, Error> {
        let options = Options::listening_on(["127.0.0.1:6443".parse().unwrap()]);
        Pki::open_or_create(root, options, clock)
    }

    /// Lets the process die after each number of changes that `prepare` and a start can make, and
    /// returns how many starts died. Every start after one that died must succeed, keep what was
    /// there, and leave nothing to do.
    fn dies_and_recovers(prepare: impl Fn(&Path, &SettableClock), reissued: &[&str]) -> u32 {
        for changes in 0.. {
            let root = tempfile::tempdir().unwrap();
            let clock = clock();
            prepare(root.path(), &clock);
            let died = dying_after(changes, || open(root.path(), &clock)).is_err();
            let before = files(root.path());

            open(root.path(), &clock).unwrap_or_else(|error| panic!("{changes}: {error}"));
            let after = files(root.path());
            for (path, contents) in &before {
                let may_change = reissued.iter().any(|name| path.ends_with(name));
                assert!(
                    after[path] == *contents || may_change,
                    "{changes}: {path:?}"
                );
            }
            assert_eq!(after.len(), 10, "{changes}: {:?}", after.keys());

            open(root.path(), &clock).unwrap();
            assert_eq!(files(root.path()), after);
            if !died {
                return changes;
            }
        }
        unreachable!()
    }

    #[test]
    fn a_first_start_that_dies_before_any_of_its_files_is_finished_by_the_next() {
        assert_eq!(dies_and_recovers(|_, _| {}, &[]), 9);
    }

    #[test]
    fn a_renewal_that_dies_before_any_of_its_files_is_finished_by_the_next() {
        let renewal = |root: &Path, clock: &SettableClock| {
            open(root, clock).unwrap();
            clock.set(clock.now() + (300 * 24).hours());
        };
        let reissued = ["serving.crt", "admin.crt", "admin.kubeconfig"];
        assert_eq!(dies_and_recovers(renewal, &reissued), 3);
    }

    #[test]
    fn a_lost_key_that_is_being_replaced_when_the_process_dies_is_replaced_by_the_next() {
        let loss = |root: &Path, clock: &SettableClock| {
            open(root, clock).unwrap();
            fs::remove_file(root.join("pki/serving.key")).unwrap();
        };
        assert_eq!(dies_and_recovers(loss, &["serving.crt"]), 3);
    }
}

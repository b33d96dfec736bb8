//! Kubeconfig files, found, read and merged.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsStr;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::document::{self, Document, MAX_TEXT_LEN};
use crate::{Cluster, Context, Error, User};

/// One kubeconfig, or several merged.
///
/// [`Kubeconfig::access`] makes of a context what a client needs.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Kubeconfig {
    /// Clusters by name.
    pub clusters: BTreeMap<String, Cluster>,
    /// Contexts by name.
    pub contexts: BTreeMap<String, Context>,
    /// Users by name.
    pub users: BTreeMap<String, User>,
    /// Name of the context to use; empty when there is none.
    pub current_context: String,
}

impl Kubeconfig {
    /// Reads one text. Relative paths in it are left as they are.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a file named `kubeconfig`.
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        Self::parse_file(Path::new("kubeconfig"), text)
    }

    /// Reads one file, which must be there. Relative paths in it are relative to its folder.
    ///
    /// # Errors
    /// [`Error::Unreadable`] or [`Error::Malformed`].
    pub fn read(file: impl AsRef<Path>) -> Result<Self, Error> {
        let file = file.as_ref();
        let unreadable = |source| Error::Unreadable {
            file: file.to_owned(),
            source,
        };
        let mut text = Zeroizing::new(Vec::new());
        let opened = std::fs::File::open(file).map_err(unreadable)?;
        let limit = u64::try_from(MAX_TEXT_LEN).unwrap_or(u64::MAX);
        opened
            .take(limit.saturating_add(1))
            .read_to_end(&mut text)
            .map_err(unreadable)?;
        let mut config = Self::parse_file(file, &text)?;
        // `parent` of a bare file name is empty, and so is the current folder to `absolute`.
        let folder = file.parent().unwrap_or(Path::new(""));
        let folder = std::path::absolute(folder.join(".")).map_err(unreadable)?;
        for cluster in config.clusters.values_mut() {
            cluster.resolve(&folder);
        }
        for user in config.users.values_mut() {
            user.resolve(&folder);
        }
        Ok(config)
    }

    /// Reads and merges several files as kubectl does: files that are not there are passed over, and the
    /// first to name a cluster, a context, a user or the current context has the say.
    ///
    /// # Errors
    /// [`Error::Unreadable`] or [`Error::Malformed`] for the first bad file.
    pub fn load<P: AsRef<Path>>(files: impl IntoIterator<Item = P>) -> Result<Self, Error> {
        let mut merged = Self::default();
        for file in files {
            match Self::read(file) {
                Ok(config) => merged.merge(config),
                Err(Error::Unreadable { source, .. })
                    if source.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(merged)
    }

    /// Reads what kubectl would read: the files that the environment variable `KUBECONFIG` lists, or
    /// `~/.kube/config`.
    ///
    /// # Errors
    /// [`Error::HomeUnknown`], and those of [`Kubeconfig::load`].
    pub fn load_default() -> Result<Self, Error> {
        Self::load(default_files(
            env::var_os("KUBECONFIG").as_deref(),
            env::home_dir(),
        )?)
    }

    fn parse_file(file: &Path, text: &[u8]) -> Result<Self, Error> {
        let document = document::parse(text).map_err(|problem| Error::Malformed {
            file: file.to_owned(),
            problem,
        })?;
        Ok(document.into())
    }

    /// Adds what is not there yet.
    fn merge(&mut self, other: Self) {
        fn add<T>(to: &mut BTreeMap<String, T>, from: BTreeMap<String, T>) {
            for (name, entry) in from {
                to.entry(name).or_insert(entry);
            }
        }
        add(&mut self.clusters, other.clusters);
        add(&mut self.contexts, other.contexts);
        add(&mut self.users, other.users);
        if self.current_context.is_empty() {
            self.current_context = other.current_context;
        }
    }
}

impl From<Document> for Kubeconfig {
    fn from(document: Document) -> Self {
        Self {
            clusters: document.clusters.into_iter().collect(),
            contexts: document.contexts.into_iter().collect(),
            users: document.users.into_iter().collect(),
            current_context: document.current_context,
        }
    }
}

/// The files of a list as in `PATH`, each once; without a list, the one in the home directory.
fn default_files(list: Option<&OsStr>, home: Option<PathBuf>) -> Result<Vec<PathBuf>, Error> {
    let Some(list) = list.filter(|list| !list.is_empty()) else {
        let home = home.ok_or(Error::HomeUnknown)?;
        return Ok(vec![home.join(".kube").join("config")]);
    };
    let mut files: Vec<PathBuf> = Vec::new();
    for file in env::split_paths(list) {
        if !file.as_os_str().is_empty() && !files.contains(&file) {
            files.push(file);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes files into a folder, and gives their paths.
    fn files<const N: usize>(texts: [&str; N]) -> (tempfile::TempDir, [PathBuf; N]) {
        let folder = tempfile::tempdir().unwrap();
        let mut index = 0;
        let paths = texts.map(|text| {
            index += 1;
            let path = folder.path().join(format!("{index}.yaml"));
            std::fs::write(&path, text).unwrap();
            path
        });
        (folder, paths)
    }

    #[test]
    fn the_first_file_to_name_something_has_the_say() {
        let (folder, [first, second]) = files([
            "clusters: [{name: c, cluster: {server: https://first}}]\nusers: [{name: u, user: {username: a}}]",
            "clusters: [{name: c, cluster: {server: https://second, tls-server-name: x}}, {name: d, cluster: {server: https://d}}]\ncurrent-context: x\nusers: [{name: u, user: {password: p}}]",
        ]);
        let merged = Kubeconfig::load([&first, &folder.path().join("absent"), &second]).unwrap();
        assert_eq!(merged.clusters["c"].server, "https://first");
        assert_eq!(merged.clusters["c"].tls_server_name, None);
        assert_eq!(merged.clusters["d"].server, "https://d");
        assert_eq!(merged.users["u"].password, None);
        assert_eq!(merged.current_context, "x");
    }

    #[test]
    fn relative_paths_are_relative_to_the_file_that_has_them() {
        let text = "\
clusters: [{name: c, cluster: {certificate-authority: ca.crt}}]
users:
- name: u
  user:
    client-certificate: pki/u.crt
    client-key: /etc/u.key
    tokenFile: ../token
    exec: {command: ./plugin}
- {name: v, user: {exec: {command: plugin}}}";
        let (folder, [file]) = files([text]);
        let config = Kubeconfig::read(&file).unwrap();
        let user = &config.users["u"];
        let path = |name: &str| Some(folder.path().join(name));
        assert_eq!(config.clusters["c"].certificate_authority, path("ca.crt"));
        assert_eq!(user.client_certificate, path("pki/u.crt"));
        assert_eq!(user.client_key, Some("/etc/u.key".into()));
        assert_eq!(user.token_file, path("../token"));
        let command = &user.exec.as_ref().unwrap().command;
        assert_eq!(Path::new(command), folder.path().join("./plugin"));
        assert_eq!(config.users["v"].exec.as_ref().unwrap().command, "plugin");
    }

    #[test]
    fn a_file_that_was_asked_for_must_be_there_and_be_good() {
        let (folder, [file]) = files(["users: 3"]);
        let absent = Kubeconfig::read(folder.path().join("absent")).unwrap_err();
        assert!(matches!(absent, Error::Unreadable { .. }), "{absent}");
        let error = Kubeconfig::load([&file]).unwrap_err().to_string();
        assert!(
            error.ends_with("1.yaml is not a kubeconfig: users: expected a list, found a number"),
            "{error}"
        );
        assert!(
            Kubeconfig::load([folder.path()]).is_err(),
            "a folder is no file"
        );
    }

    #[test]
    fn the_default_files_are_those_of_kubectl() {
        let home = || Some(PathBuf::from("/home/jane"));
        let files = |list: &str| default_files(Some(OsStr::new(list)), home()).unwrap();
        assert_eq!(files("/a:/b:/a::"), [Path::new("/a"), Path::new("/b")]);
        assert_eq!(files(""), [Path::new("/home/jane/.kube/config")]);
        assert!(matches!(default_files(None, None), Err(Error::HomeUnknown)));
    }
}

//! The API server that conformance cases speak to.

use std::path::PathBuf;
use std::sync::LazyLock;

use crate::{Client, Kubeconfig, Kubectl, Server};

/// The variable that names the kubeconfig of another API server.
const VARIABLE: &str = "BURGEE_TEST_KUBECONFIG";

/// An API server under test: the one that `BURGEE_TEST_KUBECONFIG` leads to as an administrator, or
/// else a [`Server`] of its own.
pub struct Subject {
    kubeconfig: PathBuf,
    server: Option<&'static Server>,
}

impl Subject {
    /// The chosen server, the same for all tests of a process.
    ///
    /// # Panics
    ///
    /// If none was chosen and none can be started.
    #[must_use]
    pub fn chosen() -> &'static Self {
        static CHOSEN: LazyLock<Subject> = LazyLock::new(|| match std::env::var_os(VARIABLE) {
            Some(file) => Subject {
                kubeconfig: file.into(),
                server: None,
            },
            None => {
                let server = Server::start().leave_running();
                Subject {
                    kubeconfig: server.kubeconfig(),
                    server: Some(server),
                }
            }
        });
        &CHOSEN
    }

    /// Whether it is this project's server, so that it may be stricter than upstream.
    #[must_use]
    pub fn is_burgee(&self) -> bool {
        self.server.is_some()
    }

    /// The way in.
    #[must_use]
    pub fn kubeconfig(&self) -> Kubeconfig {
        Kubeconfig::read(&self.kubeconfig)
    }

    /// A client as its administrator.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(&self.kubeconfig())
    }

    /// kubectl as its administrator.
    #[must_use]
    pub fn kubectl(&self) -> Kubectl {
        Kubectl::new(&self.kubeconfig)
    }
}

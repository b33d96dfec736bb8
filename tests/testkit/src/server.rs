//! A `burgee serve` of one test.

use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{Client, Kubeconfig, Kubectl, burgee, credential_in, eventually};

/// What stands before the server's URL on the line that says that it is ready.
const READY: &str = "Serving at ";

/// A running server with its own data directory and port. Killed and removed when dropped; what it
/// printed is shown if the test failed.
pub struct Server {
    data: TempDir,
    arguments: Vec<String>,
    address: String,
    process: Option<Child>,
    log: Log,
}

/// How a server is to be started.
#[derive(Default)]
pub struct ServerOptions {
    arguments: Vec<String>,
    parent: Option<PathBuf>,
}

impl ServerOptions {
    /// Gives it further arguments.
    #[must_use]
    pub fn arguments<T: Into<String>>(mut self, arguments: impl IntoIterator<Item = T>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Has its data directory made within this one.
    #[must_use]
    pub fn within(mut self, directory: &Path) -> Self {
        self.parent = Some(directory.to_owned());
        self
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Panics
    ///
    /// If it does not become ready.
    #[must_use]
    #[track_caller]
    pub fn start(self) -> Server {
        let data = match &self.parent {
            Some(parent) => tempfile::tempdir_in(parent),
            None => tempfile::tempdir(),
        };
        let data = data.expect("a temporary directory can be made");
        let mut server = Server {
            data,
            arguments: self.arguments,
            address: "127.0.0.1:0".to_owned(),
            process: None,
            log: Log::default(),
        };
        server.launch();
        server
    }
}

impl Server {
    /// Starts a server as a new user would, and waits until it is ready.
    ///
    /// # Panics
    ///
    /// If it does not become ready.
    #[must_use]
    #[track_caller]
    pub fn start() -> Self {
        Self::options().start()
    }

    /// Starts a server with options.
    #[must_use]
    pub fn options() -> ServerOptions {
        ServerOptions::default()
    }

    /// Its data directory.
    #[must_use]
    pub fn data_directory(&self) -> PathBuf {
        self.data.path().join("data")
    }

    /// The kubeconfig that it wrote for its administrator.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.data_directory().join("admin.kubeconfig")
    }

    /// Where it listens, as `ADDRESS:PORT`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// kubectl as its administrator.
    #[must_use]
    pub fn kubectl(&self) -> Kubectl {
        Kubectl::new(&self.kubeconfig())
    }

    /// A client as its administrator.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(&Kubeconfig::read(&self.kubeconfig()))
    }

    /// Everything it printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Leaves it running for all tests of this process. It ends, and its directory goes, when the
    /// process ends in whatever way.
    ///
    /// # Panics
    ///
    /// If it is not running, or nobody can be found to watch over it.
    #[must_use]
    pub fn leave_running(self) -> &'static Self {
        let process = self.process.as_ref().expect("the server is running");
        // Nothing in this process runs at its end, but its pipes are closed.
        let guard = Command::new("sh")
            .args(["-c", "read _; kill -9 \"$1\"; rm -rf -- \"$2\"", "guard"])
            .arg(process.id().to_string())
            .arg(self.data.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell starts");
        let (server, _) = Box::leak(Box::new((self, guard)));
        server
    }

    /// Asks it to end, as a service manager does, and waits until it has.
    ///
    /// # Panics
    ///
    /// If it does not end, or is not running.
    #[track_caller]
    pub fn stop(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("the server is running");
        let id = Pid::from_child(&process);
        kill_process(id, Signal::TERM).expect("a child can be told to end");
        eventually("the server's end", || process.try_wait().ok().flatten())
    }

    /// Kills it without warning (signal 9).
    ///
    /// # Panics
    ///
    /// If it is not running.
    #[track_caller]
    pub fn kill(&mut self) {
        let mut process = self.process.take().expect("the server is running");
        process.kill().expect("a child can be killed");
        process.wait().expect("a killed child ends");
    }

    /// Starts it again after [`Server::stop`] or [`Server::kill`], where it was before.
    ///
    /// # Panics
    ///
    /// If it is still running, or does not become ready.
    #[track_caller]
    pub fn launch(&mut self) {
        assert!(self.process.is_none(), "the server is running");
        let mut command = burgee();
        command
            .arg("serve")
            .arg("--data-dir")
            .arg(self.data_directory())
            .args(["--bind", &self.address])
            .args(&self.arguments)
            .args(log_level(&self.arguments))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = command.spawn().expect("the built program starts");
        if let Some(credential) = credential_in(&self.log.text()) {
            panic!("the server printed the credential {credential}");
        }
        self.log = Log::default();
        self.log
            .keep(process.stdout.take().expect("its output is piped"));
        self.log
            .keep(process.stderr.take().expect("its output is piped"));
        let process = self.process.insert(process);
        let log = &self.log;
        let url = eventually("the server to say that it is ready", || {
            if let Some(status) = process.try_wait().expect("a child can be asked") {
                panic!("the server ended with {status}:\n{}", log.text());
            }
            log.find(READY)
        });
        self.address = url.trim_start_matches("https://").to_owned();
        let client = self.client();
        eventually("/readyz", || {
            let answer = client.try_send("GET", "/readyz", &[], b"").ok()?;
            (answer.status == 200).then_some(())
        });
    }
}

impl Drop for Server {
    /// Ends it, and looks through everything that it printed for credentials.
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
        let log = self.log.text();
        if let Some(credential) = credential_in(&log).filter(|_| !thread::panicking()) {
            panic!("the server printed the credential {credential}");
        }
        if thread::panicking() {
            eprintln!(
                "--- the server at {} printed:\n{}",
                self.address,
                self.log.text()
            );
        }
    }
}

/// The log level of `BURGEE_TEST_LOG_LEVEL`, for tests that ask for none.
fn log_level(arguments: &[String]) -> Option<String> {
    let is_level = |argument: &String| argument.starts_with("--log-level");
    let level = std::env::var("BURGEE_TEST_LOG_LEVEL").ok()?;
    (!arguments.iter().any(is_level)).then(|| format!("--log-level={level}"))
}

/// What a process prints, from both of its streams.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn keep(&self, stream: impl Read + Send + 'static) {
        let log = self.clone();
        thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                log.0.lock().unwrap().push(line);
            }
        });
    }

    /// What follows this beginning of a line, once there is such a line.
    fn find(&self, beginning: &str) -> Option<String> {
        let lines = self.0.lock().unwrap();
        lines
            .iter()
            .find_map(|line| line.strip_prefix(beginning))
            .map(str::to_owned)
    }

    fn text(&self) -> String {
        self.0.lock().unwrap().join("\n")
    }
}

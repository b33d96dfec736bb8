//! `burgee serve`: its settings, and the plan that they make.
//!
//! A setting comes from its flag, else from the field of the same name in the file that `--config`
//! names, else it has its default. [`Arguments::settings`] merges the three, `--print-config` shows
//! the result as such a file, and [`ServeConfig::resolve`] checks it.

mod authentication;
mod authenticators;
mod config;
mod greeting;
mod local_transport;
mod run;
mod settings;
mod watch;

use std::env;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

pub use authentication::{AuthenticationConfig, FrontProxyConfig, JwtConfig, WebhookConfig};
pub use config::{InvalidConfig, Problem, ServeConfig, ServiceAccountConfig};
pub use greeting::greeting;
pub use settings::{FileError, Settings};

/// Serve the identity part of the Kubernetes API
///
/// On first start the data directory gets a certificate authority, certificates, a key for
/// service-account tokens and a kubeconfig; later starts use them again.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:\n  \
    burgee serve\n  \
    burgee serve --bind 0.0.0.0:6443 --tls-san api.example.com\n  \
    burgee serve --config burgee.yaml --print-config")]
pub struct Arguments {
    /// YAML file with settings, named as the flags without their dashes. Flags override it. Relative
    /// paths in it start from the current directory, as those in flags do
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print the settings that result from flags, file and defaults as such a file, and exit
    #[arg(long)]
    print_config: bool,
    /// Check the settings and the files of authentication that they name, and exit
    #[arg(long)]
    validate_config: bool,
    #[command(flatten)]
    settings: Settings,
}

/// Where a user's data belongs, by the XDG base directory specification.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DataHome {
    /// `XDG_DATA_HOME`.
    pub xdg_data_home: Option<PathBuf>,
    /// `HOME`.
    pub home: Option<PathBuf>,
}

impl DataHome {
    /// What the process's environment says.
    #[must_use]
    pub fn from_environment() -> Self {
        Self {
            xdg_data_home: env::var_os("XDG_DATA_HOME").map(PathBuf::from),
            home: env::var_os("HOME").map(PathBuf::from),
        }
    }

    /// The default data directory. The specification has relative paths ignored.
    #[must_use]
    pub fn data_directory(&self) -> Option<PathBuf> {
        let home = self.home.as_ref().map(|home| home.join(".local/share"));
        [self.xdg_data_home.clone(), home]
            .into_iter()
            .flatten()
            .find(|directory| directory.is_absolute())
            .map(|directory| directory.join("burgee"))
    }
}

impl Arguments {
    /// Whether the settings are to be printed only.
    #[must_use]
    pub fn print_config(&self) -> bool {
        self.print_config
    }

    /// Whether the settings are to be checked only.
    #[must_use]
    pub fn validate_config(&self) -> bool {
        self.validate_config
    }

    /// The settings from flags, file and defaults.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn settings(&self, data_home: &DataHome) -> Result<Settings, FileError> {
        let file = match &self.config {
            Some(file) => Settings::from_file(file)?,
            None => Settings::default(),
        };
        let defaults = Settings {
            data_dir: data_home.data_directory(),
            ..Settings::defaults()
        };
        Ok(self.settings.clone().or(file).or(defaults))
    }
}

/// Opens the sockets, so that the ports are known before certificates and kubeconfig name them.
///
/// # Errors
/// The first address that could not be had.
pub fn bind(addresses: &[SocketAddr]) -> anyhow::Result<Vec<TcpListener>> {
    let listener = |address: &SocketAddr| {
        let listener =
            TcpListener::bind(address).with_context(|| format!("cannot listen on {address}"))?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    addresses.iter().map(listener).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn home(xdg_data_home: Option<&str>, home: Option<&str>) -> DataHome {
        DataHome {
            xdg_data_home: xdg_data_home.map(PathBuf::from),
            home: home.map(PathBuf::from),
        }
    }

    #[test]
    fn the_data_directory_is_where_xdg_has_it() {
        let cases = [
            (home(Some("/x"), Some("/h")), Some("/x/burgee")),
            (home(Some("x"), Some("/h")), Some("/h/.local/share/burgee")),
            (home(Some(""), Some("/h")), Some("/h/.local/share/burgee")),
            (home(None, Some("/h")), Some("/h/.local/share/burgee")),
            (home(None, None), None),
        ];
        for (home, expected) in cases {
            assert_eq!(home.data_directory(), expected.map(PathBuf::from));
        }
    }

    #[test]
    fn what_print_config_prints_makes_the_same_plan_when_it_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("burgee.yaml");
        let home = home(None, Some("/h"));
        let given = ["serve", "--tls-san=a.example", "--api-audiences=a,b"];
        let first = Cli::parse_from(given).arguments.settings(&home).unwrap();
        std::fs::write(&file, first.to_yaml().unwrap()).unwrap();

        let again = ["serve", "--config", file.to_str().unwrap()];
        let second = Cli::parse_from(again)
            .arguments
            .settings(&DataHome::default())
            .unwrap();
        assert_eq!(second, first);
        assert_eq!(ServeConfig::resolve(second), ServeConfig::resolve(first));
    }

    #[test]
    fn an_address_in_use_is_named() {
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = held.local_addr().unwrap();
        let error = bind(&["127.0.0.1:0".parse().unwrap(), address]).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot listen on {address}"));
    }
}

//! `burgee version`.

use clap::Args;
use serde::Serialize;

use crate::failure::Failure;
use crate::output::{Output, Present};

/// Show the version of this program
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  burgee version --output json")]
pub(crate) struct Arguments {
    /// How to write it
    #[arg(long, short, value_name = "FORMAT", default_value = "table")]
    output: Output,
}

/// The fields' names are those of `kubectl version --output json`, where it has them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    version: &'static str,
    platform: String,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        self.output.print(&Version {
            version: concat!("v", env!("CARGO_PKG_VERSION")),
            platform: format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
        })
    }
}

impl Present for Version {
    fn table(&self) -> Vec<Vec<String>> {
        vec![
            vec!["VERSION".to_owned(), "PLATFORM".to_owned()],
            vec![self.version.to_owned(), self.platform.clone()],
        ]
    }
}

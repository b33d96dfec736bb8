//! The embedded engine keeps the contract.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests: a panic is the verdict"
)]

use burgee_store::conformance::Subject;
use burgee_store::{EmbeddedOptions, EmbeddedStore};

async fn fresh() -> Subject {
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(directory.path(), EmbeddedOptions::default()).unwrap();
    Subject::new(store, directory)
}

burgee_store::conformance_tests!(fresh);

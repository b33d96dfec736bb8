//! Tokens judged against real HTTPS providers.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that panics has failed"
)]

mod discovery;
mod distributed;
mod examine;
mod keys;
mod provider;
mod reloading;
mod replacing;
mod tokens;
mod world;

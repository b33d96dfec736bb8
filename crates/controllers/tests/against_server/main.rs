//! The controllers against Burgee's own server, without a socket between them.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that panics has failed, which is what tests are for"
)]

mod garbage;
mod namespaces;
mod publishing;
mod roles;
mod running;
mod support;

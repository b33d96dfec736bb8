//! The rules of every kind, one refusal each.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod core;
mod metadata;
mod pod;
mod testkit;

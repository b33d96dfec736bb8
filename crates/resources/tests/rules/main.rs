//! The rules of every kind, one refusal each.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod data;
mod every_kind;
mod metadata;
mod pod;
mod pod_changes;
mod pod_row;
mod scope;
mod signals;
mod testkit;

//! End-to-end tests: real clients against real processes.
//!
//! Every test starts its own server, so all of them run at the same time. `cargo xtask test e2e`
//! builds the program, installs the clients and runs them.

#[cfg(test)]
mod authentication;
#[cfg(test)]
mod explain;
#[cfg(test)]
mod kube_rs;
#[cfg(test)]
mod kubectl;
#[cfg(test)]
mod libraries;
#[cfg(test)]
mod readme;
#[cfg(test)]
mod restart;
#[cfg(test)]
mod secrecy;
#[cfg(test)]
mod usage;

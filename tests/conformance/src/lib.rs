//! What a Kubernetes API server does, asked over HTTPS.
//!
//! The cases speak to one server and each keeps to a namespace of its own, so all of them run at the
//! same time. The server is a `burgee serve`, or the one that the kubeconfig named by
//! `BURGEE_TEST_KUBECONFIG` leads to as an administrator: what they assert is upstream's behaviour.
//! `BURGEE_TEST_UPSTREAM_ONLY=1` leaves out the few that hold Burgee to more.
//!
//! Three parts speak to Burgee only: `golden` replays what was recorded from a real kube-apiserver,
//! `given` shows it credentials made with keys that it was given, and `faults` kills it, fills its
//! disk and damages its files. `BURGEE_LONG_TESTS=1` makes the faults many more, and waits for the
//! server's long time-outs.

#[cfg(test)]
mod cases;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod given;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod support;

//! The example token's Secret, for tests to change.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use burgee_wire::Object;
use jiff::Timestamp;

use crate::{BootstrapGroup, NODE_GROUP, Token, TokenRecord, TokenSpec, Usages};

pub(crate) const TOKEN: &str = "07401b.f395accd246ae52d";

/// An authority (P-256) whose pin begins with `2a5eeed5`.
pub(crate) const AUTHORITY: &str = "-----BEGIN CERTIFICATE-----
MIIBcTCCARagAwIBAgIUbUJW4NfgCrc7s6iKOPK41ThfxHEwCgYIKoZIzj0EAwIw
FTETMBEGA1UEAwwKa3ViZXJuZXRlczAgFw0yNjExMjExOTM5MjFaGA8yMTI2MTAy
ODE5MzkyMVowFTETMBEGA1UEAwwKa3ViZXJuZXRlczBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABHNaNIl88JMK26LzxNpRFLJ1GCipCCm9zQa2MAEC7YVbdHewRhOn
Kr/ab0G5iGh4jNnZEEsvcwYi9J2J6OguzI+jQjBAMA8GA1UdEwEB/wQFMAMBAf8w
DgYDVR0PAQH/BAQDAgKkMB0GA1UdDgQWBBR5Wv4gx1nA3ybkiZaSG09LFWhpLDAK
BggqhkjOPQQDAgNJADBGAiEAhO4fFz9j+qa+u87t2ApoFGWzAewQ09kOg/i+Y5jd
NjsCIQCZM6oDf6BfIvNjBUVSJWm+xe92qFzOoweZvQJ44snEMw==
-----END CERTIFICATE-----
";

pub(crate) fn token() -> Token {
    TOKEN.parse().unwrap()
}

pub(crate) fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// As `token create 07401b.f395accd246ae52d --ttl 24h --description demo` writes it.
pub(crate) fn example() -> Object {
    let groups = BootstrapGroup::parse_list(NODE_GROUP).unwrap();
    TokenSpec::new(token(), Usages::ALL, groups)
        .unwrap()
        .with_description("demo")
        .expiring_at("2026-01-02T03:04:05Z".parse().unwrap())
        .to_object()
}

/// The Secret with this value in its data.
pub(crate) fn with(mut object: Object, key: &str, value: &str) -> Object {
    object.content["data"][key] = STANDARD.encode(value).into();
    object
}

pub(crate) fn record(object: &Object) -> TokenRecord {
    TokenRecord::from_object(object)
}

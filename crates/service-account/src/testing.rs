//! A small world that tests change as they like.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use burgee_identity::SettableClock;
use burgee_jose::{PrivateKey, PublicKey, SigningKey};

use crate::{BoxFuture, LookupError, ObjectFacts, ObjectKind, ObjectLookup, ObjectRef};

pub(crate) const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
pub(crate) const ACCOUNT_UID: &str = "8a3b1c5e-5a0e-4b43-9a3e-6a6f8b0f2d11";
pub(crate) const POD_UID: &str = "c0ffee00-0000-4000-8000-000000000001";
pub(crate) const NODE_UID: &str = "d00d0000-0000-4000-8000-000000000002";
pub(crate) const START: &str = "2026-01-01T00:00:00Z";

/// The private half of the specification's key K1 (P-256).
pub(crate) const K1: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgQqO7/fqEvzLhCr1zmLCYJaUZyA1jJNoFr1zwqaZOzJChRANCAAT70TzI9TYQOHNYYgYR9cFhtYYAuU80l9PIUerNgjktpNelqwCQkICdR+yPbCYK62BxHx5DkeiKZJ9PyFTR+yqQ";

/// The private half of the specification's key K2 (RSA-2048).
pub(crate) const K2: &str = "MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQCpMhi283+NE7s6UMDTe84/HDO3lPX7DSMW6lIH8YGVGCrGVnMwLThpncidb1tJHpiZl8+UXukXJiQ3hPnT1Od5o4kXhb7IeAaSiW8UpfKiTgae//Sl9P29uPznJbH7eRYAYr9lqB0FkkIlv5bQLQN2vj0d76GLIgaFxQKjrG/I5nQRfkkVEYVEY4eBUXrwvF9u45acfAp+p9oFNBJB4ePkKSvUIVGRQ9GsvSVuTIBRkt7yuU83mHmB0XHlNQZNbGuTUdUPTV9ZHPtNLcATXHMnplp/cB2c2wkHIJ59xXMV86zV24i46izoGhKmRj5e1MBHyV+L2X53rLyHoL0OpTHNAgMBAAECggEAKWAVWCQKtJq3JecaiH0Vriw8329/icGoK5HotoWSHT44M6FvcMAWNAnARfO13JctVR4hRpTBJoaOw77ygyFk68OYolZ0Fbz4SnxuXBvKznMLPnW0Q6M6K9uhiPsYX7k4Lqb3TCpE0ph2MZn9DPJ9DtwtwPTZSddrxemsIA9qlLOUN0KoaPveLDcI+DRjIZ9IbGX81Ti0XIHU4tPH9DF4jYcOWa5l9ZvHU44bcoLeKRn6TfZQ4iDtbbxID5Tzmv7LtnsuKLqLHbR3yPkkmFQ8duhSKubnZHogEf/G3m2R4rsdM8KOjHWu/dIzK3S8Ond/cXbk1pqVNzJPuVFzoIp8AQKBgQDld1ugzPJS5ob9+sABu6OnAOqoWYXXDeex/bRJ8vm71lAU8aGrjPg4CCxKkkUqX48t6cmzCn1sbaaMkjJ0cBlq9SNKL03bN75vD1qK0Ov85Z0uzpei79LIM5QY43EPaCQYSb19oReNDMTbvuEgK2IRH5JmLIK2P8IHhoguIF43zQKBgQC8wp1GiY+fwIz6X/p8dTc6qr7CZRaui48ioLDVLOJo+HlCEMEIsXf7065NVwkvl+fLlXou2qlHUt5MRJf9xlDf5k/ikC7dPBuSJxRxYmeyHdPFGN9He4vBMh1fQU1VAKAuCgRF6Eot4KIOKzpo5eSPoDwMgj4Q4Ks8yQq9+RTiAQKBgBFTFaPqVVFU/lQmnmCDHjP5qb3UJHq8HgYeNYJvydMYtysdoysklYkFdPKcYIR2eoTo5cWSwS1yieSLFSwdWo3svCFZuPMYHlScQCXC6E5Lt7ZU+rXejXd4DXJjmaGkJzV+O8REaVbI5AQDQVQAcoMAczkrmyLPZYLT8WwqHXLxAoGAXXlqdPHOI+gwaBR7cIKDVRQU3yM8Njd6LEWzC/3sKNtTAPpW/T0VE6nh2P7O17i72r8tAGLcDSvmVZJqSguZJSdiS+nmqzwG0ztzDisS+st2gVYty7JMpOFyVid6aiujJuli8FN12H4zAh06EZQ2uUE6O1+L6MO5SKKuJSFhzAECgYB7aMVjpnaKwnWW8L5KK6x5lZlp835FssggHCvzVg+DcFV5W5ypRvL+TXqokwCZAe7/YGqlwHxrrvTUFHInmSWZWa1Okg82IxeXjHJnmlOL4nBu7vwgjVIw0khIv+MFYR+xJTaqsGr5SlGrqIv4UE0cBGUy1GP8+IxhmzHo1rtWng==";

pub(crate) fn signing_key(base64: &str) -> SigningKey {
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{base64}\n-----END PRIVATE KEY-----\n");
    SigningKey::new(PrivateKey::from_pem(pem.as_bytes()).unwrap())
}

pub(crate) fn public_key(base64: &str) -> PublicKey {
    signing_key(base64).private_key().public_key().clone()
}

pub(crate) fn clock() -> Arc<SettableClock> {
    Arc::new(SettableClock::at(START.parse().unwrap()))
}

type Objects = BTreeMap<(ObjectKind, String, String), Result<ObjectFacts, LookupError>>;

/// Objects as memory and as the store have them.
#[derive(Debug, Default)]
pub(crate) struct World {
    cached: Mutex<Objects>,
    stored: Mutex<Objects>,
    pub(crate) live_reads: Mutex<Vec<String>>,
}

pub(crate) fn facts(uid: &str) -> ObjectFacts {
    ObjectFacts {
        uid: uid.to_owned(),
        ..ObjectFacts::default()
    }
}

/// The pod `web-0` on `node-1`.
pub(crate) fn pod() -> ObjectFacts {
    ObjectFacts {
        service_account_name: "builder".into(),
        node_name: "node-1".into(),
        ..facts(POD_UID)
    }
}

impl World {
    /// The specification's objects, stored but not in memory.
    pub(crate) fn example() -> Arc<Self> {
        let world = Arc::new(Self::default());
        world.store(ObjectKind::ServiceAccount, "builder", facts(ACCOUNT_UID));
        world.store(ObjectKind::Pod, "web-0", pod());
        world.store(ObjectKind::Node, "node-1", facts(NODE_UID));
        world.store(ObjectKind::Secret, "s1", facts("s-uid"));
        world
    }

    pub(crate) fn store(&self, kind: ObjectKind, name: &str, facts: ObjectFacts) {
        self.stored
            .lock()
            .unwrap()
            .insert(key(kind, name), Ok(facts));
    }

    pub(crate) fn cache(&self, kind: ObjectKind, name: &str, facts: ObjectFacts) {
        self.cached
            .lock()
            .unwrap()
            .insert(key(kind, name), Ok(facts));
    }

    pub(crate) fn delete(&self, kind: ObjectKind, name: &str) {
        self.stored.lock().unwrap().remove(&key(kind, name));
        self.cached.lock().unwrap().remove(&key(kind, name));
    }

    pub(crate) fn fail(&self, kind: ObjectKind, name: &str, problem: &str) {
        let failed = Err(LookupError::Failed(problem.to_owned()));
        self.stored.lock().unwrap().insert(key(kind, name), failed);
    }
}

fn key(kind: ObjectKind, name: &str) -> (ObjectKind, String, String) {
    let namespace = if kind == ObjectKind::Node {
        ""
    } else {
        "team-a"
    };
    (kind, namespace.to_owned(), name.to_owned())
}

impl ObjectLookup for World {
    fn cached(&self, object: ObjectRef<'_>) -> Option<ObjectFacts> {
        let key = (
            object.kind,
            object.namespace.to_owned(),
            object.name.to_owned(),
        );
        self.cached.lock().unwrap().get(&key)?.clone().ok()
    }

    fn live<'a>(
        &'a self,
        object: ObjectRef<'a>,
    ) -> BoxFuture<'a, Result<ObjectFacts, LookupError>> {
        let name = format!("{}/{}", object.kind.resource(), object.name);
        self.live_reads.lock().unwrap().push(name);
        let key = (
            object.kind,
            object.namespace.to_owned(),
            object.name.to_owned(),
        );
        let found = self.stored.lock().unwrap().get(&key).cloned();
        Box::pin(std::future::ready(
            found.unwrap_or(Err(LookupError::NotFound)),
        ))
    }
}

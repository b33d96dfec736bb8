//! The values that the contract speaks in: revisions, keys with their values, and events.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

/// A point in the history of a whole store: every write moves it forward by one.
///
/// A new store stands at revision 1, as etcd's does, so the first write gets revision 2. Revision 0
/// never names a state; where a request takes one, 0 means "the newest" as in etcd's API.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Revision(pub u64);

impl Revision {
    /// The revision after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A key with the value that it had after one revision. Cloning it copies no bytes.
///
/// Values hold Secrets, so `Debug` shows only how long the value is.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyValue {
    /// The key.
    pub key: Arc<str>,
    /// The value, opaque to the store.
    pub value: Bytes,
    /// The revision that created the key; a key that was deleted and created again counts anew.
    pub create_revision: Revision,
    /// The revision that wrote this value.
    pub mod_revision: Revision,
}

impl fmt::Debug for KeyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyValue")
            .field("key", &self.key)
            .field("value", &format_args!("{} bytes", self.value.len()))
            .field("create_revision", &self.create_revision)
            .field("mod_revision", &self.mod_revision)
            .finish()
    }
}

/// What one revision did to one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The key was created or got a new value.
    Put {
        /// The key as it is after the event; its `mod_revision` is the event's revision.
        kv: KeyValue,
        /// The key as it was before, `None` if the event created it.
        previous: Option<KeyValue>,
    },
    /// The key was deleted.
    Delete {
        /// The key.
        key: Arc<str>,
        /// The revision of the deletion.
        revision: Revision,
        /// The key as it was before. `None` only where an engine no longer has it.
        previous: Option<KeyValue>,
    },
}

impl Event {
    /// The key that the event is about.
    #[must_use]
    pub fn key(&self) -> &Arc<str> {
        match self {
            Self::Put { kv, .. } => &kv.key,
            Self::Delete { key, .. } => key,
        }
    }

    /// The revision at which the event happened.
    #[must_use]
    pub fn revision(&self) -> Revision {
        match self {
            Self::Put { kv, .. } => kv.mod_revision,
            Self::Delete { revision, .. } => *revision,
        }
    }

    /// The key as it was before the event.
    #[must_use]
    pub fn previous(&self) -> Option<&KeyValue> {
        match self {
            Self::Put { previous, .. } | Self::Delete { previous, .. } => previous.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_never_shows_a_value() {
        let kv = KeyValue {
            key: "/registry/secrets/default/a".into(),
            value: Bytes::from_static(b"hunter2"),
            create_revision: Revision(2),
            mod_revision: Revision(3),
        };
        let event = Event::Put {
            previous: Some(kv.clone()),
            kv,
        };
        let shown = format!("{event:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("7 bytes"), "{shown}");
        assert!(shown.contains("/registry/secrets/default/a"), "{shown}");
    }
}

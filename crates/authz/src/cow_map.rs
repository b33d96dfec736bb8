//! A hash map whose copies share what did not change since.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

/// With 10,000 entries a shard holds about 40, and that is what the first change after a copy costs.
const SHARDS: usize = 256;

type Shard<V> = Arc<HashMap<Arc<str>, V>>;

/// A map from text to `V`. Copying it costs one pointer per shard; a change after that copies one
/// shard. Both are needed because snapshots are taken after every change.
#[derive(Clone, Debug)]
pub(crate) struct CowMap<V> {
    shards: Arc<[Shard<V>]>,
    hasher: RandomState,
}

impl<V> Default for CowMap<V> {
    fn default() -> Self {
        let empty = Arc::new(HashMap::new());
        Self {
            shards: (0..SHARDS).map(|_| Arc::clone(&empty)).collect(),
            hasher: RandomState::new(),
        }
    }
}

impl<V: Clone> CowMap<V> {
    pub(crate) fn get(&self, key: &str) -> Option<&V> {
        self.shards.get(self.shard_of(key))?.get(key)
    }

    pub(crate) fn insert(&mut self, key: &str, value: V) {
        self.shard_mut(key).insert(key.into(), value);
    }

    pub(crate) fn remove(&mut self, key: &str) {
        if self.get(key).is_some() {
            self.shard_mut(key).remove(key);
        }
    }

    /// The value of `key`, made if it is not there, for a change in place.
    pub(crate) fn entry(&mut self, key: &str) -> &mut V
    where
        V: Default,
    {
        self.shard_mut(key).entry(key.into()).or_default()
    }

    #[allow(
        clippy::cast_possible_truncation,
        reason = "a remainder of 256 fits into every integer"
    )]
    fn shard_of(&self, key: &str) -> usize {
        (self.hasher.hash_one(key) % SHARDS as u64) as usize
    }

    #[allow(
        clippy::indexing_slicing,
        reason = "there are as many shards as remainders"
    )]
    fn shard_mut(&mut self, key: &str) -> &mut HashMap<Arc<str>, V> {
        let shard = self.shard_of(key);
        Arc::make_mut(&mut Arc::make_mut(&mut self.shards)[shard])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_does_not_see_later_changes() {
        let mut map = CowMap::default();
        for number in 0..1000 {
            map.insert(&number.to_string(), number);
        }
        let copy = map.clone();
        map.insert("7", -7);
        map.remove("8");
        map.remove("absent");
        assert_eq!((copy.get("7"), copy.get("8")), (Some(&7), Some(&8)));
        assert_eq!((map.get("7"), map.get("8")), (Some(&-7), None));
        assert_eq!(map.get("999"), Some(&999));
    }
}

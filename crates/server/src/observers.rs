//! Who is told of changes before they count: authorization, and the cache of judged tokens.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use burgee_authn::Chain;
use burgee_identity::UserInfo;
use burgee_resources::Resource;

use crate::authorization::Authorization;
use crate::cache::{Caches, Change, Observer};

/// The extra facts of a token's user that name what it is bound to.
const POD_NAME: &str = "authentication.kubernetes.io/pod-name";
const NODE_NAME: &str = "authentication.kubernetes.io/node-name";

/// Keeps what decisions are made from as new as the caches.
///
/// The token cache would remember a token for seconds after what it is bound to was deleted; upstream
/// does. Here the deletion takes it out.
pub(crate) struct Observers {
    authorization: Arc<Authorization>,
    chain: OnceLock<Arc<Chain>>,
    gone: Mutex<Gone>,
}

/// What was deleted since the last batch was complete.
#[derive(Default)]
struct Gone {
    /// User names of service accounts.
    users: HashSet<String>,
    /// Namespaces in which Secrets were deleted: a token does not tell which Secret it is bound to.
    namespaces: HashSet<String>,
    /// Namespaces and names.
    pods: HashSet<(String, String)>,
    nodes: HashSet<String>,
}

impl Observers {
    pub(crate) fn new(authorization: Arc<Authorization>) -> Self {
        Self {
            authorization,
            chain: OnceLock::new(),
            gone: Mutex::default(),
        }
    }

    /// From now on deletions reach this chain's token cache.
    pub(crate) fn attach(&self, chain: Arc<Chain>) {
        // There is one chain for the life of a server.
        let _ = self.chain.set(chain);
    }

    fn take(&self) -> Gone {
        std::mem::take(&mut *self.gone.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Observer for Observers {
    fn reset(&self, caches: &Caches) {
        self.authorization.reset(caches);
        if let Some(chain) = self.chain.get() {
            chain.token_cache().clear();
        }
    }

    fn observe(&self, resource: &'static Resource, change: &Change) {
        self.authorization.observe(resource, change);
        let (Some(before), None) = (&change.before, &change.after) else {
            return;
        };
        if !resource.group.is_empty() {
            return;
        }
        let (namespace, name) = (before.namespace(resource).to_owned(), before.name());
        let mut gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        match resource.plural {
            "serviceaccounts" => {
                gone.users
                    .insert(format!("system:serviceaccount:{namespace}:{name}"));
            }
            "secrets" => {
                gone.namespaces.insert(namespace);
            }
            "pods" => {
                gone.pods.insert((namespace, name.to_owned()));
            }
            "nodes" => {
                gone.nodes.insert(name.to_owned());
            }
            _ => {}
        }
    }

    fn settle(&self) {
        self.authorization.settle();
        let gone = self.take();
        if let Some(chain) = self.chain.get()
            && !gone.is_empty()
        {
            chain.token_cache().forget(|user| gone.concerns(user));
        }
    }
}

impl Gone {
    fn is_empty(&self) -> bool {
        self.users.is_empty()
            && self.namespaces.is_empty()
            && self.pods.is_empty()
            && self.nodes.is_empty()
    }

    /// Whether a token of this user may be bound to something that is gone.
    fn concerns(&self, user: &UserInfo) -> bool {
        let Some(account) = user.name.strip_prefix("system:serviceaccount:") else {
            return false;
        };
        let namespace = account.split(':').next().unwrap_or_default();
        let names = |key| user.extra.get(key).into_iter().flatten();
        let pod = |name: &String| self.pods.contains(&(namespace.to_owned(), name.clone()));
        self.users.contains(&user.name)
            || self.namespaces.contains(namespace)
            || names(POD_NAME).any(pod)
            || names(NODE_NAME).any(|name| self.nodes.contains(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn robot(extra: &[(&str, &str)]) -> UserInfo {
        let mut user = UserInfo::named("system:serviceaccount:ns:robot");
        for (key, value) in extra {
            user.extra
                .insert((*key).to_owned(), vec![(*value).to_owned()]);
        }
        user
    }

    #[test]
    fn only_tokens_that_may_be_bound_to_what_is_gone_are_forgotten() {
        let gone = Gone {
            users: ["system:serviceaccount:ns:other".to_owned()].into(),
            namespaces: ["elsewhere".to_owned()].into(),
            pods: [("ns".to_owned(), "web-0".to_owned())].into(),
            nodes: ["n1".to_owned()].into(),
        };
        assert!(!gone.concerns(&robot(&[])));
        assert!(!gone.concerns(&robot(&[(POD_NAME, "web-1"), (NODE_NAME, "n2")])));
        assert!(gone.concerns(&robot(&[(POD_NAME, "web-0")])));
        assert!(gone.concerns(&robot(&[(NODE_NAME, "n1")])));
        assert!(gone.concerns(&UserInfo::named("system:serviceaccount:ns:other")));
        assert!(gone.concerns(&UserInfo::named("system:serviceaccount:elsewhere:x")));
        assert!(!gone.concerns(&UserInfo::named("jane")));
    }
}

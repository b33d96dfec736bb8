//! What an authorizer says, and who is asked.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use burgee_identity::names;

use crate::Attributes;
use crate::snapshot::Binding;

/// Decides whether a request may go ahead.
///
/// A decision never waits: whatever it needs is in memory.
pub trait Authorizer: Send + Sync {
    /// What this authorizer thinks of a request.
    fn authorize(&self, attributes: &Attributes<'_>) -> Decision;
}

/// What an authorizer says. Only [`Decision::Allow`] lets a request pass; the others differ in whether
/// the next authorizer is asked.
#[derive(Clone, Debug)]
pub enum Decision {
    /// It may go ahead.
    Allow(Reason),
    /// It may not, whatever others say.
    Deny(Reason),
    /// Nothing speaks for it here.
    NoOpinion(Reason),
}

impl Decision {
    /// Whether the request may go ahead.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allow(_))
    }

    /// Whether the request is expressly refused.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Deny(_))
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        match self {
            Self::Allow(reason) | Self::Deny(reason) | Self::NoOpinion(reason) => reason,
        }
    }
}

/// Why a decision was made, in kube-apiserver's words. It costs nothing until it is printed.
#[derive(Clone, Debug, Default)]
pub struct Reason(Inner);

#[derive(Clone, Debug, Default)]
enum Inner {
    #[default]
    None,
    Grant {
        binding: Arc<Binding>,
        subject: usize,
    },
    Text(Cow<'static, str>),
}

impl Reason {
    /// No reason is given.
    pub const NONE: Self = Self(Inner::None);

    /// Whether there is nothing to print.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Inner::None => true,
            Inner::Grant { .. } => false,
            Inner::Text(text) => text.is_empty(),
        }
    }

    /// A binding allows it, by its subject number `subject`.
    pub(crate) fn grant(binding: Arc<Binding>, subject: usize) -> Self {
        Self(Inner::Grant { binding, subject })
    }
}

impl<T: Into<Cow<'static, str>>> From<T> for Reason {
    fn from(text: T) -> Self {
        Self(Inner::Text(text.into()))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Inner::None => Ok(()),
            Inner::Grant { binding, subject } => {
                f.write_str("RBAC: allowed by ")?;
                binding.describe(*subject, f)
            }
            Inner::Text(text) => f.write_str(text),
        }
    }
}

/// Allows whatever members of a group ask for (`authorizerfactory.NewPrivilegedGroups`).
#[derive(Clone, Debug)]
pub struct PrivilegedGroup(Cow<'static, str>);

impl PrivilegedGroup {
    /// `system:masters`.
    #[must_use]
    pub const fn masters() -> Self {
        Self(Cow::Borrowed(names::MASTERS))
    }
}

impl Authorizer for PrivilegedGroup {
    fn authorize(&self, attributes: &Attributes<'_>) -> Decision {
        if attributes.user.in_group(&self.0) {
            Decision::Allow(Reason::NONE)
        } else {
            Decision::NoOpinion(Reason::NONE)
        }
    }
}

/// Asks authorizers in turn until one allows or denies (`union.New`). Without such a one it has no
/// opinion, for all the reasons that were given, one a line.
#[derive(Clone, Default)]
pub struct Union(Vec<Arc<dyn Authorizer>>);

impl Union {
    /// Asks in this order.
    #[must_use]
    pub fn new(authorizers: Vec<Arc<dyn Authorizer>>) -> Self {
        Self(authorizers)
    }
}

impl fmt::Debug for Union {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Union({} authorizers)", self.0.len())
    }
}

impl Authorizer for Union {
    fn authorize(&self, attributes: &Attributes<'_>) -> Decision {
        let mut reasons = Vec::new();
        for authorizer in &self.0 {
            match authorizer.authorize(attributes) {
                Decision::NoOpinion(reason) if reason.is_empty() => {}
                Decision::NoOpinion(reason) => reasons.push(reason),
                decided => return decided,
            }
        }
        Decision::NoOpinion(match reasons.pop() {
            None => Reason::NONE,
            Some(only) if reasons.is_empty() => only,
            Some(last) => {
                let mut text = String::new();
                for reason in reasons {
                    text.push_str(&reason.to_string());
                    text.push('\n');
                }
                Reason::from(text + &last.to_string())
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use burgee_identity::UserInfo;

    use super::*;

    struct Says(Decision);

    impl Authorizer for Says {
        fn authorize(&self, _: &Attributes<'_>) -> Decision {
            self.0.clone()
        }
    }

    fn ask(decisions: impl IntoIterator<Item = Decision>) -> Decision {
        let authorizers = decisions
            .into_iter()
            .map(|decision| Arc::new(Says(decision)) as Arc<dyn Authorizer>);
        let user = UserInfo::named("jane");
        Union::new(authorizers.collect()).authorize(&Attributes::path(&user, "get", "/"))
    }

    #[test]
    fn a_union_stops_at_the_first_decision() {
        let no = || Decision::NoOpinion(Reason::from("no"));
        let yes = || Decision::Allow(Reason::from("yes"));
        let never = || Decision::Deny(Reason::from("never"));
        let decided = ask([no(), yes(), never()]);
        assert!(decided.is_allowed());
        assert_eq!(decided.reason().to_string(), "yes");
        let decided = ask([no(), never(), yes()]);
        assert!(decided.is_denied() && !decided.is_allowed());
    }

    #[test]
    fn a_union_without_a_decision_gives_every_reason() {
        let texts = ["a", "", "b"].map(|text| Decision::NoOpinion(Reason::from(text)));
        let decided = ask(texts);
        assert!(!decided.is_allowed() && !decided.is_denied());
        assert_eq!(decided.reason().to_string(), "a\nb");
        assert!(ask([]).reason().is_empty());
    }

    #[test]
    fn masters_may_do_anything_and_nobody_else() {
        let masters = PrivilegedGroup::masters();
        let root = UserInfo::named("root").with_groups([names::MASTERS]);
        assert!(
            masters
                .authorize(&Attributes::path(&root, "get", "/"))
                .is_allowed()
        );
        let user = UserInfo::named(names::MASTERS);
        assert!(
            !masters
                .authorize(&Attributes::path(&user, "get", "/"))
                .is_allowed()
        );
    }
}

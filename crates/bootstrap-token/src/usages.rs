//! What a token may be used for.

use crate::Error;

/// What a token may be used for. None of both is legal: such a token only keeps time, as the one does
/// that `kubeadm init --upload-certs` lets own the uploaded certificates.
///
/// ```
/// use burgee_bootstrap_token::Usages;
///
/// let usages = Usages::parse(["signing", "authentication"])?;
/// assert_eq!(usages, Usages::ALL);
/// assert_eq!(usages.names().collect::<Vec<_>>(), ["signing", "authentication"]);
/// # Ok::<(), burgee_bootstrap_token::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Usages {
    /// Signs cluster-info, so that a machine which joins can check it.
    pub signing: bool,
    /// Authenticates its holder to the API server.
    pub authentication: bool,
}

pub(crate) const SIGNING: &str = "signing";
pub(crate) const AUTHENTICATION: &str = "authentication";

impl Usages {
    /// Both.
    pub const ALL: Self = Self {
        signing: true,
        authentication: true,
    };

    /// The usages of these names, in any order and number.
    ///
    /// # Errors
    /// [`Error::UsageUnknown`] with all that do not exist.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, Error> {
        let mut usages = Self::default();
        let mut unknown = Vec::new();
        for name in names {
            match name {
                SIGNING => usages.signing = true,
                AUTHENTICATION => usages.authentication = true,
                other => unknown.push(other.to_owned()),
            }
        }
        if unknown.is_empty() {
            return Ok(usages);
        }
        unknown.sort_unstable();
        unknown.dedup();
        Err(Error::UsageUnknown(unknown))
    }

    /// Their names, in the order in which upstream lists them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let signing = self.signing.then_some(SIGNING);
        let authentication = self.authentication.then_some(AUTHENTICATION);
        signing.into_iter().chain(authentication)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usages_are_read_in_any_order() {
        for (names, signing, authentication) in [
            (&[][..], false, false),
            (&["signing"][..], true, false),
            (&["authentication", "authentication"][..], false, true),
            (&["authentication", "signing"][..], true, true),
        ] {
            let expected = Usages {
                signing,
                authentication,
            };
            assert_eq!(Usages::parse(names.iter().copied()).unwrap(), expected);
        }
    }

    #[test]
    fn unknown_ones_are_named_sorted_and_once() {
        let error = Usages::parse(["foo", "signing", "Signing", "foo", ""]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "invalid bootstrap token usage string: ,Signing,foo, valid usage options: signing,authentication"
        );
    }
}

//! What one authenticator looked at, piece by piece.

use std::borrow::Cow;

use crate::Reason;

/// One of the checks that a credential has to pass, told apart from the others so that an explanation
/// can say which fail besides the first.
///
/// Neither text ever holds a credential or a signature.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Check {
    /// What is checked, in a few words: `signature`, `expiry`, `audience`.
    pub name: &'static str,
    /// How it went.
    pub result: CheckResult,
    /// What was found, such as the time that the token expired at; may be empty.
    pub detail: Cow<'static, str>,
}

/// How a [`Check`] went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CheckResult {
    /// It is in order.
    Passed,
    /// It is not, and that alone is enough to refuse the credential.
    Failed(Reason),
    /// It could not be checked because of something else, which the detail names.
    Skipped,
}

impl Check {
    /// A check that is in order.
    #[must_use]
    pub fn passed(name: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name,
            result: CheckResult::Passed,
            detail: detail.into(),
        }
    }

    /// A check that failed.
    #[must_use]
    pub fn failed(
        name: &'static str,
        reason: Reason,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            name,
            result: CheckResult::Failed(reason),
            detail: detail.into(),
        }
    }

    /// A check that could not be made.
    #[must_use]
    pub fn skipped(name: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name,
            result: CheckResult::Skipped,
            detail: detail.into(),
        }
    }
}

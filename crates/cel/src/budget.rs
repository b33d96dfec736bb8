//! How much work one evaluation may do.

use crate::error::EvaluationError;

/// The cost that an evaluation may reach: kube-apiserver's `PerCallLimit`.
const LIMIT: u64 = 1_000_000;

/// What is left of the cost of one evaluation.
///
/// Upstream's unit of cost is kept: one for each name, selection and call, ten for a list, thirty for
/// a map, a tenth for each byte of text that is read or made. It bounds time and memory at once,
/// because nothing in the evaluator walks over or makes anything without charging first:
///
/// - Every node that is evaluated charges at least one, loops charge for each step by evaluating
///   their body, and a node itself does a constant amount of work besides what is charged for it.
/// - Functions charge for the sizes of their arguments before they run and for their results before
///   they make them where those can be larger; comparisons charge for each element they reach.
/// - Regular expressions run in time linear in text and pattern, which is charged as upstream does;
///   the size of a compiled pattern is limited besides, see [`crate::patterns`].
///
/// Once the limit is reached the evaluation ends: `&&`, `||` and `all` absorb other errors, but never
/// this one.
#[derive(Debug)]
pub(crate) struct Budget {
    left: u64,
}

impl Budget {
    pub(crate) const fn new() -> Self {
        Self { left: LIMIT }
    }

    /// Takes `cost` away, or ends the evaluation.
    pub(crate) fn charge(&mut self, cost: usize) -> Result<(), EvaluationError> {
        let cost = u64::try_from(cost).unwrap_or(u64::MAX);
        match self.left.checked_sub(cost) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                self.left = 0;
                Err(EvaluationError::CostLimit)
            }
        }
    }

    /// Charges for reading or making `bytes` of text.
    pub(crate) fn charge_text(&mut self, bytes: usize) -> Result<(), EvaluationError> {
        self.charge(bytes.div_ceil(10))
    }
}

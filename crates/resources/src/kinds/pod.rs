//! Pod.
use crate::Rules;
/// The rules of Pods.
pub(crate) struct PodRules;
impl Rules for PodRules {}

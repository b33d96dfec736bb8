//! Walks the syntax tree of an expression and finds its value.
//!
//! The tree is the parser's; loops are comprehensions that macros were expanded to. Every node
//! charges the [`Budget`] before it works.

use std::sync::Arc;

use cel::IdedExpr;
use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, ListExpr, LiteralValue, MapExpr, SelectExpr,
    operators,
};

use crate::budget::Budget;
use crate::error::EvaluationError;
use crate::functions;
use crate::operations::{self, MAP_INSERT};
use crate::patterns::Patterns;
use crate::types;
use crate::value::{CelValue, Key};

type Outcome = Result<CelValue, EvaluationError>;

/// The name that macros give to what a loop builds up; no source text can spell it.
const RESULT: &str = "@result";

/// One evaluation of one expression.
pub(crate) struct Evaluation<'e> {
    root: (&'static str, &'e CelValue),
    bindings: Vec<Binding<'e>>,
    budget: Budget,
    patterns: &'e Patterns,
}

/// A variable of a loop. What a loop builds up may be an error that a later step absorbs.
struct Binding<'e> {
    name: &'e str,
    value: Outcome,
}

impl<'e> Evaluation<'e> {
    /// An evaluation in which `root` is the one variable.
    pub(crate) fn new(root: (&'static str, &'e CelValue), patterns: &'e Patterns) -> Self {
        Self {
            root,
            bindings: Vec::new(),
            budget: Budget::new(),
            patterns,
        }
    }

    /// The value of `node`.
    pub(crate) fn value(&mut self, node: &'e IdedExpr) -> Outcome {
        self.budget.charge(1)?;
        match &node.expr {
            Expr::Call(call) => self.call(call),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::Ident(name) => self.variable(name),
            Expr::List(list) => self.list(list),
            Expr::Literal(literal) => Ok(literal_value(literal)),
            Expr::Map(map) => self.map(map),
            Expr::Select(select) => self.select(select),
            // No type of a message is declared, so the checks leave none of these.
            Expr::Struct(_) | Expr::Unspecified => Err(EvaluationError::NoSuchOverload),
        }
    }

    fn variable(&self, name: &str) -> Outcome {
        let absolute = name.strip_prefix('.');
        if absolute.is_none()
            && let Some(binding) = self.bindings.iter().rfind(|binding| binding.name == name)
        {
            return binding.value.clone();
        }
        let name = absolute.unwrap_or(name);
        if name == self.root.0 {
            return Ok(self.root.1.clone());
        }
        types::named(name)
            .map(CelValue::Type)
            .ok_or_else(|| EvaluationError::function(format!("no such attribute(s): {name}")))
    }

    fn select(&mut self, select: &'e SelectExpr) -> Outcome {
        let operand = self.value(&select.operand)?;
        let key = CelValue::string(select.field.as_str());
        if select.test {
            let found = match operand.unwrapped() {
                Some(CelValue::Map(map)) => {
                    Key::of(&key).is_some_and(|key| map.find(&key).is_some())
                }
                _ => false,
            };
            return Ok(CelValue::Bool(found));
        }
        operations::index(operand, &key, &mut self.budget)
    }

    fn call(&mut self, call: &'e CallExpr) -> Outcome {
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::CONDITIONAL, [condition, then, otherwise]) => {
                return if self.boolean(condition)? {
                    self.value(then)
                } else {
                    self.value(otherwise)
                };
            }
            (operators::LOGICAL_AND, [left, right]) => return self.logical(left, right, false),
            (operators::LOGICAL_OR, [left, right]) => return self.logical(left, right, true),
            (operators::NOT_STRICTLY_FALSE, [argument]) => {
                return match self.value(argument) {
                    Err(EvaluationError::CostLimit) => Err(EvaluationError::CostLimit),
                    Ok(CelValue::Bool(false)) => Ok(CelValue::Bool(false)),
                    _ => Ok(CelValue::Bool(true)),
                };
            }
            // What is not evaluated need not have a value: `x.orValue(y)`, `x.or(y)`.
            ("or" | "orValue", [otherwise]) => {
                let target = call
                    .target
                    .as_deref()
                    .ok_or(EvaluationError::NoSuchOverload)?;
                let target = self.value(target)?;
                return match (target, call.func_name.as_str()) {
                    (CelValue::Optional(None), _) => self.value(otherwise),
                    (CelValue::Optional(Some(value)), "orValue") => Ok((*value).clone()),
                    (target @ CelValue::Optional(_), _) => Ok(target),
                    _ => Err(EvaluationError::NoSuchOverload),
                };
            }
            _ => {}
        }
        let builds_up = matches!(call.func_name.as_str(), operators::ADD | MAP_INSERT);
        let mut arguments = Vec::with_capacity(call.args.len() + 1);
        for argument in call.target.as_deref().into_iter().chain(&call.args) {
            let value = match &argument.expr {
                // The loop gets its result back from this very call, so that appending to it does
                // not copy it.
                Expr::Ident(name) if builds_up && name == RESULT && arguments.is_empty() => {
                    self.take_result()?
                }
                _ => self.value(argument)?,
            };
            arguments.push(value);
        }
        if let Some(outcome) =
            operations::operate(&call.func_name, &mut arguments, &mut self.budget)
        {
            return outcome;
        }
        functions::call(&call.func_name, &arguments, self.patterns, &mut self.budget)
    }

    fn take_result(&mut self) -> Outcome {
        self.budget.charge(1)?;
        let binding = self
            .bindings
            .iter_mut()
            .rfind(|binding| binding.name == RESULT);
        binding.map_or(Err(EvaluationError::NoSuchOverload), |binding| {
            std::mem::replace(&mut binding.value, Ok(CelValue::Null))
        })
    }

    fn boolean(&mut self, node: &'e IdedExpr) -> Result<bool, EvaluationError> {
        match self.value(node)? {
            CelValue::Bool(value) => Ok(value),
            _ => Err(EvaluationError::NoSuchOverload),
        }
    }

    /// `&&` and `||`: the `absorbing` value on either side decides, whatever the other side is.
    fn logical(&mut self, left: &'e IdedExpr, right: &'e IdedExpr, absorbing: bool) -> Outcome {
        let left = self.boolean(left);
        if left == Ok(absorbing) || left == Err(EvaluationError::CostLimit) {
            return left.map(CelValue::Bool);
        }
        match (left, self.boolean(right)) {
            (_, Err(EvaluationError::CostLimit)) => Err(EvaluationError::CostLimit),
            (_, Ok(value)) if value == absorbing => Ok(CelValue::Bool(absorbing)),
            (Err(error), _) | (_, Err(error)) => Err(error),
            (Ok(_), Ok(_)) => Ok(CelValue::Bool(!absorbing)),
        }
    }

    fn list(&mut self, list: &'e ListExpr) -> Outcome {
        self.budget.charge(10)?;
        let mut items = Vec::with_capacity(list.elements.len());
        for (index, element) in list.elements.iter().enumerate() {
            let value = self.value(element)?;
            if !list.optional_indices.contains(&index) {
                items.push(value);
                continue;
            }
            match value {
                CelValue::Optional(inner) => items.extend(inner.map(|inner| (*inner).clone())),
                _ => return Err(EvaluationError::NoSuchOverload),
            }
        }
        Ok(CelValue::list(items))
    }

    fn map(&mut self, map: &'e MapExpr) -> Outcome {
        self.budget.charge(30)?;
        let mut entries = std::collections::BTreeMap::new();
        for entry in &map.entries {
            let EntryExpr::MapEntry(entry) = &entry.expr else {
                return Err(EvaluationError::NoSuchOverload);
            };
            let key = self.value(&entry.key)?;
            let key = Key::of(&key).ok_or(EvaluationError::NoSuchOverload)?;
            self.budget.charge_text(key.len())?;
            // Of entries with the same key the last one counts, as upstream has it.
            match self.value(&entry.value)? {
                CelValue::Optional(Some(inner)) if entry.optional => {
                    entries.insert(key, (*inner).clone())
                }
                CelValue::Optional(None) if entry.optional => entries.remove(&key),
                _ if entry.optional => return Err(EvaluationError::NoSuchOverload),
                value => entries.insert(key, value),
            };
        }
        Ok(CelValue::map(entries))
    }

    fn comprehension(&mut self, comprehension: &'e ComprehensionExpr) -> Outcome {
        let range = self.value(&comprehension.iter_range)?;
        let accumulator = self.value(&comprehension.accu_init)?;
        let depth = self.bindings.len();
        self.bind(&comprehension.accu_var, Ok(accumulator));
        let outcome = self
            .steps(comprehension, &range, depth)
            .and_then(|()| self.value(&comprehension.result));
        self.bindings.truncate(depth);
        outcome
    }

    /// Runs the loop; what it builds up is the binding at `depth`.
    fn steps(
        &mut self,
        comprehension: &'e ComprehensionExpr,
        range: &CelValue,
        depth: usize,
    ) -> Result<(), EvaluationError> {
        let second = comprehension.iter_var2.as_deref();
        match range {
            CelValue::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    let pair = match second {
                        Some(second) => (CelValue::count(index), Some((second, item.clone()))),
                        None => (item.clone(), None),
                    };
                    if !self.step(comprehension, pair, depth)? {
                        break;
                    }
                }
            }
            CelValue::Map(map) => {
                for (key, value) in &map.entries {
                    let second = second.map(|second| (second, value.clone()));
                    if !self.step(comprehension, (key.to_value(), second), depth)? {
                        break;
                    }
                }
            }
            _ => return Err(EvaluationError::NoSuchOverload),
        }
        Ok(())
    }

    /// One step of a loop; whether it goes on.
    fn step(
        &mut self,
        comprehension: &'e ComprehensionExpr,
        (first, second): (CelValue, Option<(&'e str, CelValue)>),
        depth: usize,
    ) -> Result<bool, EvaluationError> {
        if !self.boolean(&comprehension.loop_cond)? {
            return Ok(false);
        }
        self.bind(&comprehension.iter_var, Ok(first));
        if let Some((name, value)) = second {
            self.bind(name, Ok(value));
        }
        let outcome = self.value(&comprehension.loop_step);
        self.bindings.truncate(depth + 1);
        match outcome {
            // `all` and `exists` go on: a later element may decide despite the error.
            Err(error) if error == EvaluationError::CostLimit || !absorbs(comprehension) => {
                return Err(error);
            }
            outcome => {
                if let Some(binding) = self.bindings.get_mut(depth) {
                    binding.value = outcome;
                }
            }
        }
        Ok(true)
    }

    fn bind(&mut self, name: &'e str, value: Outcome) {
        self.bindings.push(Binding { name, value });
    }
}

/// Whether an error in one step may be overruled by another.
fn absorbs(comprehension: &ComprehensionExpr) -> bool {
    matches!(
        &comprehension.loop_step.expr,
        Expr::Call(call)
            if matches!(call.func_name.as_str(), operators::LOGICAL_AND | operators::LOGICAL_OR)
    )
}

pub(crate) fn literal_value(literal: &LiteralValue) -> CelValue {
    match literal {
        LiteralValue::Boolean(value) => CelValue::Bool(*value.inner()),
        LiteralValue::Bytes(bytes) => CelValue::Bytes(Arc::from(bytes.inner())),
        LiteralValue::Double(value) => CelValue::Double(*value.inner()),
        LiteralValue::Int(value) => CelValue::Int(*value.inner()),
        LiteralValue::Null => CelValue::Null,
        LiteralValue::String(text) => CelValue::string(text.inner()),
        LiteralValue::UInt(value) => CelValue::Uint(*value.inner()),
    }
}

//! What is wrong with an expression before there are claims.
//!
//! A small version of CEL's type checker: types are inferred from the leaves up, and what is not known
//! (everything inside claims) is `dyn`, which goes with everything. It finds what upstream's finds:
//! undeclared names and functions, unknown fields of `user`, operators and functions that cannot take
//! what they are given, lists and maps of mixed literals, and regular expressions, durations and times
//! in the text that do not parse.

use std::collections::BTreeMap;

use cel::IdedExpr;
use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, ListExpr, LiteralValue, MapExpr, SelectExpr,
    operators,
};

use crate::declarations::signatures;
use crate::error::CompileError;
use crate::expression::Scope;
use crate::functions;
use crate::parse::{Parsed, Problem, invalid, position};
use crate::patterns::Patterns;
use crate::types::{self, Type};

/// What the checks found out.
pub(crate) struct Checked {
    /// The type of the expression's value.
    pub(crate) kind: Type,
    /// The regular expressions of its text.
    pub(crate) patterns: Patterns,
}

/// Checks an expression.
///
/// # Errors
///
/// All that is wrong with it, in the order of the text.
pub(crate) fn check(parsed: &Parsed, scope: Scope) -> Result<Checked, CompileError> {
    let mut checker = Checker {
        parsed,
        scope,
        variables: Vec::new(),
        formats: 0,
        problems: Vec::new(),
        patterns: Patterns::default(),
    };
    let kind = checker.infer(&parsed.tree);
    let mut problems = checker.problems;
    if !problems.is_empty() {
        problems.sort_by_key(|problem| problem.position);
        return Err(invalid(&parsed.source.source, &problems));
    }
    Ok(Checked {
        kind,
        patterns: checker.patterns,
    })
}

struct Checker<'p> {
    parsed: &'p Parsed,
    scope: Scope,
    variables: Vec<(&'p str, Type)>,
    /// How many calls of `format` are around, whose lists may mix types.
    formats: usize,
    problems: Vec<Problem>,
    patterns: Patterns,
}

impl<'p> Checker<'p> {
    /// The type of `node`; `dyn` after a problem, so that it is reported once.
    fn infer(&mut self, node: &'p IdedExpr) -> Type {
        match &node.expr {
            Expr::Call(call) => self.call(node, call),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::Ident(name) => self.variable(node, name),
            Expr::List(list) => self.list(list),
            Expr::Literal(literal) => literal_type(literal),
            Expr::Map(map) => self.map(map),
            Expr::Select(select) => self.select(node, select),
            Expr::Struct(message) => self.undeclared(node, &message.type_name),
            Expr::Unspecified => self.problem(node, "expression is missing".to_owned()),
        }
    }

    fn problem(&mut self, node: &IdedExpr, text: String) -> Type {
        self.problems.push(Problem {
            position: position(&self.parsed.source, node.id),
            text,
        });
        Type::Dyn
    }

    fn undeclared(&mut self, node: &IdedExpr, name: &str) -> Type {
        self.problem(
            node,
            format!("undeclared reference to '{name}' (in container '')"),
        )
    }

    fn variable(&mut self, node: &'p IdedExpr, name: &str) -> Type {
        let own = self.variables.iter().rfind(|(own, _)| *own == name);
        if let Some((_, kind)) = own {
            return kind.clone();
        }
        let global = name.strip_prefix('.').unwrap_or(name);
        match self.scope {
            Scope::Claims if global == "claims" => Type::map(Type::String, Type::Dyn),
            Scope::User if global == "user" => Type::User,
            _ if types::named(global).is_some() => Type::Metatype,
            _ => self.undeclared(node, name),
        }
    }

    fn select(&mut self, node: &'p IdedExpr, select: &'p SelectExpr) -> Type {
        let operand = self.infer(&select.operand);
        let field = self.field(node, &operand, &select.field);
        if select.test { Type::Bool } else { field }
    }

    fn field(&mut self, node: &IdedExpr, operand: &Type, name: &str) -> Type {
        match operand {
            Type::Dyn | Type::Free => Type::Dyn,
            Type::Map(_, value) => (**value).clone(),
            Type::Optional(inner) => match self.field(node, inner, name) {
                kind @ Type::Optional(_) => kind,
                kind => Type::optional(kind),
            },
            Type::User => match Type::user_field(name) {
                Some(kind) => kind,
                None => self.problem(node, format!("undefined field '{name}'")),
            },
            other => self.problem(
                node,
                format!("type '{other}' does not support field selection"),
            ),
        }
    }

    fn list(&mut self, list: &'p ListExpr) -> Type {
        let mut item = Type::Free;
        for (index, element) in list.elements.iter().enumerate() {
            let is_optional = list.optional_indices.contains(&index);
            let kind = self.element(element, is_optional);
            item = self.joined(element, &item, &kind);
        }
        Type::list(item)
    }

    fn map(&mut self, map: &'p MapExpr) -> Type {
        let (mut key, mut value) = (Type::Free, Type::Free);
        for entry in &map.entries {
            if let EntryExpr::MapEntry(entry) = &entry.expr {
                let kind = self.infer(&entry.key);
                key = self.joined(&entry.key, &key, &kind);
                let kind = self.element(&entry.value, entry.optional);
                value = self.joined(&entry.value, &value, &kind);
            }
        }
        Type::map(key, value)
    }

    /// The type that an element adds, which for `?x` is the type of what may be in it.
    fn element(&mut self, element: &'p IdedExpr, is_optional: bool) -> Type {
        match self.infer(element) {
            Type::Optional(inner) if is_optional => *inner,
            kind if is_optional && !matches!(kind, Type::Dyn | Type::Free) => {
                let expected = Type::optional(kind.clone());
                self.mismatch(element, &expected, &kind)
            }
            kind => kind,
        }
    }

    fn joined(&mut self, element: &IdedExpr, so_far: &Type, kind: &Type) -> Type {
        match so_far.merged(kind) {
            Some(merged) => merged,
            None if self.formats > 0 => Type::Dyn,
            None => self.mismatch(element, so_far, kind),
        }
    }

    fn mismatch(&mut self, node: &IdedExpr, expected: &Type, found: &Type) -> Type {
        self.problem(
            node,
            format!("expected type '{expected}' but found '{found}'"),
        )
    }

    fn call(&mut self, node: &'p IdedExpr, call: &'p CallExpr) -> Type {
        let name = call.func_name.as_str();
        if let (operators::OPT_SELECT, [operand, field]) = (name, call.args.as_slice()) {
            return self.optional_select(node, operand, field);
        }
        let arguments: Vec<&'p IdedExpr> = call
            .target
            .as_deref()
            .into_iter()
            .chain(&call.args)
            .collect();
        let is_format = usize::from(name == "format");
        self.formats += is_format;
        let kinds: Vec<Type> = arguments
            .iter()
            .map(|argument| self.infer(argument))
            .collect();
        self.formats -= is_format;
        let declared = signatures(name);
        if declared.is_empty() {
            return self.undeclared(node, name);
        }
        self.check_literals(name, &arguments);
        let is_method = call.target.is_some();
        let mut results = declared
            .iter()
            .filter(|signature| signature.is_method == is_method)
            .filter_map(|signature| applied(&signature.parameters, &kinds, &signature.result));
        let Some(first) = results.next() else {
            let text = format!(
                "found no matching overload for '{name}' applied to '{}'",
                applied_to(&kinds, is_method)
            );
            return self.problem(node, text);
        };
        // More than one fits only where something is `dyn`.
        if results.all(|result| result == first) {
            first
        } else {
            Type::Dyn
        }
    }

    fn optional_select(
        &mut self,
        node: &'p IdedExpr,
        operand: &'p IdedExpr,
        field: &'p IdedExpr,
    ) -> Type {
        let operand = self.infer(operand);
        let name = match &field.expr {
            Expr::Literal(LiteralValue::String(name)) => name.inner(),
            _ => return self.problem(field, "unsupported optional field selection".to_owned()),
        };
        match self.field(node, &operand, name) {
            kind @ Type::Optional(_) => kind,
            kind => Type::optional(kind),
        }
    }

    /// Regular expressions, durations and times that stand in the text.
    fn check_literals(&mut self, name: &str, arguments: &[&'p IdedExpr]) {
        let text_of = |argument: Option<&&'p IdedExpr>| match &argument?.expr {
            Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
            _ => None,
        };
        let (argument, good) = match name {
            "duration" | "timestamp" => {
                let argument = arguments.first();
                let good = text_of(argument).is_none_or(|text| functions::is_time(name, text));
                (argument, good)
            }
            _ if functions::WITH_PATTERN.contains(&name) => {
                let argument = arguments.get(1);
                let good = text_of(argument).is_none_or(|text| self.patterns.add(text).is_ok());
                (argument, good)
            }
            _ => return,
        };
        if let Some(argument) = argument
            && !good
        {
            self.problem(argument, format!("invalid {name} argument"));
        }
    }

    fn comprehension(&mut self, it: &'p ComprehensionExpr) -> Type {
        let range = self.infer(&it.iter_range);
        let (first, second) = match range {
            Type::List(item) if it.iter_var2.is_some() => (Type::Int, *item),
            Type::List(item) => (*item, Type::Dyn),
            Type::Map(key, value) => (*key, *value),
            Type::Dyn | Type::Free => (Type::Dyn, Type::Dyn),
            other => {
                let text = format!(
                    "expression of type '{other}' cannot be range of a comprehension (must be list, map, or dynamic)"
                );
                (self.problem(&it.iter_range, text), Type::Dyn)
            }
        };
        let start = self.infer(&it.accu_init);
        let depth = self.variables.len();
        self.variables.push((&it.accu_var, start.clone()));
        self.variables.push((&it.iter_var, first));
        if let Some(name) = &it.iter_var2 {
            self.variables.push((name, second));
        }
        let condition = self.infer(&it.loop_cond);
        if condition.merged(&Type::Bool).is_none() {
            self.mismatch(&it.loop_cond, &Type::Bool, &condition);
        }
        let step = self.infer(&it.loop_step);
        let built = self.joined(&it.loop_step, &start, &step);
        self.variables.truncate(depth);
        self.variables.push((&it.accu_var, built));
        let result = self.infer(&it.result);
        self.variables.truncate(depth);
        result
    }
}

fn literal_type(literal: &LiteralValue) -> Type {
    match literal {
        LiteralValue::Boolean(_) => Type::Bool,
        LiteralValue::Bytes(_) => Type::Bytes,
        LiteralValue::Double(_) => Type::Double,
        LiteralValue::Int(_) => Type::Int,
        LiteralValue::Null => Type::Null,
        LiteralValue::String(_) => Type::String,
        LiteralValue::UInt(_) => Type::Uint,
    }
}

/// The result of a signature for arguments of these types, if it takes them.
fn applied(parameters: &[Type], arguments: &[Type], result: &Type) -> Option<Type> {
    let mut bound = BTreeMap::new();
    let fits = parameters.len() == arguments.len()
        && parameters
            .iter()
            .zip(arguments)
            .all(|(parameter, argument)| accepts(parameter, argument, &mut bound));
    fits.then(|| substituted(result, &bound))
}

/// Whether a parameter takes an argument; binds the letters in it.
fn accepts(parameter: &Type, argument: &Type, bound: &mut BTreeMap<char, Type>) -> bool {
    match (parameter, argument) {
        (Type::Parameter(letter), argument) => {
            let so_far = bound.get(letter).unwrap_or(&Type::Free);
            let Some(merged) = so_far.merged(argument) else {
                return false;
            };
            bound.insert(*letter, merged);
            true
        }
        (Type::List(parameter), Type::List(argument))
        | (Type::Optional(parameter), Type::Optional(argument)) => {
            accepts(parameter, argument, bound)
        }
        (Type::Map(key, value), Type::Map(own_key, own_value)) => {
            accepts(key, own_key, bound) && accepts(value, own_value, bound)
        }
        (Type::List(_) | Type::Map(..) | Type::Optional(_), Type::Dyn | Type::Free) => true,
        (Type::List(_) | Type::Map(..) | Type::Optional(_), _) => false,
        (parameter, argument) => parameter.merged(argument).is_some(),
    }
}

fn substituted(kind: &Type, bound: &BTreeMap<char, Type>) -> Type {
    match kind {
        Type::Parameter(letter) => bound.get(letter).cloned().unwrap_or(Type::Free),
        Type::List(item) => Type::list(substituted(item, bound)),
        Type::Optional(inner) => Type::optional(substituted(inner, bound)),
        Type::Map(key, value) => Type::map(substituted(key, bound), substituted(value, bound)),
        other => other.clone(),
    }
}

fn applied_to(kinds: &[Type], is_method: bool) -> String {
    let shown = |kinds: &[Type]| {
        let kinds: Vec<String> = kinds.iter().map(Type::to_string).collect();
        kinds.join(", ")
    };
    match kinds {
        [target, arguments @ ..] if is_method => format!("{target}.({})", shown(arguments)),
        kinds => format!("({})", shown(kinds)),
    }
}

//! Macros that the parser does not know, and functions and types with dotted names.
//!
//! The standard macros (`has`, `all`, `exists`, `map`, `filter`) are expanded by the parser. These are
//! the ones that Kubernetes adds: loops with two variables, `optMap`, `optFlatMap` and `sortBy`.

use cel::IdedExpr;
use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, ListExpr, LiteralValue, MapExpr, SourceInfo,
    operators,
};

use crate::operations::MAP_INSERT;
use crate::parse::{Problem, position};
use crate::types;

/// What loops build up, as the parser names it too.
const RESULT: &str = "@result";

/// The value that `optMap` and `sortBy` are called on.
const TARGET: &str = "@target";

/// The function that `sortBy` ends in: sorts a list by the keys at the same places in another.
pub(crate) const SORT_BY_KEYS: &str = "@sortByAssociatedKeys";

/// Expands the tree in place; says what is wrong with macros' arguments.
pub(crate) fn expand(tree: &mut IdedExpr, source: &SourceInfo) -> Vec<Problem> {
    let mut problems = Vec::new();
    node(tree, source, &mut problems);
    problems
}

fn node(tree: &mut IdedExpr, source: &SourceInfo, problems: &mut Vec<Problem>) {
    let mut child = |child: &mut IdedExpr| node(child, source, problems);
    match &mut tree.expr {
        Expr::Call(call) => {
            if let Some(target) = call.target.as_deref_mut() {
                child(target);
            }
            call.args.iter_mut().for_each(&mut child);
        }
        Expr::Comprehension(it) => {
            child(&mut it.iter_range);
            child(&mut it.accu_init);
            child(&mut it.loop_cond);
            child(&mut it.loop_step);
            child(&mut it.result);
        }
        Expr::List(list) => list.elements.iter_mut().for_each(child),
        Expr::Map(MapExpr { entries }) => {
            for entry in entries {
                if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                    child(&mut entry.key);
                    child(&mut entry.value);
                }
            }
        }
        Expr::Select(select) => child(&mut select.operand),
        Expr::Struct(_) | Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => {}
    }
    let id = tree.id;
    if let Some(name) = types::qualified(tree) {
        tree.expr = Expr::Ident(name.to_owned());
    }
    let Expr::Call(call) = &mut tree.expr else {
        return;
    };
    qualify(call);
    if call.target.is_none() {
        return;
    }
    let name = std::mem::take(&mut call.func_name);
    let arguments = std::mem::take(&mut call.args);
    let build = Build { id };
    let expanded = match (name.as_str(), arguments.len()) {
        ("all" | "exists" | "existsOne" | "exists_one", 3)
        | ("transformList" | "transformMap" | "transformMapEntry", 3 | 4)
        | ("optMap" | "optFlatMap" | "sortBy", 2) => {
            let target = call.target.take().map(|target| *target);
            target
                .ok_or((id, String::new()))
                .and_then(|target| build.expand(&name, target, arguments))
        }
        _ => {
            call.func_name = name;
            call.args = arguments;
            return;
        }
    };
    match expanded {
        Ok(expanded) => *tree = expanded,
        Err((at, text)) => problems.push(Problem {
            position: position(source, at),
            text,
        }),
    }
}

/// `optional.of(x)` calls the function `optional.of`, not `of` on a variable.
fn qualify(call: &mut CallExpr) {
    let Some(prefix) = call.target.as_deref().and_then(types::dotted) else {
        return;
    };
    let name = format!("{prefix}.{}", call.func_name);
    if crate::functions::DOTTED.contains(&name.as_str()) {
        call.func_name = name;
        call.target = None;
    }
}

/// Makes nodes that stand where the macro's call does.
struct Build {
    id: u64,
}

type Expanded = Result<IdedExpr, (u64, String)>;

impl Build {
    fn expand(&self, name: &str, target: IdedExpr, mut arguments: Vec<IdedExpr>) -> Expanded {
        let last = arguments.pop().unwrap_or_default();
        let mut arguments = arguments.into_iter();
        let first = simple_name(arguments.next())?;
        match name {
            "optMap" | "optFlatMap" => return Ok(self.optional(name, target, first, last)),
            "sortBy" => return Ok(self.sort_by(target, first, last)),
            _ => {}
        }
        let second_node = arguments.next();
        let second_id = second_node.as_ref().map_or(self.id, |node| node.id);
        let second = simple_name(second_node)?;
        if first == second {
            return Err((second_id, format!("duplicate variable name: {first}")));
        }
        let filter = arguments.next();
        let result = || self.name(RESULT);
        let go_on = self.boolean(true);
        let (start, condition, step, end) = match name {
            "all" => (
                self.boolean(true),
                self.call(operators::NOT_STRICTLY_FALSE, vec![result()]),
                self.call(operators::LOGICAL_AND, vec![result(), last]),
                result(),
            ),
            "exists" => {
                let negated = self.call(operators::LOGICAL_NOT, vec![result()]);
                (
                    self.boolean(false),
                    self.call(operators::NOT_STRICTLY_FALSE, vec![negated]),
                    self.call(operators::LOGICAL_OR, vec![result(), last]),
                    result(),
                )
            }
            "existsOne" | "exists_one" => {
                let more = self.call(operators::ADD, vec![result(), self.integer(1)]);
                (
                    self.integer(0),
                    go_on,
                    self.call(operators::CONDITIONAL, vec![last, more, result()]),
                    self.call(operators::EQUALS, vec![result(), self.integer(1)]),
                )
            }
            "transformList" => {
                let item = self.list(vec![last]);
                let step = self.call(operators::ADD, vec![result(), item]);
                (
                    self.list(Vec::new()),
                    go_on,
                    self.filtered(filter, step),
                    result(),
                )
            }
            _ => {
                let inserted = match name {
                    "transformMap" => vec![result(), self.name(&first), last],
                    _ => vec![result(), last],
                };
                let step = self.call(MAP_INSERT, inserted);
                let start = self.node(Expr::Map(MapExpr::default()));
                (start, go_on, self.filtered(filter, step), result())
            }
        };
        Ok(self.node(Expr::Comprehension(Box::new(ComprehensionExpr {
            iter_range: target,
            iter_var: first,
            iter_var2: Some(second),
            accu_var: RESULT.to_owned(),
            accu_init: start,
            loop_cond: condition,
            loop_step: step,
            result: end,
        }))))
    }

    /// `target.optMap(name, body)`: the target stands in the result once, so that macros inside
    /// macros do not double the tree each time.
    fn optional(
        &self,
        macro_name: &str,
        target: IdedExpr,
        name: String,
        body: IdedExpr,
    ) -> IdedExpr {
        let content = self.method("value", self.name(TARGET), Vec::new());
        let body = self.bind(name, content, body);
        let mapped = match macro_name {
            "optMap" => self.call("optional.of", vec![body]),
            _ => body,
        };
        let present = self.method("hasValue", self.name(TARGET), Vec::new());
        let nothing = self.call("optional.none", Vec::new());
        let chosen = self.call(operators::CONDITIONAL, vec![present, mapped, nothing]);
        self.bind(TARGET.to_owned(), target, chosen)
    }

    /// `target.sortBy(name, key)`: the list, and the list of its keys made by a loop.
    fn sort_by(&self, target: IdedExpr, name: String, key: IdedExpr) -> IdedExpr {
        let keys = self.node(Expr::Comprehension(Box::new(ComprehensionExpr {
            iter_range: self.name(TARGET),
            iter_var: name,
            iter_var2: None,
            accu_var: RESULT.to_owned(),
            accu_init: self.list(Vec::new()),
            loop_cond: self.boolean(true),
            loop_step: self.call(
                operators::ADD,
                vec![self.name(RESULT), self.list(vec![key])],
            ),
            result: self.name(RESULT),
        })));
        let sorted = self.method(SORT_BY_KEYS, self.name(TARGET), vec![keys]);
        self.bind(TARGET.to_owned(), target, sorted)
    }

    /// `value` under a name in `body`: a loop that never runs.
    fn bind(&self, name: String, value: IdedExpr, body: IdedExpr) -> IdedExpr {
        self.node(Expr::Comprehension(Box::new(ComprehensionExpr {
            iter_range: self.list(Vec::new()),
            iter_var: "#unused".to_owned(),
            iter_var2: None,
            loop_cond: self.boolean(false),
            loop_step: self.name(&name),
            accu_var: name,
            accu_init: value,
            result: body,
        })))
    }

    fn filtered(&self, filter: Option<IdedExpr>, step: IdedExpr) -> IdedExpr {
        match filter {
            Some(filter) => {
                let unchanged = self.name(RESULT);
                self.call(operators::CONDITIONAL, vec![filter, step, unchanged])
            }
            None => step,
        }
    }

    fn call(&self, function: &str, args: Vec<IdedExpr>) -> IdedExpr {
        self.node(Expr::Call(CallExpr {
            func_name: function.to_owned(),
            target: None,
            args,
        }))
    }

    fn method(&self, function: &str, target: IdedExpr, args: Vec<IdedExpr>) -> IdedExpr {
        self.node(Expr::Call(CallExpr {
            func_name: function.to_owned(),
            target: Some(Box::new(target)),
            args,
        }))
    }

    fn name(&self, name: &str) -> IdedExpr {
        self.node(Expr::Ident(name.to_owned()))
    }

    fn list(&self, elements: Vec<IdedExpr>) -> IdedExpr {
        self.node(Expr::List(ListExpr::new(elements)))
    }

    fn boolean(&self, value: bool) -> IdedExpr {
        self.node(Expr::Literal(LiteralValue::Boolean(value.into())))
    }

    fn integer(&self, value: i64) -> IdedExpr {
        self.node(Expr::Literal(LiteralValue::Int(value.into())))
    }

    fn node(&self, expr: Expr) -> IdedExpr {
        IdedExpr { id: self.id, expr }
    }
}

fn simple_name(node: Option<IdedExpr>) -> Result<String, (u64, String)> {
    let node = node.unwrap_or_default();
    match node.expr {
        Expr::Ident(name) if !name.starts_with('.') => Ok(name),
        _ => Err((node.id, "argument must be a simple name".to_owned())),
    }
}

//! What a syntax tree reads.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, EntryExpr, Expr, LiteralValue, operators};

use crate::names;

/// Whether `variable.name` or `variable["name"]` stands anywhere in the tree.
pub(crate) fn reads(tree: &IdedExpr, variable: &str, name: &str) -> bool {
    reads_here(tree, variable, name)
        || children(tree)
            .into_iter()
            .any(|child| reads(child, variable, name))
}

fn reads_here(node: &IdedExpr, variable: &str, name: &str) -> bool {
    let is_variable = |node: &IdedExpr| matches!(&node.expr, Expr::Ident(own) if own.strip_prefix('.').unwrap_or(own) == variable);
    let is_name = |spelled: &str| names::unescape(spelled).as_deref() == Some(name);
    match &node.expr {
        Expr::Select(select) => is_name(&select.field) && is_variable(&select.operand),
        Expr::Call(CallExpr {
            func_name, args, ..
        }) => match (func_name.as_str(), args.as_slice()) {
            (operators::INDEX | operators::OPT_INDEX | operators::OPT_SELECT, [operand, key]) => {
                let names = matches!(
                    &key.expr,
                    Expr::Literal(LiteralValue::String(text)) if is_name(text.inner())
                );
                names && is_variable(operand)
            }
            _ => false,
        },
        _ => false,
    }
}

/// The nodes right below one.
pub(crate) fn children(node: &IdedExpr) -> Vec<&IdedExpr> {
    match &node.expr {
        Expr::Call(call) => call
            .target
            .as_deref()
            .into_iter()
            .chain(&call.args)
            .collect(),
        Expr::Comprehension(it) => vec![
            &it.iter_range,
            &it.accu_init,
            &it.loop_cond,
            &it.loop_step,
            &it.result,
        ],
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Map(map) => entries(&map.entries),
        Expr::Select(select) => vec![&select.operand],
        Expr::Struct(message) => entries(&message.entries),
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => Vec::new(),
    }
}

fn entries(entries: &[cel::common::ast::IdedEntryExpr]) -> Vec<&IdedExpr> {
    entries
        .iter()
        .flat_map(|entry| match &entry.expr {
            EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
            EntryExpr::StructField(field) => vec![&field.value],
        })
        .collect()
}

//! Getting and listing.

use burgee_testkit::eventually;
use serde_json::json;

use crate::support::{Case, Expect as _, names, says, version};

fn five(case: &Case) {
    for (name, labels) in [
        ("a", json!({"tier": "web", "size": "1"})),
        ("b", json!({"tier": "web", "size": "2"})),
        ("c", json!({"tier": "db"})),
        ("d", json!({"tier": "cache", "size": "1"})),
        ("e", json!({})),
    ] {
        case.config_map_with(json!({"name": name, "labels": labels}));
    }
}

#[test]
fn an_object_is_got_as_it_was_created() {
    let case = Case::begin();
    let created = case.config_map("a");
    assert_eq!(case.get("configmaps/a").expect(200), created);
    assert_eq!(created["kind"], "ConfigMap");
    assert_eq!(created["data"], json!({"k": "v"}));
}

#[test]
fn an_object_that_is_not_there_is_404_with_its_name_and_resource() {
    let case = Case::begin();
    let status = case.get("configmaps/none").refused(404, "NotFound");
    assert_eq!(status["message"], "configmaps \"none\" not found");
    assert_eq!(
        status["details"],
        json!({"name": "none", "kind": "configmaps"})
    );
}

#[test]
fn a_get_at_a_revision_that_has_not_come_is_504() {
    let case = Case::begin();
    case.config_map("a");
    let status = case
        .get("configmaps/a?resourceVersion=99999999999")
        .refused(504, "Timeout");
    says(
        &status,
        "Too large resource version: 99999999999, current: ",
    );
}

#[test]
fn a_list_is_ordered_by_name_and_has_no_kinds_in_its_items() {
    let case = Case::begin();
    five(&case);
    let list = case.get("secrets").expect(200);
    assert_eq!(
        (&list["kind"], &list["items"]),
        (&json!("SecretList"), &json!([]))
    );
    let list = case.get("configmaps").expect(200);
    assert_eq!(names(&list), ["a", "b", "c", "d", "e"]);
    assert!(list["items"][0]["kind"].is_null(), "{list}");
}

#[test]
fn a_list_over_all_namespaces_holds_those_of_each() {
    let (one, two) = (Case::begin(), Case::begin());
    for case in [&one, &two] {
        case.config_map_with(json!({"name": "a", "labels": {"all": one.namespace}}));
    }
    let path = format!("/api/v1/configmaps?labelSelector=all%3D{}", one.namespace);
    assert_eq!(one.names(&path), ["a", "a"]);
}

#[test]
fn a_list_in_pages_is_the_list_as_of_its_first_page() {
    let case = Case::begin();
    five(&case);
    let first = case
        .get("configmaps?limit=2&labelSelector=tier")
        .expect(200);
    case.config_map_with(json!({"name": "bb", "labels": {"tier": "new"}}));
    case.delete("configmaps/d").expect(200);
    let (mut page, mut seen) = (first.clone(), names(&first));
    while let Some(token) = page["metadata"]["continue"]
        .as_str()
        .filter(|t| !t.is_empty())
    {
        let path = format!("configmaps?limit=2&labelSelector=tier&continue={token}");
        page = case.get(&path).expect(200);
        assert_eq!(version(&page), version(&first));
        seen.extend(names(&page));
    }
    assert_eq!(seen, ["a", "b", "c", "d"]);
}

#[test]
fn a_page_without_selector_says_how_many_are_left() {
    let case = Case::begin();
    for name in ["a", "b", "c"] {
        case.post("secrets", &json!({"metadata": {"name": name}}))
            .expect(201);
    }
    let page = case.get("secrets?limit=1").expect(200);
    assert_eq!(page["metadata"]["remainingItemCount"], 2);
    let selected = case.get("secrets?limit=1&labelSelector=!x").expect(200);
    assert!(
        selected["metadata"]["remainingItemCount"].is_null(),
        "{selected}"
    );
}

#[test]
fn a_list_at_an_exact_revision_shows_what_was_there_then() {
    let case = Case::begin();
    let then = version(&case.config_map("a"));
    case.config_map("b");
    case.delete("configmaps/a").expect(200);
    let path = format!("configmaps?resourceVersion={then}&resourceVersionMatch=Exact");
    let list = case.get(&path).expect(200);
    assert_eq!((names(&list), version(&list)), (vec!["a".to_owned()], then));
}

#[test]
fn a_list_not_older_than_a_revision_shows_at_least_that() {
    let case = Case::begin();
    let now = version(&case.config_map("a"));
    for query in [
        format!("resourceVersion={now}"),
        format!("resourceVersion={now}&resourceVersionMatch=NotOlderThan"),
        "resourceVersion=".to_owned(),
    ] {
        let list = case.get(&format!("configmaps?{query}")).expect(200);
        assert_eq!(names(&list), ["a"], "{query}");
        assert!(version(&list).parse::<u64>().unwrap() >= now.parse().unwrap());
    }
}

#[test]
fn a_list_at_0_shows_everything_before_long() {
    let case = Case::begin();
    case.config_map("a");
    eventually("the object in the list", || {
        let names = case.names("configmaps?resourceVersion=0&resourceVersionMatch=NotOlderThan");
        (names == ["a"]).then_some(())
    });
}

#[test]
fn a_list_at_a_revision_that_has_not_come_is_504() {
    let case = Case::begin();
    let answer = case.get("configmaps?resourceVersion=99999999999");
    assert_eq!(answer.headers["retry-after"], "1");
    let status = answer.refused(504, "Timeout");
    assert_eq!(
        status["details"]["causes"][0]["reason"],
        "ResourceVersionTooLarge"
    );
}

#[test]
fn list_options_that_contradict_each_other_are_422() {
    let case = Case::begin();
    for (query, text) in [
        (
            "resourceVersionMatch=Exact",
            "forbidden unless resourceVersion is provided",
        ),
        (
            "resourceVersion=0&resourceVersionMatch=Exact",
            "is forbidden for resourceVersion \"0\"",
        ),
        (
            "resourceVersion=1&resourceVersionMatch=Odd",
            "Unsupported value: \"Odd\"",
        ),
        (
            "sendInitialEvents=true",
            "sendInitialEvents is forbidden for list",
        ),
    ] {
        let status = case
            .get(&format!("configmaps?{query}"))
            .refused(422, "Invalid");
        says(&status, text);
        assert_eq!(status["details"]["kind"], "ListOptions");
    }
}

#[test]
fn a_continue_token_that_is_none_is_400() {
    let case = Case::begin();
    let status = case
        .get("configmaps?limit=1&continue=garbage")
        .refused(400, "BadRequest");
    says(&status, "continue key is not valid");
    case.get("configmaps?limit=x").refused(400, "BadRequest");
}

#[test]
fn label_selectors_have_all_operators() {
    let case = Case::begin();
    five(&case);
    for (selector, expected) in [
        ("tier=web", "ab"),
        ("tier==web", "ab"),
        ("tier!=web,tier", "cd"),
        ("tier in (web,db)", "abc"),
        ("tier notin (web,db),tier", "d"),
        ("tier,!size", "c"),
        ("size>1", "b"),
        ("size<2", "ad"),
        ("size", "abd"),
        ("tier=web,size=2", "b"),
    ] {
        let query = selector
            .replace(' ', "%20")
            .replace('=', "%3D")
            .replace('>', "%3E")
            .replace('<', "%3C");
        let found = case
            .names(&format!("configmaps?labelSelector={query}"))
            .concat();
        assert_eq!(found, expected, "{selector}");
    }
    case.get("configmaps?labelSelector=a%20in%20(")
        .refused(400, "BadRequest");
}

#[test]
fn field_selectors_know_name_and_namespace_and_what_the_kind_has() {
    let case = Case::begin();
    five(&case);
    assert_eq!(
        case.names("configmaps?fieldSelector=metadata.name%3Dc"),
        ["c"]
    );
    assert_eq!(
        case.names("configmaps?labelSelector=tier&fieldSelector=metadata.name!%3Dc")
            .concat(),
        "abd"
    );
    let path = format!(
        "/api/v1/configmaps?fieldSelector=metadata.namespace%3D{}",
        case.namespace
    );
    assert_eq!(case.names(&path).concat(), "abcde");
    let tls = json!({"metadata": {"name": "s"}, "type": "example.com/t"});
    case.post("secrets", &tls).expect(201);
    case.post("secrets", &json!({"metadata": {"name": "o"}}))
        .expect(201);
    assert_eq!(
        case.names("secrets?fieldSelector=type%3Dexample.com/t"),
        ["s"]
    );
    let status = case
        .get("configmaps?fieldSelector=data.k%3Dv")
        .refused(400, "BadRequest");
    says(&status, "\"data.k\" is not a known field selector");
}

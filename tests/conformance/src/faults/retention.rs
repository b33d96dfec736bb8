//! History that is forgotten.

use burgee_testkit::Server;
use serde_json::json;

use crate::support::{Expect as _, Watch, version};

#[test]
fn a_revision_that_was_forgotten_is_410_for_lists_and_an_event_for_watches() {
    let server = Server::start();
    let client = server.client();
    let path = "/api/v1/namespaces/default/configmaps";
    let first = json!({"metadata": {"name": "first"}});
    let old = version(&client.post(path, &first).expect(201));
    let page = client.get("/api/v1/namespaces?limit=1").expect(200);
    let token = page["metadata"]["continue"].as_str().unwrap();

    // More than the history that is kept: 64 MiB.
    for number in 0..80 {
        let data = json!({"number": number.to_string(), "filler": "x".repeat(1_000_000)});
        let body = json!({"metadata": {"name": "large"}, "data": data}).to_string();
        let headers = [("Content-Type", "application/json")];
        let (method, path) = match number {
            0 => ("POST", path.to_owned()),
            _ => ("PUT", format!("{path}/large")),
        };
        let answer = client.send(method, &path, &headers, body.as_bytes());
        assert!(answer.status < 300, "{}", answer.text());
    }

    burgee_testkit::eventually("the end of the old revision", || {
        let exact = format!("{path}?resourceVersion={old}&resourceVersionMatch=Exact");
        (client.get(&exact).status == 410).then_some(())
    });
    let going_on = format!("/api/v1/namespaces?limit=1&continue={token}");
    client.get(&going_on).refused(410, "Expired");
    let from = format!("{path}?watch=true&resourceVersion={old}");
    let mut watch = Watch::open(&client, &from, "application/json");
    let event = watch.event();
    assert_eq!(
        (&event["type"], &event["object"]["code"]),
        (&json!("ERROR"), &json!(410))
    );
    assert_eq!(event["object"]["reason"], "Expired");
    assert!(watch.rest().is_empty());
}

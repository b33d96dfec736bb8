//! Who is asking.

use burgee_testkit::{Client, Subject};
use serde_json::json;

use crate::support::{Case, Expect as _};

#[test]
fn a_token_that_is_none_is_401_to_the_letter() {
    let client = Client::with_token(&Subject::chosen().kubeconfig(), "garbage");
    for path in ["/api", "/healthz", "/api/v1/secrets", "/nope"] {
        let answer = client.get(path);
        assert_eq!(answer.status, 401);
        assert_eq!(answer.headers["content-type"], "application/json");
        let expected = concat!(
            r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","#,
            r#""message":"Unauthorized","reason":"Unauthorized","code":401}"#,
            "\n"
        );
        assert_eq!(answer.text(), expected, "{path}");
    }
}

#[test]
fn who_shows_nothing_is_anonymous() {
    let client = Client::anonymous(&Subject::chosen().kubeconfig());
    client.get("/version").expect(200);
    assert_eq!(client.get("/healthz").text(), "ok");
    let status = client.get("/api").refused(403, "Forbidden");
    assert_eq!(
        status["message"],
        "forbidden: User \"system:anonymous\" cannot get path \"/api\""
    );
    let answer = client.get("/api/v1/secrets");
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    answer.refused(403, "Forbidden");
}

#[test]
fn a_broken_authorization_header_is_no_credential() {
    let client = Client::anonymous(&Subject::chosen().kubeconfig());
    for value in ["Basic YTpi", "Bearer", "Bearer ", "bearer"] {
        let answer = client.send("GET", "/version", &[("Authorization", value)], b"");
        assert_eq!(answer.status, 200, "{value}");
    }
    let answer = client.send("GET", "/version", &[("Authorization", "Bearer  two")], b"");
    assert!(answer.headers["warning"].contains("extra space before the bearer token"));
}

#[test]
fn a_certificate_of_another_authority_is_401() {
    let case = Case::begin();
    // What the server itself shows does not say who somebody is.
    let other = burgee_testkit::Server::start();
    let mut config = burgee_testkit::Kubeconfig::read(&other.kubeconfig());
    let own = Subject::chosen().kubeconfig();
    config.server = own.server;
    config.authority = own.authority;
    Client::new(&config)
        .get("/api")
        .refused(401, "Unauthorized");
    case.get("/api").expect(200);
}

#[test]
fn the_administrator_is_who_the_certificate_says() {
    let case = Case::begin();
    let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let answer = case.post(path, &json!({})).expect(201);
    let groups = answer["status"]["userInfo"]["groups"].as_array().unwrap();
    assert!(groups.contains(&json!("system:authenticated")), "{answer}");
}

#[test]
fn a_good_certificate_comes_before_a_bad_token() {
    let case = Case::begin();
    let headers = [("Authorization", "Bearer garbage")];
    let answer = case.client.send("GET", "/api", &headers, b"");
    // The certificate comes first, and says who it is.
    answer.expect(200);
}

//! What a server says about itself: types, versions, schemas, health.

use serde_json::Value;

use super::{rows, start};

#[test]
fn the_types_that_are_served_are_listed() {
    let (_server, kubectl) = start();
    let core = rows(&kubectl.run("api-resources --api-group= --no-headers").ok());
    for row in [
        "configmaps cm v1 true ConfigMap",
        "namespaces ns v1 false Namespace",
        "secrets v1 true Secret",
        "serviceaccounts sa v1 true ServiceAccount",
    ] {
        assert!(
            core.iter().any(|found| found == row),
            "no {row} in {core:#?}"
        );
    }
    assert_eq!(
        rows(
            &kubectl
                .run("api-resources --api-group=rbac.authorization.k8s.io")
                .ok()
        ),
        [
            "NAME SHORTNAMES APIVERSION NAMESPACED KIND",
            "clusterrolebindings rbac.authorization.k8s.io/v1 false ClusterRoleBinding",
            "clusterroles rbac.authorization.k8s.io/v1 false ClusterRole",
            "rolebindings rbac.authorization.k8s.io/v1 true RoleBinding",
            "roles rbac.authorization.k8s.io/v1 true Role",
        ]
    );
}

#[test]
fn the_versions_that_are_served_are_listed() {
    let (_server, kubectl) = start();
    let versions = kubectl.run("api-versions").ok();
    for version in [
        "authentication.k8s.io/v1",
        "authorization.k8s.io/v1",
        "rbac.authorization.k8s.io/v1",
        "v1",
    ] {
        assert!(versions.lines().any(|line| line == version), "{versions}");
    }
}

#[test]
fn explain_shows_a_type_and_its_fields() {
    let (_server, kubectl) = start();
    let secret = kubectl.run("explain secret").ok();
    assert!(
        secret.starts_with("KIND:       Secret\nVERSION:    v1\n\nDESCRIPTION:\n"),
        "{secret}"
    );
    for field in [
        "  data\t<map[string]string>\n",
        "  immutable\t<boolean>\n",
        "  type\t<string>\n",
    ] {
        assert!(secret.contains(field), "no {field:?} in {secret}");
    }
    let spec = kubectl.run("explain pod.spec --recursive").ok();
    assert!(
        spec.contains("  containers\t<[]Container> -required-\n"),
        "{spec}"
    );
    assert!(
        spec.contains("      configMapKeyRef\t<ConfigMapKeySelector>\n"),
        "{spec}"
    );
    let rule = kubectl.run("explain role.rules.verbs").ok();
    assert!(rule.contains("FIELD: verbs <[]string>\n"), "{rule}");
}

#[test]
fn documents_are_read_raw() {
    let (_server, kubectl) = start();
    let version: Value = serde_json::from_str(&kubectl.run("get --raw /version").ok()).unwrap();
    assert_eq!(version["major"], "1");
    let ready = kubectl.run("get --raw /readyz?verbose").ok();
    assert!(ready.ends_with("readyz check passed\n"), "{ready}");
    let document = kubectl
        .run("get --raw /.well-known/openid-configuration")
        .ok();
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(
        document["issuer"],
        "https://kubernetes.default.svc.cluster.local"
    );
    let keys: Value = serde_json::from_str(&kubectl.run("get --raw /openid/v1/jwks").ok()).unwrap();
    assert_eq!(keys["keys"][0]["kty"], "EC");
    let missing = kubectl.run("get --raw /nothing").fails(1);
    assert_eq!(
        missing,
        "Error from server (NotFound): the server could not find the requested resource\n"
    );
}

#[test]
fn client_and_server_versions_are_compatible() {
    let (_server, kubectl) = start();
    let version = kubectl.run("version");
    assert!(
        version.stdout.contains("Server Version: v1."),
        "{version:?}"
    );
    // A difference of more than one minor version would be warned of.
    assert_eq!(version.stderr, "");
}

#[test]
fn the_kubeconfig_leads_to_the_server_and_hides_its_key() {
    let (server, kubectl) = start();
    assert_eq!(
        kubectl.run("config view").ok(),
        format!(
            "apiVersion: v1\n\
             clusters:\n\
             - cluster:\n    \
                 certificate-authority-data: DATA+OMITTED\n    \
                 server: https://{}\n  \
               name: burgee\n\
             contexts:\n\
             - context:\n    \
                 cluster: burgee\n    \
                 user: admin\n  \
               name: burgee\n\
             current-context: burgee\n\
             kind: Config\n\
             users:\n\
             - name: admin\n  \
               user:\n    \
                 client-certificate-data: DATA+OMITTED\n    \
                 client-key-data: DATA+OMITTED\n",
            server.address()
        )
    );
}

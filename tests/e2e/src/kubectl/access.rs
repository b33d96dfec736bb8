//! Who one is and what one may do.

use burgee_testkit::{Client, Kubeconfig, Kubectl};

use super::{rows, start};

fn robot(kubectl: &Kubectl) -> Kubectl {
    kubectl.run("create sa robot").ok();
    let token = kubectl.run("create token robot").ok();
    kubectl.with_token(token.trim())
}

#[test]
fn the_administrator_is_known_by_its_certificate() {
    let (_server, kubectl) = start();
    let rows = rows(&kubectl.run("auth whoami").ok());
    assert_eq!(
        rows[..3],
        [
            "ATTRIBUTE VALUE",
            "Username kubernetes-admin",
            "Groups [system:masters system:authenticated]"
        ]
    );
    let extra = "Extra: authentication.kubernetes.io/credential-id [X509SHA256=";
    assert!(rows[3].starts_with(extra), "{rows:?}");
}

#[test]
fn a_service_account_is_in_the_groups_of_its_kind() {
    let (_server, kubectl) = start();
    let rows = rows(&robot(&kubectl).run("auth whoami").ok());
    assert_eq!(rows[1], "Username system:serviceaccount:default:robot");
    assert!(rows[2].starts_with("UID "), "{rows:?}");
    assert_eq!(
        rows[3],
        "Groups [system:serviceaccounts system:serviceaccounts:default system:authenticated]"
    );
    assert!(rows[4].starts_with("Extra: authentication.kubernetes.io/credential-id [JTI="));
}

#[test]
fn the_administrator_may_do_everything() {
    let (_server, kubectl) = start();
    assert_eq!(kubectl.run("auth can-i '*' '*'").ok(), "yes\n");
    let list = kubectl.run("auth can-i --list").ok();
    let rows = rows(&list);
    assert_eq!(rows[0], "Resources Non-Resource URLs Resource Names Verbs");
    assert!(rows.iter().any(|row| row == "*.* [] [] [*]"), "{list}");
    assert!(rows.iter().any(|row| row == "[*] [] [*]"), "{list}");
}

#[test]
fn access_follows_roles_and_bindings_at_once() {
    let (_server, kubectl) = start();
    let robot = robot(&kubectl);
    let forbidden = "Error from server (Forbidden): secrets is forbidden: User \
                     \"system:serviceaccount:default:robot\" cannot list resource \"secrets\" in API \
                     group \"\" in the namespace \"default\"\n";
    assert_eq!(robot.run("get secrets").fails(1), forbidden);

    let role = kubectl
        .run("create role reader --verb=get,list --resource=secrets")
        .ok();
    assert_eq!(role, "role.rbac.authorization.k8s.io/reader created\n");
    let bind = "create rolebinding robot --role=reader --serviceaccount=default:robot";
    let binding = kubectl.run(bind).ok();
    assert_eq!(
        binding,
        "rolebinding.rbac.authorization.k8s.io/robot created\n"
    );
    robot.run("get secrets").ok();
    assert_eq!(robot.run("auth can-i list secrets").ok(), "yes\n");
    assert_eq!(robot.run("auth can-i delete secrets").stdout, "no\n");
    let list = rows(&robot.run("auth can-i --list").ok());
    assert!(
        list.iter().any(|row| row == "secrets [] [] [get list]"),
        "{list:?}"
    );

    kubectl.run("delete rolebinding robot").ok();
    assert_eq!(robot.run("get secrets").fails(1), forbidden);
}

#[test]
fn a_cluster_role_binding_reaches_every_namespace() {
    let (_server, kubectl) = start();
    let robot = robot(&kubectl);
    robot.run("get sa -A").fails(1);
    let bind = "create clusterrolebinding robot --clusterrole=view --serviceaccount=default:robot";
    kubectl.run(bind).ok();
    robot.run("get sa -A").ok();
    // `view` shows no secrets.
    robot.run("get secrets -A").fails(1);
}

#[test]
fn nobody_gives_away_more_than_they_have() {
    let (_server, kubectl) = start();
    let robot = robot(&kubectl);
    let rbac = "--verb=create --resource=roles.rbac.authorization.k8s.io";
    kubectl.run(&format!("create role clerk {rbac}")).ok();
    kubectl
        .run("create rolebinding robot --role=clerk --serviceaccount=default:robot")
        .ok();
    let refused = robot
        .run("create role more --verb=get --resource=secrets")
        .fails(1);
    let expected = "is attempting to grant RBAC permissions not currently held";
    assert!(refused.contains(expected), "{refused}");
}

#[test]
fn one_may_act_as_another_only_with_leave() {
    let (server, kubectl) = start();
    let who = "auth whoami -o jsonpath={.status.userInfo.username}";
    assert_eq!(
        kubectl.run(&format!("{who} --as=jane --as-group=dev")).ok(),
        "jane"
    );
    assert_eq!(
        kubectl.run("auth can-i list secrets --as=jane").stdout,
        "no\n"
    );

    // Not with kubectl, which cannot say why it was refused when that happens in discovery.
    kubectl.run("create sa robot").ok();
    let token = kubectl.run("create token robot").ok();
    let robot = Client::with_token(&Kubeconfig::read(&server.kubeconfig()), &token);
    let refused = robot.send(
        "GET",
        "/api/v1/secrets",
        &[("Impersonate-User", "jane")],
        b"",
    );
    assert_eq!(refused.status, 403);
    assert_eq!(
        refused.json()["message"],
        "users \"jane\" is forbidden: User \"system:serviceaccount:default:robot\" cannot \
         impersonate resource \"users\" in API group \"\" at the cluster scope"
    );
    kubectl
        .run("create clusterrole actor --verb=impersonate --resource=users --resource-name=jane")
        .ok();
    kubectl
        .run("create clusterrolebinding actor --clusterrole=actor --serviceaccount=default:robot")
        .ok();
    assert_eq!(
        kubectl
            .with_token(token.trim())
            .run(&format!("{who} --as=jane"))
            .ok(),
        "jane"
    );
}

#[test]
fn reconcile_brings_roles_up_to_date() {
    let (_server, kubectl) = start();
    kubectl.file(
        "role.yaml",
        "\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules: [{apiGroups: [''], resources: [secrets], verbs: [get]}]
",
    );
    let first = kubectl.run("auth reconcile -f role.yaml").ok();
    assert!(
        first.contains("clusterrole.rbac.authorization.k8s.io/reader reconciled"),
        "{first}"
    );
    let verbs = kubectl
        .run("get clusterrole reader -o jsonpath={.rules[0].verbs}")
        .ok();
    assert_eq!(verbs, r#"["get"]"#);
}

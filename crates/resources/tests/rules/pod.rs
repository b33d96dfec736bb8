//! What pods get and what they must be.

use burgee_wire::Object;
use serde_json::{Value, json};

use crate::testkit::{create, object, resource};

/// A good pod with some members of its specification replaced.
pub(crate) fn pod(spec: Value) -> Value {
    let mut members = json!({"containers": [{"name": "c", "image": "i"}]});
    for (member, value) in spec.as_object().into_iter().flatten() {
        members
            .as_object_mut()
            .unwrap()
            .insert(member.clone(), value.clone());
    }
    json!({"metadata": {"name": "p", "namespace": "n"}, "spec": members})
}

/// A good pod with some members of its container replaced.
pub(crate) fn with_container(container: Value) -> Value {
    let mut members = json!({"name": "c", "image": "i"});
    for (member, value) in container.as_object().into_iter().flatten() {
        members
            .as_object_mut()
            .unwrap()
            .insert(member.clone(), value.clone());
    }
    pod(json!({"containers": [members]}))
}

/// A good pod with one volume.
pub(crate) fn with_volume(source: Value) -> Value {
    let mut volume = source;
    volume
        .as_object_mut()
        .unwrap()
        .insert("name".into(), "v".into());
    pod(json!({"volumes": [volume]}))
}

/// A good pod with one projected source.
pub(crate) fn with_projected(source: Value) -> Value {
    with_volume(json!({"projected": {"sources": [source]}}))
}

fn prepared(value: Value) -> Object {
    let mut object = object("pods", value);
    resource("pods").rules.prepare_create(&mut object);
    object
}

#[test]
fn what_the_author_left_out_is_filled_in() {
    let pod = object(
        "pods",
        json!({"spec": {"hostNetwork": true,
        "initContainers": [{"name": "a", "image": "i:1", "ports": [{"containerPort": 1}]}],
        "containers": [{"name": "c", "image": "i:1",
            "env": [{"name": "E", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
            "livenessProbe": {"httpGet": {"port": 80}},
            "lifecycle": {"preStop": {"httpGet": {"port": 80}}},
            "resources": {"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "1"}}}],
        "volumes": [{"name": "e"}, {"name": "h", "hostPath": {"path": "/"}}, {"name": "p", "projected": {"sources": [
            {"serviceAccountToken": {"path": "t"}}, {"downwardAPI": {"items": [{"path": "n", "fieldRef": {"fieldPath": "metadata.name"}}]}}]}}]}}),
    );
    let at = |path: &str| pod.to_value().pointer(path).cloned().unwrap_or_default();
    let table = [
        (
            "/spec/initContainers/0/imagePullPolicy",
            json!("IfNotPresent"),
        ),
        (
            "/spec/initContainers/0/ports/0",
            json!({"containerPort": 1, "hostPort": 1, "protocol": "TCP"}),
        ),
        (
            "/spec/containers/0/env/0/valueFrom/fieldRef/apiVersion",
            json!("v1"),
        ),
        (
            "/spec/containers/0/livenessProbe",
            json!({"httpGet": {"path": "/", "port": 80, "scheme": "HTTP"},
            "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}),
        ),
        (
            "/spec/containers/0/lifecycle/preStop/httpGet/scheme",
            json!("HTTP"),
        ),
        (
            "/spec/containers/0/resources/requests",
            json!({"cpu": "1", "memory": "1Gi"}),
        ),
        ("/spec/volumes/0/emptyDir", json!({})),
        ("/spec/volumes/1/hostPath/type", json!("")),
        ("/spec/volumes/2/projected/defaultMode", json!(420)),
        (
            "/spec/volumes/2/projected/sources/0/serviceAccountToken/expirationSeconds",
            json!(3600),
        ),
        (
            "/spec/volumes/2/projected/sources/1/downwardAPI/items/0/fieldRef/apiVersion",
            json!("v1"),
        ),
    ];
    for (path, value) in table {
        assert_eq!(at(path), value, "{path}");
    }
}

#[test]
fn a_new_pod_runs_as_somebody_and_is_pending() {
    let value = json!({"spec": {"containers": [{"name": "c", "image": "i"}]}, "status": {"phase": "Running"}});
    let plain = prepared(value);
    assert_eq!(plain.text(&["spec", "serviceAccountName"]), "default");
    assert_eq!(plain.text(&["spec", "serviceAccount"]), "default");
    assert_eq!(
        plain.content.get("status"),
        Some(&json!({"phase": "Pending", "qosClass": "BestEffort"}))
    );
    assert_eq!(plain.metadata.generation, 1);

    let mirror = json!({"metadata": {"annotations": {"kubernetes.io/config.mirror": "x"}}, "spec": {"nodeName": "n"}});
    assert_eq!(prepared(mirror).at(&["spec", "serviceAccountName"]), None);

    let critical = prepared(pod(json!({"priorityClassName": "system-node-critical"})));
    assert_eq!(
        critical.at(&["spec", "priority"]),
        Some(&json!(2_000_001_000))
    );
    let tolerant = prepared(pod(json!({"tolerations": [{"operator": "Exists"}]})));
    assert_eq!(
        tolerant.at(&["spec", "tolerations"]),
        Some(&json!([{"operator": "Exists"}]))
    );
}

#[test]
fn good_pods_are_good() {
    let table = [
        pod(json!({})),
        pod(
            json!({"nodeSelector": {"a": "b"}, "activeDeadlineSeconds": 1, "hostname": "h", "dnsPolicy": "None",
            "tolerations": [{"key": "a", "operator": "Equal", "value": "b", "effect": "NoExecute", "tolerationSeconds": 3}]}),
        ),
        pod(json!({"initContainers": [{"name": "i", "image": "i", "restartPolicy": "Always"}]})),
        with_container(
            json!({"ports": [{"name": "http", "containerPort": 80}, {"containerPort": 81}],
            "env": [{"name": "a.b-c", "value": "v"}], "envFrom": [{"secretRef": {"name": "s"}}],
            "resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "1000m"}}}),
        ),
        with_projected(json!({"serviceAccountToken": {"path": "token", "expirationSeconds": 600}})),
        with_volume(
            json!({"secret": {"secretName": "s", "items": [{"key": "a", "path": "b/c", "mode": 0}]}}),
        ),
        with_volume(json!({"nfs": {"server": "s", "path": "/"}})),
    ];
    for value in table {
        assert_eq!(create("pods", value.clone()), [""; 0], "{value}");
    }
}

#[test]
fn a_pods_specification_is_refused_in_upstreams_words() {
    let table = [
        (
            pod(json!({"containers": []})),
            "spec.containers: Required value",
        ),
        (
            pod(json!({"restartPolicy": "Maybe"})),
            "spec.restartPolicy: Unsupported value: \"Maybe\": supported values: \"Always\", \"OnFailure\", \"Never\"",
        ),
        (
            pod(json!({"dnsPolicy": "Any"})),
            "spec.dnsPolicy: Unsupported value: \"Any\": supported values: \"ClusterFirstWithHostNet\", \"ClusterFirst\", \"Default\", \"None\"",
        ),
        (
            pod(json!({"nodeSelector": {"/a": "b"}})),
            "spec.nodeSelector: Invalid value: \"/a\": prefix part must be non-empty",
        ),
        (
            pod(json!({"activeDeadlineSeconds": 0})),
            "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive",
        ),
        (
            pod(json!({"readinessGates": [{"conditionType": "/a"}]})),
            "spec.readinessGates[0].conditionType: Invalid value: \"/a\": prefix part must be non-empty",
        ),
        (
            pod(json!({"schedulingGates": [{"name": "a"}, {"name": "a"}]})),
            "spec.schedulingGates[1]: Duplicate value: \"a\"",
        ),
        (
            pod(json!({"schedulingGates": [{"name": "a"}], "nodeName": "n"})),
            "spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared",
        ),
        (
            pod(json!({"ephemeralContainers": [{"name": "e", "image": "i"}]})),
            "spec.ephemeralContainers: Forbidden: cannot be set on create",
        ),
        (
            pod(json!({"tolerations": [{"key": "a", "operator": "Is"}]})),
            "spec.tolerations[0].operator: Unsupported value: \"Is\": supported values: \"Equal\", \"Exists\"",
        ),
        (
            pod(json!({"tolerations": [{"operator": "Equal"}]})),
            "spec.tolerations[0].operator: Invalid value: \"Equal\": operator must be Exists when `key` is empty, which means \"match all values and all keys\"",
        ),
        (
            pod(json!({"tolerations": [{"key": "a", "operator": "Exists", "value": "v"}]})),
            "spec.tolerations[0].operator: Invalid value: \"v\": value must be empty when `operator` is 'Exists'",
        ),
        (
            pod(json!({"tolerations": [{"key": "a", "tolerationSeconds": 1}]})),
            "spec.tolerations[0].effect: Invalid value: \"\": effect must be 'NoExecute' when `tolerationSeconds` is set",
        ),
    ];
    for (value, text) in table {
        assert_eq!(create("pods", value), [text]);
    }
    for member in [
        "serviceAccountName",
        "nodeName",
        "hostname",
        "subdomain",
        "priorityClassName",
        "runtimeClassName",
    ] {
        let errors = create("pods", pod(json!({member: "A_"})));
        assert!(
            errors.len() == 1
                && errors
                    .concat()
                    .starts_with(&format!("spec.{member}: Invalid value: \"A_\": ")),
            "{errors:?}"
        );
    }
    let mirror = json!({"metadata": {"annotations": {"kubernetes.io/config.mirror": "x"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    assert_eq!(
        create("pods", mirror),
        [
            "metadata.annotations[kubernetes.io/config.mirror]: Invalid value: \"x\": must set spec.nodeName if mirror pod annotation is set"
        ]
    );
}

#[test]
fn containers_are_refused_in_upstreams_words() {
    let path = "spec.containers[0]";
    let table = [
        (json!({"name": ""}), "name: Required value"),
        (json!({"image": ""}), "image: Required value"),
        (
            json!({"image": " i"}),
            "image: Invalid value: \" i\": must not have leading or trailing whitespace",
        ),
        (
            json!({"imagePullPolicy": "Now"}),
            "imagePullPolicy: Unsupported value: \"Now\": supported values: \"Always\", \"IfNotPresent\", \"Never\"",
        ),
        (
            json!({"terminationMessagePolicy": "X"}),
            "terminationMessagePolicy: Unsupported value: \"X\": supported values: \"File\", \"FallbackToLogsOnError\"",
        ),
        (
            json!({"restartPolicy": "Always"}),
            "restartPolicy: Forbidden: may not be set for non-init containers",
        ),
        (
            json!({"ports": [{}]}),
            "ports[0].containerPort: Required value",
        ),
        (
            json!({"ports": [{"containerPort": 65536}]}),
            "ports[0].containerPort: Invalid value: 65536: must be between 1 and 65535, inclusive",
        ),
        (
            json!({"ports": [{"containerPort": 1, "hostPort": -1}]}),
            "ports[0].hostPort: Invalid value: -1: must be between 1 and 65535, inclusive",
        ),
        (
            json!({"ports": [{"containerPort": 1, "protocol": "ICMP"}]}),
            "ports[0].protocol: Unsupported value: \"ICMP\": supported values: \"SCTP\", \"TCP\", \"UDP\"",
        ),
        (
            json!({"ports": [{"containerPort": 1, "name": "1"}]}),
            "ports[0].name: Invalid value: \"1\": must contain at least one letter (a-z)",
        ),
        (
            json!({"ports": [{"containerPort": 1, "name": "a"}, {"containerPort": 2, "name": "a"}]}),
            "ports[1].name: Duplicate value: \"a\"",
        ),
        (
            json!({"env": [{"name": ""}]}),
            "env[0].name: Required value",
        ),
        (
            json!({"env": [{"name": "a=b"}]}),
            "env[0].name: Invalid value: \"a=b\": a valid environment variable name must consist only of printable ASCII characters other than '='",
        ),
        (
            json!({"env": [{"name": "a", "valueFrom": {}}]}),
            "env[0].valueFrom: Invalid value: \"\": must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`",
        ),
        (
            json!({"env": [{"name": "a", "value": "v", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}),
            "env[0].valueFrom: Invalid value: \"\": may not be specified when `value` is not empty",
        ),
        (
            json!({"env": [{"name": "a", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}, "configMapKeyRef": {"name": "s", "key": "k"}}}]}),
            "env[0].valueFrom: Invalid value: \"\": may not have more than one field specified at a time",
        ),
        (
            json!({"envFrom": [{}]}),
            "envFrom: Invalid value: \"\": must specify one of: `configMapRef` or `secretRef`",
        ),
        (
            json!({"envFrom": [{"secretRef": {}}]}),
            "envFrom[0].secretRef.name: Required value",
        ),
        (
            json!({"envFrom": [{"secretRef": {"name": "a"}, "configMapRef": {"name": "a"}}]}),
            "envFrom: Invalid value: \"\": may not have more than one field specified at a time",
        ),
        (
            json!({"volumeMounts": [{"name": "x", "mountPath": "/"}]}),
            "volumeMounts[0].name: Not found: \"x\"",
        ),
        (
            json!({"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1500m"}}}),
            "resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1500m",
        ),
        (
            json!({"resources": {"requests": {"cpu": "-1"}}}),
            "resources.requests[cpu]: Invalid value: \"-1\": must be greater than or equal to 0",
        ),
    ];
    for (container, text) in table {
        assert_eq!(
            create("pods", with_container(container)),
            [format!("{path}.{text}")]
        );
    }
    let twice =
        pod(json!({"containers": [{"name": "c", "image": "i"}, {"name": "c", "image": "i"}]}));
    assert_eq!(
        create("pods", twice),
        ["spec.containers[1].name: Duplicate value: \"c\""]
    );
    let init =
        pod(json!({"initContainers": [{"name": "i", "image": "i", "restartPolicy": "Never"}]}));
    assert_eq!(
        create("pods", init),
        [
            "spec.initContainers[0].restartPolicy: Unsupported value: \"Never\": supported values: \"Always\""
        ]
    );
    let mounts = pod(
        json!({"volumes": [{"name": "v"}], "containers": [{"name": "c", "image": "i", "volumeMounts": [
        {"name": "v", "mountPath": "/a", "subPath": "/x", "subPathExpr": "../y"}, {"name": "v", "mountPath": "/a"}, {"name": "v"}]}]}),
    );
    assert_eq!(
        create("pods", mounts),
        [
            "spec.containers[0].volumeMounts.subPath: Invalid value: \"/x\": must be a relative path",
            "spec.containers[0].volumeMounts.subPathExpr: Invalid value: \"../y\": must not contain '..'",
            "spec.containers[0].volumeMounts[0].subPathExpr: Invalid value: \"../y\": subPathExpr and subPath are mutually exclusive",
            "spec.containers[0].volumeMounts[1].mountPath: Invalid value: \"/a\": must be unique",
            "spec.containers[0].volumeMounts[2].mountPath: Required value",
        ]
    );
}

#[test]
fn volumes_are_refused_in_upstreams_words() {
    let mode = "must be a number between 0 and 0777 (octal), both inclusive";
    let table = [
        (json!({"secret": {}}), "secret.secretName: Required value".to_owned()),
        (json!({"configMap": {}}), "configMap.name: Required value".to_owned()),
        (json!({"secret": {"secretName": "s", "defaultMode": 512}}), format!("secret.defaultMode: Invalid value: 512: {mode}")),
        (json!({"secret": {"secretName": "s", "items": [{"path": "p"}]}}), "secret.items[0].key: Required value".to_owned()),
        (json!({"secret": {"secretName": "s", "items": [{"key": "k"}]}}), "secret.items[0].path: Required value".to_owned()),
        (json!({"configMap": {"name": "c", "items": [{"key": "k", "path": "/p"}]}}), "configMap.items[0].path: Invalid value: \"/p\": must be a relative path".to_owned()),
        (json!({"configMap": {"name": "c", "items": [{"key": "k", "path": "a/../p"}]}}), "configMap.items[0].path: Invalid value: \"a/../p\": must not contain '..'".to_owned()),
        (json!({"configMap": {"name": "c", "items": [{"key": "k", "path": "..p"}]}}), "configMap.items[0].path: Invalid value: \"..p\": must not start with '..'".to_owned()),
        (json!({"configMap": {"name": "c", "items": [{"key": "k", "path": "p", "mode": -1}]}}), format!("configMap.items[0].mode: Invalid value: -1: {mode}")),
        (json!({"hostPath": {"path": ""}}), "hostPath.path: Required value".to_owned()),
        (json!({"hostPath": {"path": "/a/.."}}), "hostPath.path: Invalid value: \"/a/..\": must not contain '..'".to_owned()),
        (json!({"hostPath": {"path": "/a", "type": "Disk"}}), "hostPath.type: Unsupported value: \"Disk\": supported values: \"\", \"BlockDevice\", \"CharDevice\", \"Directory\", \"DirectoryOrCreate\", \"File\", \"FileOrCreate\", \"Socket\"".to_owned()),
        (json!({"persistentVolumeClaim": {}}), "persistentVolumeClaim.claimName: Required value".to_owned()),
        (json!({"emptyDir": {}, "secret": {"secretName": "s"}}), "secret: Forbidden: may not specify more than 1 volume type".to_owned()),
    ];
    for (source, text) in table {
        assert_eq!(
            create("pods", with_volume(source)),
            [format!("spec.volumes[0].{text}")]
        );
    }
    let names = pod(json!({"volumes": [{"name": "v"}, {"name": "v"}, {}]}));
    assert_eq!(
        create("pods", names),
        [
            "spec.volumes[1].name: Duplicate value: \"v\"",
            "spec.volumes[2].name: Required value"
        ]
    );
}

#[test]
fn projected_tokens_are_refused_in_upstreams_words() {
    let path = "spec.volumes[0].projected";
    let token = |token: Value| json!({"serviceAccountToken": token});
    let table = [
        (
            token(json!({"path": "t", "expirationSeconds": 599})),
            "sources[0].serviceAccountToken.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes",
        ),
        (
            token(json!({"path": "t", "expirationSeconds": 4_294_967_297_i64})),
            "sources[0].serviceAccountToken.expirationSeconds: Invalid value: 4294967297: may not specify a duration larger than 2^32 seconds",
        ),
        (token(json!({})), "path: Required value"),
        (
            token(json!({"path": "../t"})),
            "path: Invalid value: \"../t\": must not contain '..'",
        ),
        (
            json!({"secret": {}}),
            "sources[0].secret.name: Required value",
        ),
        (
            json!({"downwardAPI": {"items": [{"fieldRef": {"fieldPath": "metadata.name"}}]}}),
            "sources[0].downwardAPI.path: Required value",
        ),
        (
            json!({"secret": {"name": "s"}, "serviceAccountToken": {"path": "t"}}),
            "sources[0]: Forbidden: may not specify more than 1 volume type per source",
        ),
    ];
    for (source, text) in table {
        assert_eq!(
            create("pods", with_projected(source)),
            [format!("{path}.{text}")]
        );
    }
    let item = json!({"name": "s", "items": [{"key": "k", "path": "p"}]});
    let twice =
        with_volume(json!({"projected": {"sources": [{"secret": item}, {"configMap": item}]}}));
    assert_eq!(
        create("pods", twice),
        [format!(
            "{path}: Invalid value: \"s\": conflicting duplicate paths"
        )]
    );

    let mut nobody = with_projected(token(json!({"path": "t"})));
    let mark = json!({"annotations": {"kubernetes.io/config.mirror": "x"}});
    nobody
        .as_object_mut()
        .unwrap()
        .insert("metadata".into(), mark);
    nobody
        .pointer_mut("/spec")
        .and_then(Value::as_object_mut)
        .unwrap()
        .insert("nodeName".into(), "n".into());
    let text = "spec.volumes[0].projected.sources[0].serviceAccountToken: Forbidden: must not be specified when serviceAccountName is not set";
    assert_eq!(create("pods", nobody), [text]);
}

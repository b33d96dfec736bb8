//! The quality of service that a pod's resources entitle it to (`pkg/apis/core/helper/qos`).

use std::collections::BTreeMap;

use burgee_wire::Object;
use serde_json::Value;

use crate::json::{entries, items, some};
use crate::quantity::nanos;

const COUNTED: [&str; 2] = ["cpu", "memory"];

/// `Guaranteed`, `Burstable` or `BestEffort`.
pub(super) fn class(object: &Object) -> &'static str {
    let Some(spec) = object.content.get("spec") else {
        return "BestEffort";
    };
    // Resources of the pod as a whole stand above those of its containers.
    let resources: Vec<&Value> = match some(spec, "resources") {
        Some(resources) => vec![resources],
        None => {
            let containers = items(spec, "containers")
                .iter()
                .chain(items(spec, "initContainers"));
            containers
                .filter_map(|container| container.get("resources"))
                .collect()
        }
    };
    let requests = sum(&resources, "requests");
    let limits = sum(&resources, "limits");
    let all_limited = resources.iter().all(|each| {
        COUNTED.iter().all(|name| {
            each.get("limits")
                .and_then(|limits| limits.get(name))
                .is_some_and(|q| nanos(q) > 0)
        })
    });
    if requests.is_empty() && limits.is_empty() {
        "BestEffort"
    } else if all_limited && requests == limits {
        "Guaranteed"
    } else {
        "Burstable"
    }
}

fn sum<'a>(resources: &[&'a Value], member: &str) -> BTreeMap<&'a str, i128> {
    let mut sums = BTreeMap::new();
    for (name, quantity) in resources.iter().flat_map(|each| entries(each, member)) {
        let amount = nanos(quantity);
        if COUNTED.contains(&name) && amount > 0 {
            let sum: &mut i128 = sums.entry(name).or_default();
            *sum = sum.saturating_add(amount);
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn quality_follows_from_requests_and_limits() {
        let both = json!({"cpu": "1", "memory": "1Gi"});
        let table = [
            (json!([{"resources": {}}]), "BestEffort"),
            (
                json!([{"resources": {"requests": {"cpu": "0"}}}]),
                "BestEffort",
            ),
            (
                json!([{"resources": {"requests": {"nvidia.com/gpu": "1"}}}]),
                "BestEffort",
            ),
            (
                json!([{"resources": {"requests": {"cpu": "1m"}}}]),
                "Burstable",
            ),
            (
                json!([{"resources": {"requests": both, "limits": both}}]),
                "Guaranteed",
            ),
            (
                json!([{"resources": {"requests": {"cpu": "1000m", "memory": "1024Mi"}, "limits": both}}]),
                "Guaranteed",
            ),
            (
                json!([{"resources": {"requests": {"cpu": "1m", "memory": "1Gi"}, "limits": both}}]),
                "Burstable",
            ),
            (
                json!([{"resources": {"requests": both, "limits": both}}, {"resources": {}}]),
                "Burstable",
            ),
        ];
        for (containers, expected) in table {
            let pod = json!({"spec": {"containers": containers}});
            assert_eq!(
                class(&Object::from_value(pod.clone()).unwrap()),
                expected,
                "{pod}"
            );
        }
        let pod = json!({"spec": {"resources": {"requests": both, "limits": both},
            "containers": [{"resources": {}}]}});
        assert_eq!(class(&Object::from_value(pod).unwrap()), "Guaranteed");
    }
}

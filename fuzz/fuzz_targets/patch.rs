//! Patches: none panics, whatever the object. The first line of the input names the form of the
//! patch, the second is a pod, the rest the patch. What was applied once applies again without change.

#![no_main]

use burgee_patch::{
    Applied, Endpoint, FieldSet, OnConflict, Patch, PatchType, Writer, apply, update,
};
use burgee_wire::decode::{conform, from_slice, parse};
use burgee_wire::schema::schema;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|input: &[u8]| {
    let mut lines = input.splitn(3, |byte| *byte == b'\n');
    let (Some(form), Some(pod), Some(patch)) = (lines.next(), lines.next(), lines.next()) else {
        return;
    };
    let kind = schema().find("io.k8s.api.core.v1.Pod").unwrap();
    let Ok(live) = from_slice(pod, kind) else {
        return;
    };
    let endpoint = Endpoint {
        kind,
        api_version: "v1",
        subresource: "",
        reset_fields: &FieldSet::default(),
    };
    let writer = Writer {
        name: "kubectl",
        now: jiff::Timestamp::UNIX_EPOCH,
    };
    let patch_type = match form {
        b"json" => PatchType::Json,
        b"merge" => PatchType::Merge,
        b"strategic" => PatchType::StrategicMerge,
        _ => {
            let Ok((configuration, _)) = parse(patch) else {
                return;
            };
            let apply = |live: &Value| {
                apply(
                    Some(live),
                    &configuration,
                    &endpoint,
                    &writer,
                    OnConflict::Force,
                )
            };
            if let Ok(once) = apply(&live.value)
                && let Ok(twice) = apply(&stored(&once))
            {
                let thrice = apply(&stored(&twice)).unwrap();
                assert_eq!(thrice.managed_fields, twice.managed_fields);
            }
            return;
        }
    };
    let Ok(patch) = Patch::parse(patch_type, patch) else {
        return;
    };
    let Ok(patched) = patch.apply(live.value.clone(), kind) else {
        return;
    };
    if let Ok(new) = conform(patched, kind) {
        let _ = update(Some(&live.value), &new.value, &endpoint, &writer);
        let _ = update(None, &new.value, &endpoint, &writer);
    }
});

/// The object with its entries.
fn stored(applied: &Applied) -> Value {
    let mut object = applied.object.clone();
    object["metadata"]["managedFields"] = serde_json::to_value(&applied.managed_fields).unwrap();
    object
}

//! The signature on cluster-info: the one that a token makes is good, and no other text is.
//!
//! The first line of the input stands for a signature, the rest for the kubeconfig.

#![no_main]

use burgee_bootstrap_token::{ClusterInfo, ClusterInfoKey, Token, resigned};
use burgee_wire::Object;
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|text: &str| {
    let token: Token = "07401b.f395accd246ae52d".parse().unwrap();
    let key = ClusterInfoKey::new(&token);
    let (signature, kubeconfig) = text.split_once('\n').unwrap_or((text, ""));
    let good = key.sign(kubeconfig);
    assert_eq!(key.verify(kubeconfig, signature).is_ok(), signature == good);

    let mut map = Object::default();
    let data = json!({"kubeconfig": kubeconfig, "jws-kubeconfig-07401b": signature});
    map.content.insert("data".into(), data);
    let signed = resigned(&map, &[key]).unwrap_or(map);
    let verified = ClusterInfo::from_object(&signed);
    assert_eq!(
        verified.verified_by(&token).ok(),
        Some(kubeconfig).filter(|text| !text.is_empty())
    );
});

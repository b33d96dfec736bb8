//! A kubeconfig is read or refused, and each of its contexts leads to a server or to a reason why not.
#![no_main]

use burgee_kubeconfig::Kubeconfig;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let Ok(config) = Kubeconfig::parse(text) else {
        return;
    };
    let contexts = config.contexts.keys().map(|name| Some(name.as_str()));
    for context in contexts.chain([None]) {
        match config.access(context) {
            Ok(access) => {
                assert!(!access.server().is_empty());
                assert!(!access.namespace().is_empty());
                assert!(access.user().token.is_none() || access.user().password.is_none());
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
});

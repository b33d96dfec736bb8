//! A file of `--authentication-config` is read or refused with a text; every refused field has a path.
#![no_main]

use burgee_oidc::{AuthenticationConfiguration, Rules, warnings};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|content: &[u8]| {
    match AuthenticationConfiguration::load("fuzz.yaml", content, &Rules::default()) {
        Ok(configuration) => {
            assert!(configuration.jwt.len() <= 64);
            warnings(&configuration.jwt);
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            for problem in error.problems() {
                let path = problem.error.path.to_string();
                assert!(path.starts_with("jwt") || path.starts_with("anonymous"), "{path}");
            }
        }
    }
});

//! Claims that are read once are the same when they are read again.
#![no_main]

use burgee_service_account::Claims;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|payload: &[u8]| {
    if let Ok(claims) = Claims::from_json(payload) {
        let json = claims.to_json();
        assert_eq!(Claims::from_json(json.as_bytes()).expect("own JSON"), claims);
    }
});

//! Any bytes may stand in an `Authorization` header.
#![no_main]

use burgee_authn::BearerHeader;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|value: &[u8]| {
    if let BearerHeader::Token(token) = BearerHeader::parse(value) {
        assert!(!token.is_empty() && !token.contains(&b' '));
        let again = [b"Bearer ", token].concat();
        // White space that spaces protected before is at the end now, and cut off.
        if let BearerHeader::Token(read) = BearerHeader::parse(&again) {
            assert!(token.starts_with(read));
        }
    }
});

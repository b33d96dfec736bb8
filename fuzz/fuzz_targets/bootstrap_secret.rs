//! Secrets: every reader comes to an end with any of them, they agree with each other, and what a
//! list shows can be written again.

#![no_main]

use burgee_bootstrap_token::{Expiration, TokenListing, TokenRecord, judge};
use burgee_wire::Object;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|json: &[u8]| {
    let Ok(value) = serde_json::from_slice(json) else {
        return;
    };
    let Ok(object) = Object::from_value(value) else {
        return;
    };
    let record = TokenRecord::from_object(&object);
    let now = Timestamp::UNIX_EPOCH;
    let signs = record.signing_key(now).is_some();
    assert!(!(signs && record.expiration().is_expired(now)));
    for finding in record.findings(now) {
        let _ = finding.to_string();
    }
    let Ok(listing) = TokenListing::from_record(&record) else {
        return;
    };
    assert_ne!(record.expiration(), Expiration::Malformed);
    let secret = listing.token.secret().expose();
    match judge(&listing.token, Some(&record), now) {
        Ok(admission) => {
            assert_eq!(admission.good_until, listing.expires);
            assert!(admission.user.groups.is_sorted());
            assert!(listing.usages.iter().any(|usage| usage == "authentication"));
        }
        // Groups are named in it, and anything may stand there.
        Err(refusal) if listing.groups.is_empty() => {
            assert!(!refusal.to_string().contains(secret));
        }
        Err(_) => {}
    }
});

//! Pins and the bundles that they are made of: reading one never panics, and what is printed reads
//! again.

#![no_main]

use burgee_bootstrap_token::{CaPin, CertificateBundle, PinnableCertificate};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(pin) = str::from_utf8(bytes).unwrap_or_default().parse::<CaPin>() {
        assert_eq!(pin.to_string().as_bytes(), bytes.to_ascii_lowercase());
    }
    if let Ok(bundle) = CertificateBundle::from_pem(bytes) {
        let pins: Vec<_> = bundle
            .certificates()
            .iter()
            .map(PinnableCertificate::pin)
            .collect();
        assert_eq!(bundle.clone().pinned_by(&pins), Ok(bundle.clone()));
        let first: Vec<_> = pins.iter().take(1).copied().collect();
        let kept = bundle.pinned_by(&first).unwrap();
        assert!(
            kept.certificates()
                .iter()
                .all(|one| first.contains(&one.pin()))
        );
    }
    // The same bytes as what stands inside a block.
    let _ = PinnableCertificate::from_der(bytes.to_vec());
});

//! Any bytes may stand in the lines of a `Sec-WebSocket-Protocol` header.
#![no_main]

use burgee_authn::WebSocketProtocols;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|lines: &[u8]| {
    let _ = WebSocketProtocols::parse(lines.split(|byte| *byte == b'\n'));
});

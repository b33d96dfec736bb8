//! What a server makes of credentials whose making is in these tests' hands: it was given the keys
//! of service accounts and a file of static tokens.

mod signed;
mod static_tokens;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::LazyLock;

use burgee_testkit::{Client, Kubeconfig, Response, Server, repository};
use serde_json::{Value, json};

use crate::support::Expect as _;
use crate::support::jwt::Es256;

const ISSUER: &str = "https://kubernetes.default.svc";
const REVIEWS: &str = "/apis/authentication.k8s.io/v1/tokenreviews";

/// Tokens, names, uids and groups.
const TOKENS: &str = r#"good,jane,u1,devs
multi,joe,u2,"dev,ops"
nogroup,bob,u3
,ghost,u5
good,jane2,u6
known,kim,u7,"system:authenticated,dev"
unknown,eve,u8,"dev,system:unauthenticated"
nobody,system:anonymous,u9,dev
header.claims.signature,jim,u10,more,columns
abcdef.0123456789abcdef,boot,u11
"#;

/// A running server, and the key that it signs tokens with.
struct Given {
    server: &'static Server,
    key: Es256,
}

/// The same for all tests of a process.
fn given() -> &'static Given {
    static GIVEN: LazyLock<Given> = LazyLock::new(|| {
        let pem = repository().join("crates/jose/tests/keys/p256-pkcs8.pem");
        let pem = fs::read_to_string(pem).unwrap();
        let files = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &str| {
            let file = files.path().join(name);
            fs::write(&file, content).unwrap();
            restrict(&file);
            file
        };
        let server = Server::options()
            .arguments([
                format!("--service-account-issuer={ISSUER}"),
                format!(
                    "--service-account-signing-key-file={}",
                    write("key.pem", &pem).display()
                ),
                format!(
                    "--token-auth-file={}",
                    write("tokens.csv", TOKENS).display()
                ),
            ])
            .start();
        Given {
            server: server.leave_running(),
            key: Es256::from_pem(&pem),
        }
    });
    &GIVEN
}

/// Private files are for their owner only.
fn restrict(file: &Path) {
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

impl Given {
    /// Somebody who shows nothing.
    fn anonymous(&self) -> Client {
        Client::anonymous(&Kubeconfig::read(&self.server.kubeconfig()))
    }

    fn post(&self, path: &str, object: &Value) -> Response {
        self.server.client().post(path, object)
    }

    /// The status of a review.
    fn review(&self, spec: Value) -> Value {
        let answer = self.post(REVIEWS, &json!({"spec": spec})).expect(201);
        answer["status"].clone()
    }
}

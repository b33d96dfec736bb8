//! What a server makes of credentials whose making is in these tests' hands: it was given the keys
//! of service accounts, a file of static tokens, and authorities of certificates.

mod nobody;
mod proxies;
mod signed;
mod static_tokens;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::LazyLock;

use burgee_testkit::{Authority, CertifiedKey, Client, Kubeconfig, Response, Server, repository};
use serde_json::{Value, json};
use tempfile::TempDir;

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

/// A running server, the key that it signs tokens with, and who signs certificates of its clients.
struct Given {
    server: &'static Server,
    key: Es256,
    clients: Authority,
}

/// The same for all tests of a process.
fn given() -> &'static Given {
    static GIVEN: LazyLock<Given> = LazyLock::new(|| {
        let pem = repository().join("crates/jose/tests/keys/p256-pkcs8.pem");
        let pem = fs::read_to_string(pem).unwrap();
        let clients = Authority::new("clients");
        let files = Files::new();
        let server = Server::options()
            .arguments([
                format!("--service-account-issuer={ISSUER}"),
                files.flag("service-account-signing-key-file", &pem),
                files.flag("token-auth-file", TOKENS),
                files.flag("client-ca-file", clients.pem()),
            ])
            .start();
        Given {
            server: server.leave_running(),
            key: Es256::from_pem(&pem),
            clients,
        }
    });
    &GIVEN
}

/// Files that a server reads when it starts, and can do without afterwards.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Writes a file for a flag of this name, and answers with the flag. Private files are for their
    /// owner only.
    fn flag(&self, name: &str, content: &str) -> String {
        let file = self.0.path().join(name);
        fs::write(&file, content).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        format!("--{name}={}", file.display())
    }
}

/// Somebody who shows a server this certificate.
fn showing(server: &Server, certificate: &CertifiedKey) -> Client {
    Client::new(&Kubeconfig {
        credential: certificate.credential(),
        ..Kubeconfig::read(&server.kubeconfig())
    })
}

/// Somebody who shows a server nothing.
fn anonymous(server: &Server) -> Client {
    Client::anonymous(&Kubeconfig::read(&server.kubeconfig()))
}

impl Given {
    /// Somebody who shows nothing.
    fn anonymous(&self) -> Client {
        anonymous(self.server)
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

//! Mistakes in what authentication is configured with: the server does not start, and says which.

use burgee_testkit::{Authority, burgee, run};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Files, configuration, says};

/// Starts that fail, all with the same data directory.
struct Starts(TempDir);

impl Starts {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// What `burgee serve` says when it refuses to start with these flags: a setting that makes no
    /// sense by itself is exit code 2, what a file holds is 1.
    #[track_caller]
    fn refused(&self, code: i32, flags: &[String]) -> String {
        let serve = || {
            let mut command = burgee();
            command
                .args(["serve", "--bind=127.0.0.1:0", "--data-dir"])
                .arg(self.0.path().join("data"))
                .args(flags);
            command
        };
        let error = run(&mut serve()).fails(code);
        says(&error, "error: ");
        // Who only asks is told the same.
        let checked = run(serve().arg("--validate-config")).fails(code);
        let told = |text: &str| text.find("error: ").map(|at| text[at..].to_owned());
        assert_eq!(told(&checked), told(&error));
        error
    }
}

/// A configuration whose only issuer is good but for what is put in its place.
fn wrong(path: &str, value: Value) -> String {
    let mut issuer = json!({
        "issuer": {"url": "https://a.example", "audiences": ["a"]},
        "claimMappings": {"username": {"claim": "sub", "prefix": ""}},
    });
    let mut place = &mut issuer;
    for step in path.split('.') {
        place = match step.parse::<usize>() {
            Ok(index) => &mut place[index],
            Err(_) => &mut place[step],
        };
    }
    *place = value;
    configuration(json!([issuer]))
}

#[test]
fn a_configuration_file_that_makes_no_sense_is_refused_with_its_place() {
    let good = configuration(json!([]));
    let cases = [
        (String::new(), "empty config data"),
        ("{".to_owned(), ""),
        (
            "kind: AuthenticationConfiguration\n".to_owned(),
            "Object 'apiVersion' is missing in",
        ),
        (
            "apiVersion: apiserver.config.k8s.io/v1\n".to_owned(),
            "Object 'Kind' is missing in",
        ),
        (
            good.replace("/v1", "/v99"),
            "no kind \"AuthenticationConfiguration\" is registered for version \
             \"apiserver.config.k8s.io/v99\" in scheme",
        ),
        (
            good.replace("\"jwt\"", "\"jwt1\""),
            "strict decoding error: unknown field \"jwt1\"",
        ),
        (
            "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n\
             jwt:\n- issuer: {}\n  issuer: {}\n"
                .to_owned(),
            "issuer",
        ),
        // Where it is, for those who have to look.
        (
            "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n\
             jwt:\n  - issuer:\n     url: \"a\n"
                .to_owned(),
            "line ",
        ),
        (
            "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n\
             jwt: seven\n"
                .to_owned(),
            "jwt",
        ),
    ];
    let (starts, files) = (Starts::new(), Files::new());
    for (text, reason) in cases {
        let flag = files.flag("authentication-config", text);
        let error = starts.refused(1, &[flag]);
        let file = files.path("authentication-config").display().to_string();
        says(&error, &file);
        says(&error, reason);
    }
    let error = starts.refused(1, &["--authentication-config=/nowhere/file".to_owned()]);
    says(&error, "/nowhere/file");
    says(&error, "no such file or directory");
}

#[test]
fn every_rule_that_a_configuration_breaks_is_named_with_its_field() {
    let cases = [
        ("issuer.url", json!(""), "jwt[0].issuer.url: Required value"),
        (
            "issuer.url",
            json!("http://a.example"),
            "jwt[0].issuer.url: Invalid value: \"http://a.example\": URL scheme must be https",
        ),
        (
            "issuer.url",
            json!("https://jane:secret@a.example"),
            "URL must not contain a username or password",
        ),
        (
            "issuer.url",
            json!("https://kubernetes.default.svc.cluster.local"),
            "URL must not overlap with disallowed issuers: \
             [https://kubernetes.default.svc.cluster.local]",
        ),
        (
            "issuer.discoveryURL",
            json!("https://a.example/"),
            "jwt[0].issuer.discoveryURL: Invalid value: \"https://a.example/\": discoveryURL must \
             be different from URL",
        ),
        (
            "issuer.audiences",
            json!([]),
            "jwt[0].issuer.audiences: Required value: at least one jwt[0].issuer.audiences is \
             required",
        ),
        (
            "issuer.audiences",
            json!(["a", "b", "a"]),
            "jwt[0].issuer.audiences[2]: Duplicate value: \"a\"",
        ),
        (
            "issuer.certificateAuthority",
            json!("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"),
            "jwt[0].issuer.certificateAuthority: Invalid value: \"<omitted>\": data does not \
             contain any valid RSA or ECDSA certificates",
        ),
        (
            "claimMappings.username",
            json!({"claim": "sub"}),
            "jwt[0].claimMappings.username.prefix: Required value: prefix is required when claim \
             is set. It can be set to an empty string to disable prefixing",
        ),
        (
            "claimMappings.username",
            json!({"expression": "claims.sub +"}),
            "jwt[0].claimMappings.username.expression: Invalid value: \"claims.sub +\": \
             compilation failed: ERROR: <input>:1:",
        ),
        (
            "claimMappings.username",
            json!({"expression": "claims.email"}),
            "claims.email_verified must be used in claimMappings.username.expression",
        ),
        (
            "claimMappings.extra",
            json!([{"key": "a.kubernetes.io/b", "valueExpression": "'x'"}]),
            "jwt[0].claimMappings.extra[0].key: Invalid value: \"a.kubernetes.io/b\": k8s.io, \
             kubernetes.io and their subdomains are reserved for Kubernetes use",
        ),
        (
            "claimValidationRules",
            json!([{"expression": "claims.sub"}]),
            "jwt[0].claimValidationRules[0].expression: Invalid value: \"claims.sub\": must \
             evaluate to bool",
        ),
        (
            "userValidationRules",
            json!([{"expression": "user.nam == 'a'"}]),
            "jwt[0].userValidationRules[0].expression: Invalid value: \"user.nam == 'a'\": \
             compilation failed: ",
        ),
    ];
    let (starts, files) = (Starts::new(), Files::new());
    for (path, value, reason) in cases {
        let error = starts.refused(
            1,
            &[files.flag("authentication-config", wrong(path, value))],
        );
        says(&error, "invalid authentication configuration: ");
        says(&error, reason);
        assert!(!error.contains("c2VjcmV0"), "{error}");
    }
}

#[test]
fn the_file_and_the_flags_are_one_or_the_other() {
    let (starts, files) = (Starts::new(), Files::new());
    let file = files.flag("authentication-config", configuration(json!([])));
    let error = starts.refused(2, &[file.clone(), "--oidc-username-claim=sub".to_owned()]);
    says(
        &error,
        "authentication-config file and oidc-* flags are mutually exclusive",
    );
    let text = configuration(json!([])).replacen('{', "{\"anonymous\":{\"enabled\":true},", 1);
    let anonymous = files.flag("authentication-config", text);
    let error = starts.refused(1, &[anonymous, "--anonymous-auth=true".to_owned()]);
    says(
        &error,
        "anonymous: Forbidden: --anonymous-auth flag cannot be set when anonymous field is \
         configured in authentication configuration file",
    );
}

#[test]
fn flags_that_do_not_make_an_issuer_are_refused() {
    let flag = |name: &str, value: &str| format!("--oidc-{name}={value}");
    let good = [
        flag("issuer-url", "https://a.example"),
        flag("client-id", "a"),
    ];
    let with = |more: String| [good.to_vec(), vec![more]].concat();
    let (starts, files) = (Starts::new(), Files::new());
    let together = "oidc-issuer-url and oidc-client-id must be specified together when any oidc-* \
                    flags are set";
    let cases = [
        (vec![good[0].clone()], together),
        (vec![good[1].clone()], together),
        (vec![flag("username-claim", "sub")], together),
        (
            vec![flag("issuer-url", "http://a.example"), good[1].clone()],
            "jwt[0].issuer.url: Invalid value: \"http://a.example\": URL scheme must be https",
        ),
        (
            with(flag("signing-algs", "HS256")),
            "unsupported signing alg: \"HS256\"",
        ),
        (with(flag("required-claim", "hd")), "hd"),
        (with(flag("ca-file", "/nowhere/ca")), "/nowhere/ca"),
        (
            with(files.flag("oidc-ca-file", "nothing")),
            "jwt[0].issuer.certificateAuthority: Invalid value: \"<omitted>\": ",
        ),
    ];
    for (flags, reason) in cases {
        says(&starts.refused(1, &flags), reason);
    }
}

#[test]
fn a_front_proxy_that_anybody_could_be_is_refused() {
    let (starts, files) = (Starts::new(), Files::new());
    let authority = Authority::new("both");
    let both = [
        files.flag("client-ca-file", authority.pem()),
        files.flag("requestheader-client-ca-file", authority.pem()),
    ];
    says(
        &starts.refused(1, &both),
        "--requestheader-client-ca-file and --client-ca-file contain overlapping certificates; \
         --requestheader-allowed-names must be specified to ensure regular client certificates \
         cannot set authenticating proxy headers for arbitrary users",
    );
    let cases = [
        (
            "requestheader-username-headers= ",
            "empty value in \"requestheader-username-headers\"",
        ),
        (
            "requestheader-group-headers=a,,b",
            "empty value in \"requestheader-group-headers\"",
        ),
        (
            "requestheader-uid-headers=X-Other",
            "--requestheader-uid-headers is set without specifying the standard X-Remote-Uid header",
        ),
    ];
    for (flag, reason) in cases {
        let proxies = both[1].clone();
        says(&starts.refused(1, &[proxies, format!("--{flag}")]), reason);
    }
}

#[test]
fn files_of_certificates_and_tokens_have_something_in_them() {
    let (starts, files) = (Starts::new(), Files::new());
    for (flag, content, reason) in [
        (
            "client-ca-file",
            "",
            "missing content for CA bundle \"client-ca-bundle::",
        ),
        (
            "client-ca-file",
            "nothing",
            "data does not contain any valid RSA or ECDSA certificates",
        ),
        (
            "requestheader-client-ca-file",
            "",
            "missing content for CA bundle \"request-header::",
        ),
        ("client-crl-file", "nothing", ""),
        (
            "token-auth-file",
            "one,two\n",
            "must have at least 3 columns (token, user name, user uid), found 2",
        ),
        ("token-auth-file", "a,b,c\na,\"b\"x,c\n", "line 2"),
    ] {
        let error = starts.refused(1, &[files.flag(flag, content)]);
        says(&error, reason);
    }
}

#[test]
fn a_webhook_that_cannot_be_found_is_refused() {
    let (starts, files) = (Starts::new(), Files::new());
    const FLAG: &str = "authentication-token-webhook-config-file";
    for (text, reason) in [
        (
            "",
            "invalid configuration: no configuration has been provided",
        ),
        ("{", ""),
        ("apiVersion: v1\nkind: Config\ncurrent-context: a\n", "a"),
        (
            "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts:\n- name: a\n  context: \
             {cluster: b, user: c}\nclusters:\n- name: b\n  cluster: {server: 'https://a', \
             certificate-authority: /nowhere/ca}\nusers:\n- name: c\n  user: {token: secret-word}\n",
            "/nowhere/ca",
        ),
    ] {
        let error = starts.refused(1, &[files.flag(FLAG, text)]);
        says(&error, reason);
        says(&error, &files.path(FLAG).display().to_string());
        assert!(!error.contains("secret-word"), "{error}");
    }
    let file = files.flag(FLAG, "");
    let version = "--authentication-token-webhook-version=v2".to_owned();
    says(
        &starts.refused(2, &[file, version]),
        "unsupported authentication webhook version \"v2\", supported versions are \"v1\", \
         \"v1beta1\"",
    );
}

#[test]
fn a_configuration_that_is_in_order_can_be_checked_without_serving() {
    let (files, directory) = (Files::new(), TempDir::new().unwrap());
    let authority = Authority::new("both");
    let mut command = burgee();
    command
        .args(["serve", "--validate-config", "--data-dir"])
        .arg(directory.path().join("data"))
        .args([
            files.flag("client-ca-file", authority.pem()),
            files.flag("token-auth-file", "token,jane,u1"),
            files.flag("authentication-config", configuration(json!([]))),
        ]);
    says(&run(&mut command).ok(), "are in order");
    assert!(!directory.path().join("data").exists());
}

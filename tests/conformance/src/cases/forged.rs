//! Tokens that look like the server's own, and are not.

use aws_lc_rs::hmac::{HMAC_SHA256, HMAC_SHA384, HMAC_SHA512};
use burgee_testkit::claims;
use serde_json::{Value, json};

use crate::support::jwt::{
    Es256, base64url, decoded, hmac, public_key_info, public_key_pem, signed,
};
use crate::support::{Expect as _, Robot, Who};

const REVIEWS: &str = "/apis/authentication.k8s.io/v1/tokenreviews";
const BAD_SIGNATURE: &str =
    "[invalid bearer token, go-jose/go-jose: error in cryptographic primitive]";

/// A good token in its parts.
struct Parts {
    header: Value,
    claims: Value,
    token: [String; 3],
}

impl Parts {
    fn of(robot: &Robot) -> Self {
        let parts: Vec<String> = robot.token.split('.').map(str::to_owned).collect();
        Self {
            header: serde_json::from_slice(&decoded(&parts[0])).unwrap(),
            claims: claims(&robot.token),
            token: parts.try_into().unwrap(),
        }
    }

    /// The token with another header, its signature left as it is.
    fn with_header(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut header = self.header.clone();
        change(&mut header);
        self.with_header_text(&header.to_string())
    }

    fn with_header_text(&self, header: &str) -> String {
        format!("{}.{}.{}", base64url(header), self.token[1], self.token[2])
    }

    /// The token with other claims, its signature left as it is.
    fn with_claims(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = self.claims.clone();
        change(&mut claims);
        let claims = base64url(claims.to_string());
        format!("{}.{claims}.{}", self.token[0], self.token[2])
    }
}

/// What a review says of a token that opens nothing.
fn refused(robot: &Robot, token: &str) -> String {
    let bearer = [("Authorization", format!("Bearer {token}"))];
    assert_eq!(robot.who(&bearer), Who::Refused, "{token}");
    let spec = json!({"spec": {"token": token}});
    let status = robot.case.post(REVIEWS, &spec).expect(201)["status"].clone();
    assert_eq!(status["authenticated"], Value::Null, "{token}: {status}");
    assert_eq!(status["user"], json!({}), "{token}");
    let error = status["error"].as_str().expect("an error").to_owned();
    let known = error == "invalid bearer token" || error.starts_with("[invalid bearer token, ");
    assert!(known, "{token}: {error}");
    error
}

/// The keys that the server publishes.
fn published(robot: &Robot) -> Vec<Value> {
    let keys = robot.case.get("/openid/v1/jwks").expect(200);
    keys["keys"].as_array().unwrap().clone()
}

#[test]
fn the_good_one_is_good() {
    let robot = Robot::begin();
    let token = Parts::of(&robot).token.join(".");
    let bearer = [("Authorization", format!("Bearer {token}"))];
    assert_eq!(robot.who(&bearer), robot.user());
}

#[test]
fn other_claims_need_another_signature() {
    let robot = Robot::begin();
    let parts = Parts::of(&robot);
    for token in [
        parts.with_claims(|claims| claims["exp"] = json!(4_102_444_800_i64)),
        parts.with_claims(|claims| claims["aud"] = json!(["vault"])),
        parts.with_claims(|claims| {
            claims["sub"] = json!("system:serviceaccount:kube-system:default");
            claims["kubernetes.io"]["namespace"] = json!("kube-system");
            claims["kubernetes.io"]["serviceaccount"]["name"] = json!("default");
        }),
        parts.with_claims(|claims| claims["groups"] = json!(["system:masters"])),
        parts.with_claims(|claims| {
            claims.as_object_mut().unwrap().remove("exp");
        }),
    ] {
        assert_eq!(refused(&robot, &token), BAD_SIGNATURE);
    }
}

#[test]
fn the_header_is_signed_too() {
    let robot = Robot::begin();
    let parts = Parts::of(&robot);
    for token in [
        parts.with_header(|header| header["typ"] = json!("JWT")),
        parts.with_header(|header| header["x"] = json!("y")),
        parts.with_header_text(&format!("{} ", parts.header)),
    ] {
        assert_eq!(refused(&robot, &token), BAD_SIGNATURE);
    }
}

#[test]
fn signatures_of_others_and_none_are_no_signatures() {
    let robot = Robot::begin();
    let parts = Parts::of(&robot);
    let [header, claims, signature] = &parts.token;
    let other = Robot::begin().token;
    let others = other.rsplit_once('.').unwrap().1;
    let bytes = decoded(signature);
    let zero = vec![0; bytes.len()];
    let all = vec![0xff; bytes.len()];
    let half = &bytes[..bytes.len() / 2];
    let long = [&bytes[..], &[0]].concat();
    let own = Es256::generate();
    let signed = own.sign(format!("{header}.{claims}").as_bytes());
    for signature in [
        String::new(),
        others.to_owned(),
        base64url(zero),
        base64url(all),
        base64url(half),
        base64url(long),
        base64url(signed),
        base64url([0; 5000]),
    ] {
        refused(&robot, &format!("{header}.{claims}.{signature}"));
    }
}

#[test]
fn no_algorithm_is_no_way_in() {
    let robot = Robot::begin();
    let parts = Parts::of(&robot);
    for algorithm in ["none", "None", "NONE", "nOnE", "", " none", "NULL"] {
        let token = parts.with_header(|header| header["alg"] = json!(algorithm));
        refused(&robot, &token);
        let unsigned = format!("{}.", token.rsplit_once('.').unwrap().0);
        refused(&robot, &unsigned);
        refused(&robot, unsigned.trim_end_matches('.'));
        // Without the name of a key, too.
        let header = json!({"alg": algorithm, "typ": "JWT"}).to_string();
        refused(
            &robot,
            &format!("{}.{}.", base64url(header), parts.token[1]),
        );
    }
    for algorithm in [Value::Null, json!(7), json!(["RS256"]), json!({})] {
        refused(
            &robot,
            &parts.with_header(|header| header["alg"] = algorithm),
        );
    }
    let token = parts.with_header(|header| {
        header.as_object_mut().unwrap().remove("alg");
    });
    refused(&robot, &token);
}

#[test]
fn another_algorithm_than_the_key_s_is_refused() {
    let robot = Robot::begin();
    let parts = Parts::of(&robot);
    let own = parts.header["alg"].as_str().unwrap().to_owned();
    let algorithms = [
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "ES256K",
        "EdDSA", "HS256", "HS384", "HS512", "rs256", "es256",
    ];
    for algorithm in algorithms.into_iter().filter(|one| *one != own) {
        let token = parts.with_header(|header| header["alg"] = json!(algorithm));
        refused(&robot, &token);
    }
}

#[test]
fn the_published_key_is_no_secret() {
    let robot = Robot::begin();
    let parts = Parts::of(&robot);
    let claims = decoded(&parts.token[1]);
    for jwk in published(&robot) {
        let pem = public_key_pem(&jwk);
        let number = jwk.get("n").or(jwk.get("x")).unwrap().as_str().unwrap();
        let secrets = [
            pem.clone().into_bytes(),
            format!("{pem}\n").into_bytes(),
            pem.replace('\n', "\r\n").into_bytes(),
            public_key_info(&jwk),
            jwk.to_string().into_bytes(),
            number.as_bytes().to_vec(),
            decoded(number),
            jwk["kid"].as_str().unwrap().as_bytes().to_vec(),
            Vec::new(),
        ];
        for secret in &secrets {
            for (name, algorithm) in [
                ("HS256", HMAC_SHA256),
                ("HS384", HMAC_SHA384),
                ("HS512", HMAC_SHA512),
            ] {
                let header = json!({"alg": name, "kid": jwk["kid"]}).to_string();
                let token = signed(&header, &claims, hmac(algorithm, secret));
                refused(&robot, &token);
            }
            // The key's own algorithm on the label, and a secret inside.
            let header = parts.header.to_string();
            refused(&robot, &signed(&header, &claims, hmac(HMAC_SHA256, secret)));
        }
    }
}

#[test]
fn a_key_that_comes_with_the_token_is_nobody_s() {
    let robot = Robot::begin();
    let parts = Parts::of(&robot);
    let own = Es256::generate();
    let kid = parts.header["kid"].clone();
    let jwk = own.jwk();
    let elsewhere = "https://127.0.0.1:1/keys";
    for header in [
        json!({"alg": "ES256", "kid": kid}),
        json!({"alg": "ES256"}),
        json!({"alg": "ES256", "jwk": jwk}),
        json!({"alg": "ES256", "kid": kid, "jwk": jwk}),
        json!({"alg": "ES256", "kid": kid, "jku": elsewhere}),
        json!({"alg": "ES256", "kid": kid, "x5u": elsewhere}),
        json!({"alg": "ES256", "kid": kid, "x5c": ["MIIB"]}),
        json!({"alg": "ES256", "kid": "", "jwk": jwk}),
    ] {
        let claims = decoded(&parts.token[1]);
        let token = signed(&header.to_string(), claims, |message| own.sign(message));
        refused(&robot, &token);
    }
}

#[test]
fn a_key_id_is_a_name_and_nothing_more() {
    let robot = Robot::begin();
    let parts = Parts::of(&robot);
    for kid in [
        "nobody".to_owned(),
        "../../../../dev/null".to_owned(),
        "/etc/passwd".to_owned(),
        "https://127.0.0.1:1/keys".to_owned(),
        "' OR '1'='1".to_owned(),
        "\u{0}".to_owned(),
        " ".to_owned(),
        "x".repeat(2000),
    ] {
        let token = parts.with_header(|header| header["kid"] = json!(kid));
        let error = refused(&robot, &token);
        if kid.len() < 1024 {
            assert_eq!(
                error, "[invalid bearer token, invalid signature, no keys found]",
                "{kid:?}"
            );
        }
    }
    for kid in [json!(7), json!(["a"]), json!({}), json!(null), json!("")] {
        refused(&robot, &parts.with_header(|header| header["kid"] = kid));
    }
}

#[test]
fn a_header_that_demands_more_or_says_things_twice_is_refused() {
    let robot = Robot::begin();
    let parts = Parts::of(&robot);
    let (alg, kid) = (&parts.header["alg"], &parts.header["kid"]);
    for header in [
        json!({"alg": alg, "kid": kid, "crit": ["exp"], "exp": 1}).to_string(),
        json!({"alg": alg, "kid": kid, "crit": []}).to_string(),
        json!({"alg": alg, "kid": kid, "crit": "b64"}).to_string(),
        json!({"alg": alg, "kid": kid, "b64": false, "crit": ["b64"]}).to_string(),
        json!({"alg": alg, "kid": kid, "zip": "DEF"}).to_string(),
        json!({"alg": alg, "kid": kid, "enc": "A128GCM"}).to_string(),
        format!(r#"{{"alg":{alg},"alg":"none","kid":{kid}}}"#),
        format!(r#"{{"alg":"none","alg":{alg},"kid":{kid}}}"#),
        format!(r#"{{"alg":{alg},"kid":"x","kid":{kid}}}"#),
        format!(r#"{{"ALG":{alg},"KID":{kid}}}"#),
        format!(r#"[{alg},{kid}]"#),
        "{}".to_owned(),
        "null".to_owned(),
        String::new(),
        format!(r#"{{"alg":{alg},"kid":{kid},"x":{}}}"#, "[".repeat(5000)),
    ] {
        refused(&robot, &parts.with_header_text(&header));
    }
}

#[test]
fn a_token_of_another_issuer_is_none_of_ours() {
    let robot = Robot::begin();
    let parts = Parts::of(&robot);
    let own = parts.claims["iss"].as_str().unwrap().to_owned();
    for issuer in [
        json!(""),
        json!("https://issuer.example.test"),
        json!(format!("{own}/")),
        json!(own.to_uppercase()),
        json!(format!(" {own}")),
        json!(null),
        json!(7),
        json!([own]),
    ] {
        let token = parts.with_claims(|claims| claims["iss"] = issuer.clone());
        assert_eq!(refused(&robot, &token), "invalid bearer token", "{issuer}");
    }
}

#[test]
fn a_token_in_another_form_is_none() {
    let robot = Robot::begin();
    let parts = Parts::of(&robot);
    let [header, claims, signature] = &parts.token;
    for token in [
        format!("{header}.{claims}"),
        format!("{header}.{claims}.{signature}.{signature}"),
        format!("{header}..{signature}"),
        format!(".{claims}.{signature}"),
        format!("{header}.{claims}.{signature}="),
        format!("{header}=.{claims}.{signature}"),
        format!("{header}.{claims}==.{signature}"),
        format!("{header}.{claims}.{}", signature.replace(['-', '_'], "+")),
        format!("{header}.{claims}.{signature}%41"),
        format!("{}.{claims}.{signature}", base64url(base64url(header))),
        format!("{header}.{header}.{signature}"),
        format!("{claims}.{header}.{signature}"),
        format!("{}{header}.{claims}.{signature}", ".".repeat(10_000)),
        format!("{header}.{claims}.{}", ".".repeat(10_000)),
        ".".repeat(50_000),
        format!("{header}.{}.{signature}", base64url("[".repeat(20_000))),
        format!("{header}.{}.{signature}", base64url(b"\xff\xfe")),
        format!("{header}.{}.{signature}", base64url("null")),
        format!("{header}.{}.{signature}", base64url("\u{feff}{}")),
        format!(r#"{{"protected":"{header}","payload":"{claims}","signature":"{signature}"}}"#),
    ]
    .into_iter()
    .filter(|token| *token != robot.token)
    {
        refused(&robot, &token);
    }
}

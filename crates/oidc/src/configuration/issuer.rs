//! The rules on `jwt[i].issuer`, in upstream's order.

use std::collections::BTreeSet;

use burgee_https::{ClientBuilder, Proxy, Roots};
use burgee_wire::field::{FieldError, Path};
use burgee_wire::url::Url;

use super::{Rules, document};
use crate::Issuer;

/// Checks one issuer on its own; that no other is the same is checked elsewhere.
pub(super) fn check(
    written: &document::Issuer,
    path: &Path,
    rules: &Rules,
    errors: &mut Vec<FieldError>,
) -> Issuer {
    let document::Issuer {
        url,
        discovery_url,
        certificate_authority,
        audiences,
        audience_match_policy,
        egress_selector_type,
    } = written;
    check_issuer_url(url, &path.child("url"), rules, errors);
    check_discovery_url(discovery_url, url, &path.child("discoveryURL"), errors);
    check_audiences(audiences, audience_match_policy, path, errors);
    let authority = Some(certificate_authority.clone()).filter(|pem| !pem.is_empty());
    if let Some(pem) = &authority {
        check_certificate_authority(pem, &path.child("certificateAuthority"), errors);
    }
    if !matches!(
        egress_selector_type.as_str(),
        "" | "controlplane" | "cluster"
    ) {
        errors.push(FieldError::invalid(
            &path.child("egressSelectorType"),
            egress_selector_type.as_str(),
            "egress selector must be either controlplane or cluster",
        ));
    }
    Issuer {
        url: url.clone(),
        discovery_url: Some(discovery_url.clone()).filter(|url| !url.is_empty()),
        certificate_authority: authority,
        audiences: audiences.clone(),
    }
}

fn check_issuer_url(url: &str, path: &Path, rules: &Rules, errors: &mut Vec<FieldError>) {
    if url.is_empty() {
        errors.push(FieldError::required(path, ""));
        return;
    }
    let disallowed: BTreeSet<_> = rules
        .disallowed_issuers
        .iter()
        .map(String::as_str)
        .collect();
    if disallowed.contains(url) {
        let disallowed: Vec<_> = disallowed.into_iter().collect();
        let detail = format!(
            "URL must not overlap with disallowed issuers: [{}]",
            disallowed.join(" ")
        );
        errors.push(FieldError::invalid(path, url, detail));
    }
    check_url(url, path, errors);
}

fn check_discovery_url(url: &str, issuer: &str, path: &Path, errors: &mut Vec<FieldError>) {
    if url.is_empty() {
        return;
    }
    if !issuer.is_empty() && issuer.trim_end_matches('/') == url.trim_end_matches('/') {
        let detail = "discoveryURL must be different from URL";
        errors.push(FieldError::invalid(path, url, detail));
    }
    check_url(url, path, errors);
}

fn check_url(text: &str, path: &Path, errors: &mut Vec<FieldError>) {
    let mut invalid = |detail: &str| errors.push(FieldError::invalid(path, text, detail));
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(problem) => return invalid(&problem),
    };
    if url.scheme != "https" {
        invalid("URL scheme must be https");
    } else if url.host_name().is_empty() {
        // Upstream takes such a URL, and then never gets an answer from it.
        invalid("URL must contain a host");
    }
    if url.user.is_some() {
        invalid("URL must not contain a username or password");
    }
    if !url.query.is_empty() {
        invalid("URL must not contain a query");
    }
    if !url.fragment.is_empty() {
        invalid("URL must not contain a fragment");
    }
}

fn check_audiences(
    audiences: &[String],
    match_policy: &str,
    issuer_path: &Path,
    errors: &mut Vec<FieldError>,
) {
    let path = issuer_path.child("audiences");
    if audiences.is_empty() {
        let detail = format!("at least one {path} is required");
        errors.push(FieldError::required(&path, detail));
        return;
    }
    let mut seen = BTreeSet::new();
    for (index, audience) in audiences.iter().enumerate() {
        let path = path.index(index);
        if audience.is_empty() {
            errors.push(FieldError::required(&path, ""));
        }
        if !seen.insert(audience) {
            errors.push(FieldError::duplicate(&path, audience.as_str()));
        }
    }
    let detail = match (audiences, match_policy) {
        (_, "MatchAny") | ([_], "") => return,
        ([_], _) => "audienceMatchPolicy must be empty or MatchAny for single audience",
        _ => "audienceMatchPolicy must be MatchAny for multiple audiences",
    };
    let path = issuer_path.child("audienceMatchPolicy");
    errors.push(FieldError::invalid(&path, match_policy, detail));
}

/// Makes the client that would use them, so that what is accepted here works there.
fn check_certificate_authority(pem: &str, path: &Path, errors: &mut Vec<FieldError>) {
    let roots = Roots::Pem(pem.as_bytes().to_vec());
    let client = ClientBuilder::new().roots(roots).proxy(Proxy::None).build();
    if client.is_err() {
        let detail = "data does not contain any valid RSA or ECDSA certificates";
        errors.push(FieldError::invalid(path, "<omitted>", detail));
    }
}

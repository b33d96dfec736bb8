//! Who a certificate names.

use aws_lc_rs::digest::{SHA256, digest};
use burgee_identity::{Reason, Rejection, UserInfo, names};
use x509_parser::certificate::X509Certificate;
use x509_parser::der_parser::asn1_rs::{Any, Tag, oid};
use x509_parser::extensions::ParsedExtension;

use super::UidPolicy;
use super::verify::malformed;

/// The identity that a certificate's subject states; nobody when it has no common name.
pub(crate) fn user(
    certificate: &X509Certificate<'_>,
    uid_policy: UidPolicy,
) -> Result<Option<UserInfo>, Rejection> {
    let subject = certificate.subject();
    let name = common_name(certificate)?;
    if name.is_empty() {
        return Ok(None);
    }
    let mut user = UserInfo::named(name);
    for attribute in subject.iter_organization() {
        user.groups.extend(text(attribute.attr_value())?);
    }
    if uid_policy == UidPolicy::FromSubject {
        user.uid = uid(certificate)?;
    }
    let fingerprint = hexadecimal(digest(&SHA256, certificate.as_raw()).as_ref(), "");
    let credential = format!("X509SHA256={}", fingerprint.to_lowercase());
    user.extra
        .insert(names::CREDENTIAL_ID.to_owned(), vec![credential]);
    Ok(Some(user))
}

/// The common name; of several the last counts, also when it is empty (Go's `pkix.Name`).
pub(crate) fn common_name(certificate: &X509Certificate<'_>) -> Result<String, Rejection> {
    let mut name = String::new();
    for attribute in certificate.subject().iter_common_name() {
        if let Some(text) = text(attribute.attr_value())? {
            name = text;
        }
    }
    Ok(name)
}

fn uid(certificate: &X509Certificate<'_>) -> Result<String, Rejection> {
    let refuse = |message: String| Rejection::new(Reason::CertificateUidInvalid, message);
    let mut found = Vec::new();
    // Kubernetes' own attribute type for user ids.
    for attribute in certificate
        .subject()
        .iter_by_oid(&oid!(1.3.6.1.4.1.57683.2))
    {
        let text = text(attribute.attr_value())?;
        found.push(text.ok_or_else(|| refuse("unable to parse UID into a string".to_owned()))?);
    }
    match found.as_slice() {
        [] => Ok(String::new()),
        [uid] if uid.is_empty() => Err(refuse("UID cannot be an empty string".to_owned())),
        [uid] => Ok(uid.clone()),
        several => Err(refuse(format!(
            "expected 1 UID, but found multiple: [{}]",
            several.join(" ")
        ))),
    }
}

/// The text of an attribute value, or nothing when its type is no text.
fn text(value: &Any<'_>) -> Result<Option<String>, Rejection> {
    let bytes = value.data;
    Ok(match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::NumericString => {
            Some(String::from_utf8(bytes.to_vec()).map_err(|_| malformed())?)
        }
        // T.61 is taken for ISO 8859-1, which is what issuers mean by it.
        Tag::T61String => Some(bytes.iter().copied().map(char::from).collect()),
        Tag::BmpString => {
            let (pairs, rest) = bytes.as_chunks::<2>();
            if !rest.is_empty() {
                return Err(malformed());
            }
            let units: Vec<u16> = pairs.iter().copied().map(u16::from_be_bytes).collect();
            let text = String::from_utf16(&units).map_err(|_| malformed())?;
            Some(text.strip_suffix('\0').map_or(text.clone(), str::to_owned))
        }
        _ => None,
    })
}

/// What a refused certificate is called: serial number and key identifiers.
pub(crate) fn label(certificate: &X509Certificate<'_>) -> String {
    let (mut subject_key, mut authority_key) = (String::new(), String::new());
    for extension in certificate.iter_extensions() {
        match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => subject_key = hexadecimal(id.0, ":"),
            ParsedExtension::AuthorityKeyIdentifier(id) => {
                if let Some(id) = &id.key_identifier {
                    authority_key = hexadecimal(id.0, ":");
                }
            }
            _ => {}
        }
    }
    let serial = &certificate.tbs_certificate.serial;
    format!("SN={serial}, SKID={subject_key}, AKID={authority_key}")
}

fn hexadecimal(bytes: &[u8], separator: &str) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(separator)
}

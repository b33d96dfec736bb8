//! Does a chain end at an authority, now, for a client?

use std::time::Duration;

use burgee_identity::{Reason, Rejection};
use jiff::Timestamp;
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{
    ALL_VERIFICATION_ALGS, EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter, KeyUsage,
    RequiredEkuNotFoundContext, VerifiedPath,
};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use super::bundle::{CaBundle, may_sign};
use super::revocation::RevocationLists;
use super::time::Validity;

/// Judges a chain as Go's verifier does for client authentication. `parsed` is its first certificate.
///
/// Returns the span around `now` in which all of the path is valid.
pub(crate) fn verify(
    bundle: &CaBundle,
    revocations: Option<&RevocationLists>,
    chain: &[CertificateDer<'static>],
    parsed: &X509Certificate<'_>,
    now: Timestamp,
) -> Result<Validity, Rejection> {
    let Some((leaf, intermediates)) = chain.split_first() else {
        return Err(malformed());
    };
    let own = Validity::of(parsed);
    if !own.contains(now) {
        return Err(outside(own, now));
    }
    if bundle.contains(leaf) {
        return trusted_itself(parsed).map(|()| own);
    }
    let entity = EndEntityCert::try_from(leaf).map_err(|error| translate(&error, now))?;
    let seconds = u64::try_from(now.as_second()).unwrap_or_default();
    let usable = |path: &VerifiedPath<'_>| {
        span_of(bundle, path, now)?;
        revocations.map_or(Ok(()), |lists| {
            not_revoked(lists, bundle, path, parsed, now)
        })
    };
    let path = entity
        .verify_for_usage(
            ALL_VERIFICATION_ALGS,
            &bundle.anchors,
            intermediates,
            UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
            ForClients,
            None,
            Some(&usable),
        )
        .map_err(|error| translate(&error, now))?;
    let above = span_of(bundle, &path, now).map_err(|error| translate(&error, now))?;
    Ok(own.intersection(above))
}

/// The span in which everything above the leaf is valid. What webpki does not ask for is asked here:
/// that the anchor is not past its end, and that key usages let the intermediates sign.
fn span_of(
    bundle: &CaBundle,
    path: &VerifiedPath<'_>,
    now: Timestamp,
) -> Result<Validity, webpki::Error> {
    let anchor = bundle.signer(path.anchor());
    let mut span = anchor.ok_or(webpki::Error::UnknownIssuer)?.validity;
    for intermediate in path.intermediate_certificates() {
        let der = intermediate.der();
        let (_, parsed) = X509Certificate::from_der(&der).map_err(|_| webpki::Error::BadDer)?;
        if !may_sign(&parsed) {
            return Err(webpki::Error::EndEntityUsedAsCa);
        }
        span = span.intersection(Validity::of(&parsed));
    }
    if span.contains(now) {
        return Ok(span);
    }
    let time = unix(now);
    Err(if now < span.from {
        webpki::Error::CertNotValidYet {
            time,
            not_before: unix(span.from),
        }
    } else {
        webpki::Error::CertExpired {
            time,
            not_after: unix(span.until),
        }
    })
}

/// Asks for every certificate of the path but the anchor whether its issuer took it back.
fn not_revoked(
    lists: &RevocationLists,
    bundle: &CaBundle,
    path: &VerifiedPath<'_>,
    leaf: &X509Certificate<'_>,
    now: Timestamp,
) -> Result<(), webpki::Error> {
    let anchor = bundle.signer(path.anchor());
    let mut issuer = anchor
        .ok_or(webpki::Error::UnknownIssuer)?
        .certificate
        .clone();
    for intermediate in path.intermediate_certificates().rev() {
        let der = intermediate.der();
        let (_, parsed) = X509Certificate::from_der(&der).map_err(|_| webpki::Error::BadDer)?;
        lists.check(&parsed, &issuer, now)?;
        issuer = der.into_owned();
    }
    lists.check(leaf, &issuer, now)
}

/// A certificate that stands in the bundle needs no signature, but must be for clients.
fn trusted_itself(parsed: &X509Certificate<'_>) -> Result<(), Rejection> {
    if parsed
        .iter_extensions()
        .any(|extension| extension.critical && !is_understood(extension))
    {
        return Err(unhandled_extension());
    }
    match parsed.extended_key_usage() {
        Ok(None) => Ok(()),
        Ok(Some(usage)) if usage.value.any || usage.value.client_auth => Ok(()),
        Ok(Some(_)) => Err(wrong_usage()),
        Err(_) => Err(malformed()),
    }
}

/// Extensions of RFC 5280 that the checks here take care of, or that say nothing about clients.
fn is_understood(extension: &x509_parser::extensions::X509Extension<'_>) -> bool {
    use x509_parser::oid_registry as oid;
    [
        oid::OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER,
        oid::OID_X509_EXT_BASIC_CONSTRAINTS,
        oid::OID_X509_EXT_CERTIFICATE_POLICIES,
        oid::OID_X509_EXT_CRL_DISTRIBUTION_POINTS,
        oid::OID_X509_EXT_EXTENDED_KEY_USAGE,
        oid::OID_X509_EXT_KEY_USAGE,
        oid::OID_X509_EXT_NAME_CONSTRAINTS,
        oid::OID_X509_EXT_SUBJECT_ALT_NAME,
        oid::OID_X509_EXT_SUBJECT_KEY_IDENTIFIER,
    ]
    .contains(&extension.oid)
}

/// Lets pass what is for clients, for anything, or says nothing of what it is for.
struct ForClients;

const CLIENT_AUTHENTICATION: &[usize] = &[1, 3, 6, 1, 5, 5, 7, 3, 2];
const ANY_USAGE: &[usize] = &[2, 5, 29, 37, 0];

impl ExtendedKeyUsageValidator for ForClients {
    fn validate(&self, usages: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        let mut present = Vec::new();
        for usage in usages {
            let usage = usage?.to_decoded_oid();
            if usage == CLIENT_AUTHENTICATION || usage == ANY_USAGE {
                return Ok(());
            }
            present.push(usage);
        }
        if present.is_empty() {
            return Ok(());
        }
        let required = KeyUsage::client_auth();
        Err(webpki::Error::RequiredEkuNotFoundContext(
            RequiredEkuNotFoundContext { required, present },
        ))
    }
}

/// Go's words for webpki's errors.
fn translate(error: &webpki::Error, now: Timestamp) -> Rejection {
    use webpki::Error;
    match error {
        Error::CertExpired { not_after, .. } => outside(
            Validity {
                until: instant(*not_after),
                ..Validity::ALWAYS
            },
            now,
        ),
        Error::CertNotValidYet { not_before, .. } => outside(
            Validity {
                from: instant(*not_before),
                ..Validity::ALWAYS
            },
            now,
        ),
        Error::EmptyEkuExtension | Error::RequiredEkuNotFoundContext(_) => wrong_usage(),
        Error::UnsupportedCriticalExtension => unhandled_extension(),
        Error::CaUsedAsEndEntity => Rejection::new(
            Reason::CertificateUsage,
            "x509: a CA certificate is no client certificate",
        ),
        Error::EndEntityUsedAsCa => Rejection::new(
            Reason::CertificateAuthorityUnknown,
            "x509: certificate is not authorized to sign other certificates",
        ),
        Error::CertRevoked => Rejection::new(
            Reason::CertificateRevoked,
            "x509: certificate, or one above it, has been revoked",
        ),
        Error::InvalidCrlSignatureForPublicKey => Rejection::new(
            Reason::CertificateAuthorityUnknown,
            "x509: a revocation list in the name of the certificate's issuer is not signed by it",
        ),
        Error::MaximumPathDepthExceeded => Rejection::new(
            Reason::CertificateAuthorityUnknown,
            "x509: too many intermediates",
        ),
        Error::MaximumPathBuildCallsExceeded
        | Error::MaximumSignatureChecksExceeded
        | Error::MaximumNameConstraintComparisonsExceeded => Rejection::new(
            Reason::CertificateAuthorityUnknown,
            "x509: signature check attempts limit reached while verifying certificate chain",
        ),
        Error::NameConstraintViolation => Rejection::new(
            Reason::CertificateAuthorityUnknown,
            "x509: a root or intermediate certificate is not authorized to sign for this name",
        ),
        Error::PathLenConstraintViolated => Rejection::new(
            Reason::CertificateAuthorityUnknown,
            "x509: too many intermediates for path length constraint",
        ),
        Error::BadDer
        | Error::BadDerTime
        | Error::ExtensionValueInvalid
        | Error::InvalidCertValidity
        | Error::InvalidSerialNumber
        | Error::MalformedExtensions
        | Error::TrailingData(_)
        | Error::UnsupportedCertVersion => malformed(),
        _ => Rejection::new(
            Reason::CertificateAuthorityUnknown,
            "x509: certificate signed by unknown authority",
        ),
    }
}

fn outside(validity: Validity, now: Timestamp) -> Rejection {
    let early = now < validity.from;
    let reason = if early {
        Reason::CertificateNotYetValid
    } else {
        Reason::CertificateExpired
    };
    Rejection::new(reason, validity.explain(now))
}

pub(crate) fn malformed() -> Rejection {
    Rejection::new(Reason::CertificateMalformed, "x509: malformed certificate")
}

fn unhandled_extension() -> Rejection {
    Rejection::new(
        Reason::CertificateMalformed,
        "x509: unhandled critical extension",
    )
}

fn wrong_usage() -> Rejection {
    let text = "x509: certificate specifies an incompatible key usage";
    Rejection::new(Reason::CertificateUsage, text)
}

fn unix(instant: Timestamp) -> UnixTime {
    let seconds = u64::try_from(instant.as_second()).unwrap_or_default();
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn instant(time: UnixTime) -> Timestamp {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}

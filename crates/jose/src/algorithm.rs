//! The signature algorithms.

use std::fmt;

/// An asymmetric signature algorithm of JOSE (RFC 7518 section 3.1).
///
/// The list is closed on purpose. `none` and the HMAC algorithms are no members, so a public key
/// cannot be asked to verify with them; HS256 exists only as [`HmacKey`](crate::HmacKey). Keys made
/// here sign with RS256 and the three ECDSA algorithms, as kube-apiserver does; the other RSA
/// algorithms are for tokens of foreign issuers. The order is that of the names.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
}

impl Algorithm {
    /// Every algorithm, sorted.
    pub const ALL: &'static [Self] = &[
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
    ];

    /// The algorithms that an RSA key can be used with; RS256 first, which is Kubernetes' own.
    pub const RSA: &'static [Self] = &[
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
    ];

    /// The algorithms that [`PrivateKey`](crate::PrivateKey)s sign with.
    pub const SIGNING: &'static [Self] = &[Self::Es256, Self::Es384, Self::Es512, Self::Rs256];

    /// The name as headers and key sets spell it, such as `ES256`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
        }
    }

    /// The algorithm of this name, compared case-sensitively.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|algorithm| algorithm.as_str() == name)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_algorithms_and_are_sorted() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::from_name(algorithm.as_str()), Some(*algorithm));
        }
        assert!(Algorithm::ALL.is_sorted());
        assert!(Algorithm::ALL.is_sorted_by_key(|algorithm| algorithm.as_str()));
    }

    #[test]
    fn none_hmac_and_other_spellings_are_no_algorithms() {
        for name in [
            "none", "None", "", "HS256", "HS512", "es256", "EdDSA", "ES256 ",
        ] {
            assert_eq!(Algorithm::from_name(name), None, "{name}");
        }
    }
}

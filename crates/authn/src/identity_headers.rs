//! Headers by which a trusted proxy says who someone is.

use http::{HeaderMap, HeaderName};

/// Names, and beginnings of names, of headers that state an identity.
///
/// [`AuthenticationLayer`](crate::AuthenticationLayer) takes them out of every request that it lets
/// through, so that no later handler takes a client's word for a proxy's.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct IdentityHeaders {
    names: Vec<HeaderName>,
    /// In lower case, as header names are kept.
    prefixes: Vec<String>,
}

impl IdentityHeaders {
    /// These names, and all names that start with one of these prefixes, in any case.
    #[must_use]
    pub fn new(
        names: impl IntoIterator<Item = HeaderName>,
        prefixes: impl IntoIterator<Item = String>,
    ) -> Self {
        Self::default().and(&Self {
            names: names.into_iter().collect(),
            prefixes: prefixes
                .into_iter()
                .map(|prefix| prefix.to_ascii_lowercase())
                .collect(),
        })
    }

    /// Those that every Kubernetes component uses: `X-Remote-User`, `X-Remote-Uid`,
    /// `X-Remote-Group` and `X-Remote-Extra-…`.
    #[must_use]
    pub fn standard() -> Self {
        let names = ["x-remote-user", "x-remote-uid", "x-remote-group"];
        Self::new(
            names.map(HeaderName::from_static),
            ["x-remote-extra-".to_owned()],
        )
    }

    /// These and those.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        for name in &other.names {
            if !self.names.contains(name) {
                self.names.push(name.clone());
            }
        }
        for prefix in &other.prefixes {
            if !self.prefixes.contains(prefix) {
                self.prefixes.push(prefix.clone());
            }
        }
        self
    }

    /// Takes all lines of them out.
    pub fn remove_from(&self, headers: &mut HeaderMap) {
        for name in &self.names {
            headers.remove(name);
        }
        let matches = |name: &&HeaderName| {
            let mut prefixes = self.prefixes.iter();
            prefixes.any(|prefix| name.as_str().starts_with(prefix))
        };
        let prefixed: Vec<HeaderName> = headers.keys().filter(matches).cloned().collect();
        for name in prefixed {
            headers.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_names_and_prefixes_are_taken_out() {
        let mut headers = HeaderMap::new();
        for name in [
            "x-remote-user",
            "x-remote-group",
            "x-remote-group-1",
            "x-remote-extra-",
            "x-remote-extra-acme.com%2fproject",
            "x-remote-extr",
            "x-other-a",
            "x-mine",
        ] {
            headers.append(HeaderName::from_static(name), "v".parse().unwrap());
        }
        let own = IdentityHeaders::new(
            [HeaderName::from_static("x-mine")],
            ["X-Other-".to_owned(), "x-other-".to_owned()],
        );
        IdentityHeaders::standard()
            .and(&own)
            .remove_from(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["x-remote-extr", "x-remote-group-1"]);
    }
}

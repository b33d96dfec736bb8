//! Query parameters.

use std::borrow::Cow;

use burgee_wire::Status;
use percent_encoding::percent_decode_str;

/// The parameters of a request, decoded, in order.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Reads the part of a URL after the question mark. What does not decode is left out, as Go does.
    pub(crate) fn parse(text: &str) -> Self {
        let decode = |part: &str| -> Option<String> {
            let part = if part.contains('+') {
                Cow::Owned(part.replace('+', " "))
            } else {
                part.into()
            };
            percent_decode_str(&part)
                .decode_utf8()
                .ok()
                .map(Cow::into_owned)
        };
        let pairs = text
            .split('&')
            .filter(|pair| !pair.is_empty() && !pair.contains(';'));
        let pairs = pairs.filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name)?, decode(value)?))
        });
        Self {
            pairs: pairs.collect(),
        }
    }

    /// The first value of a parameter.
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        let pair = self.pairs.iter().find(|(own, _)| own == name)?;
        Some(&pair.1)
    }

    /// Every value of a parameter.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs
            .iter()
            .filter(move |(own, _)| own == name)
            .map(|(_, value)| value.as_str())
    }

    /// A text parameter, empty when absent.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.first(name).unwrap_or_default()
    }

    /// A boolean parameter as upstream's conversion reads it: absent, `false` and `0` are false,
    /// anything else is true.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.first(name)
            .is_some_and(|value| !value.eq_ignore_ascii_case("false") && value != "0")
    }

    /// A whole number.
    ///
    /// # Errors
    ///
    /// 400 with the text of Go's parser.
    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, Box<Status>> {
        let Some(text) = self.first(name).filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let fail = |_| {
            let quoted = burgee_wire::quoted(text);
            Box::new(Status::bad_request(format!(
                "strconv.ParseInt: parsing {quoted}: invalid syntax"
            )))
        };
        text.parse().map(Some).map_err(fail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let query = Query::parse("a=1&b=x+y%2Cz&a=2&flag&bad=%ff&off=false&x;y=1");
        assert_eq!(query.first("a"), Some("1"));
        assert_eq!(query.all("a").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(query.text("b"), "x y,z");
        assert!(query.flag("flag") && !query.flag("off") && !query.flag("absent"));
        assert_eq!(query.first("bad"), None);
    }

    #[test]
    fn a_number_that_is_none_is_refused_with_gos_text() {
        let error = Query::parse("limit=x").integer("limit").unwrap_err();
        assert_eq!(
            error.message,
            "strconv.ParseInt: parsing \"x\": invalid syntax"
        );
        assert_eq!(Query::parse("limit=7").integer("limit").unwrap(), Some(7));
        assert_eq!(Query::parse("limit=").integer("limit").unwrap(), None);
    }
}

//! Lists: which objects, as of when, and how many at a time.

use std::sync::Arc;
use std::time::Duration;

use burgee_store::{RangeRequest, Revision};
use burgee_wire::Status;
use burgee_wire::field::{FieldError, Path};
use burgee_wire::selector::{FieldSelector, LabelSelector};

use super::continuation::Continuation;
use super::{Registry, Result, Target, unavailable};
use crate::cache::{Entry, Filter};
use crate::http::Query;

/// How long a list waits for a revision that the caches have not reached (upstream's 3 s).
const FRESH_ENOUGH: Duration = Duration::from_secs(3);

/// The largest number of objects that one read of the store brings. With a selector every read asks
/// for so many: it cannot be known how many of them will match.
const STORE_PAGE: usize = 500;

/// Options of lists, and those that watches share with them.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListOptions {
    pub(crate) filter: Filter,
    pub(crate) limit: Option<usize>,
    pub(crate) continue_token: String,
    pub(crate) version: Version,
    pub(crate) version_match: Option<VersionMatch>,
}

/// The `resourceVersion` parameter.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Version {
    /// `0`: whatever is at hand.
    Any,
    /// A number.
    At(Revision),
    /// None: the most recent.
    #[default]
    MostRecent,
}

/// The `resourceVersionMatch` parameter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum VersionMatch {
    Exact,
    NotOlderThan,
}

/// One answer to a list request.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) entries: Vec<Arc<Entry>>,
    pub(crate) revision: Revision,
    /// Where the client goes on; empty when this is the end.
    pub(crate) continue_token: String,
    /// How many are left, where that is known.
    pub(crate) remaining: Option<u64>,
}

impl ListOptions {
    /// Reads and checks the options of a list, or of a watch where `watch` says so.
    ///
    /// # Errors
    ///
    /// 400 for selectors and numbers that do not parse, 422 for options that contradict each other.
    pub(crate) fn parse(query: &Query, target: &Target<'_>, watch: bool) -> Result<Self> {
        let bad =
            |error: burgee_wire::selector::Error| Box::new(Status::bad_request(error.to_string()));
        let labels = LabelSelector::parse(query.text("labelSelector")).map_err(bad)?;
        let fields = FieldSelector::parse(query.text("fieldSelector")).map_err(bad)?;
        check_fields(&fields, target)?;
        let limit = query.integer("limit")?.filter(|limit| *limit > 0);
        let options = Self {
            filter: Filter {
                prefix: target.resource.namespace_prefix(target.namespace),
                labels,
                fields,
            },
            limit: limit.and_then(|limit| usize::try_from(limit).ok()),
            continue_token: query.text("continue").to_owned(),
            version: version(query.text("resourceVersion"))?,
            version_match: None,
        };
        let version_match = check_match(query, &options, watch)?;
        Ok(Self {
            version_match,
            ..options
        })
    }
}

/// Reads the `resourceVersion` parameter.
pub(super) fn version(text: &str) -> Result<Version> {
    match text {
        "" => Ok(Version::MostRecent),
        "0" => Ok(Version::Any),
        text => text.parse().map(|number| Version::At(Revision(number))).map_err(|_| {
            let quoted = burgee_wire::quoted(text);
            Box::new(Status::bad_request(format!(
                "resourceVersion: Invalid value: {quoted}: strconv.ParseUint: parsing {quoted}: invalid syntax"
            )))
        }),
    }
}

fn check_fields(fields: &FieldSelector, target: &Target<'_>) -> Result<()> {
    let own = target.resource.rules.selectable_fields();
    for term in fields.terms() {
        let field = term.field.as_str();
        if matches!(field, "metadata.name" | "metadata.namespace") || own.contains(&field) {
            continue;
        }
        let message = if own.is_empty() {
            let field = burgee_wire::quoted(field);
            format!(
                "{field} is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
            )
        } else {
            format!("field label not supported: {field}")
        };
        return Err(Box::new(Status::bad_request(message)));
    }
    Ok(())
}

fn check_match(query: &Query, options: &ListOptions, watch: bool) -> Result<Option<VersionMatch>> {
    let path = Path::new("resourceVersionMatch");
    let mut errors = Vec::new();
    let text = query.text("resourceVersionMatch");
    let version_match = match text {
        "" => None,
        "Exact" => Some(VersionMatch::Exact),
        "NotOlderThan" => Some(VersionMatch::NotOlderThan),
        other => {
            let supported = ["", "Exact", "NotOlderThan"];
            errors.push(FieldError::not_supported(&path, other, &supported));
            None
        }
    };
    let initial = query.first("sendInitialEvents");
    if watch {
        match (initial, version_match) {
            (None, Some(_)) => errors.push(FieldError::forbidden(
                &path,
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            )),
            (Some(_), other) if other != Some(VersionMatch::NotOlderThan) => {
                errors.push(FieldError::forbidden(
                    &path,
                    "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
                ));
            }
            _ => {}
        }
        if initial.is_some() && !options.continue_token.is_empty() {
            let path = Path::new("continue");
            errors.push(FieldError::forbidden(
                &path,
                "continue is forbidden for watch",
            ));
        }
    } else {
        if initial.is_some() {
            let path = Path::new("sendInitialEvents");
            errors.push(FieldError::forbidden(
                &path,
                "sendInitialEvents is forbidden for list",
            ));
        }
        if !text.is_empty() && options.version == Version::MostRecent {
            errors.push(FieldError::forbidden(
                &path,
                "resourceVersionMatch is forbidden unless resourceVersion is provided",
            ));
        }
        if !text.is_empty() && !options.continue_token.is_empty() {
            let detail = "resourceVersionMatch is forbidden when continue is provided";
            errors.push(FieldError::forbidden(&path, detail));
        }
        if version_match == Some(VersionMatch::Exact) && options.version == Version::Any {
            let detail = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
            errors.push(FieldError::forbidden(&path, detail));
        }
    }
    if errors.is_empty() {
        return Ok(version_match);
    }
    Err(Box::new(Status::invalid(
        "meta.k8s.io",
        "ListOptions",
        "",
        &errors,
    )))
}

impl Registry {
    /// The objects that a list request wants.
    ///
    /// # Errors
    ///
    /// 400 for a continue token that is none, 410 for a revision that is gone, 504 for one that lies
    /// in the future.
    pub(crate) async fn list(&self, target: &Target<'_>, options: &ListOptions) -> Result<Listed> {
        if !options.continue_token.is_empty() {
            if !matches!(options.version, Version::MostRecent | Version::Any) {
                let message = "specifying resource version is not allowed when using continue";
                return Err(Box::new(Status::bad_request(message)));
            }
            let from = Continuation::decode(&options.continue_token)?;
            return self
                .list_stored(target, options, from.revision, Some(&from.last))
                .await;
        }
        match (options.version, options.version_match) {
            (Version::At(revision), Some(VersionMatch::Exact)) => {
                return self
                    .list_stored(target, options, Some(revision), None)
                    .await;
            }
            // What upstream calls legacy: a chunked list at a revision is exact.
            (Version::At(revision), None) if options.limit.is_some() => {
                return self
                    .list_stored(target, options, Some(revision), None)
                    .await;
            }
            (version, _) => self.reach_version(version).await?,
        }
        self.list_cached(target, options)
    }

    /// Waits until the caches are as fresh as the client wants.
    pub(super) async fn reach_version(&self, version: Version) -> Result<()> {
        match version {
            Version::Any => Ok(()),
            Version::MostRecent => self.catch_up().await,
            Version::At(revision) => {
                if self.caches.reach(revision, FRESH_ENOUGH).await {
                    return Ok(());
                }
                let current = self.caches.revision().0;
                Err(Box::new(Status::resource_version_too_large(
                    revision.0, current,
                )))
            }
        }
    }

    fn list_cached(&self, target: &Target<'_>, options: &ListOptions) -> Result<Listed> {
        let cache = self.cache(target.resource)?;
        let filter = &options.filter;
        let limit = options.limit.unwrap_or(usize::MAX);
        let (mut entries, mut more) = (Vec::new(), 0_u64);
        let counts = filter.labels.is_empty() && filter.fields.is_empty();
        let applied = self.caches.revision();
        let only = filter
            .fields
            .required("metadata.name")
            .filter(|_| !target.namespace.is_empty());
        let changed = match only {
            // One name in one namespace needs no scan.
            Some(name) => {
                let found = cache.find(target.namespace, name);
                let wanted = found.filter(|entry| filter.matches(target.resource, entry));
                let revision = wanted.as_ref().map_or(applied, |entry| entry.revision());
                entries.extend(wanted);
                revision
            }
            None => cache.scan(&filter.prefix, None, |entry| {
                if !filter.matches(target.resource, entry) {
                    return true;
                }
                if entries.len() < limit {
                    entries.push(Arc::clone(entry));
                    return true;
                }
                more += 1;
                counts
            }),
        };
        // Everything up to `applied` is visible, and of this resource all up to its last change.
        let revision = applied.max(changed);
        Ok(self.listed(options, entries, revision, more, counts))
    }

    async fn list_stored(
        &self,
        target: &Target<'_>,
        options: &ListOptions,
        revision: Option<Revision>,
        after: Option<&str>,
    ) -> Result<Listed> {
        let filter = &options.filter;
        let limit = options.limit.unwrap_or(usize::MAX);
        let counts = filter.labels.is_empty() && filter.fields.is_empty();
        let (mut entries, mut revision) = (Vec::new(), revision);
        // What lies behind the pages read so far: counted once, as each count walks over all of it.
        let mut behind = None;
        let mut last: Option<Arc<str>> =
            after.map(|after| format!("{}{after}", filter.prefix).into());
        loop {
            let wanted = if counts {
                // One more tells whether there are more.
                (limit - entries.len()).saturating_add(1).min(STORE_PAGE)
            } else {
                STORE_PAGE
            };
            let page = RangeRequest {
                prefix: &filter.prefix,
                start_after: last.as_deref(),
                limit: Some(wanted),
                revision,
                count: counts && options.limit.is_some() && behind.is_none(),
            };
            let page = match self.store.range(page).await {
                Err(burgee_store::Error::Compacted { .. }) if after.is_some() => {
                    return Err(expired_continuation(last.as_deref(), &filter.prefix));
                }
                Err(burgee_store::Error::FutureRevision { current }) => {
                    let requested = revision.unwrap_or_default().0;
                    return Err(Box::new(Status::resource_version_too_large(
                        requested, current.0,
                    )));
                }
                page => page.map_err(unavailable)?,
            };
            revision = Some(page.revision);
            behind = match behind {
                None => page.remaining,
                Some(behind) => Some(behind.saturating_sub(page.items.len() as u64)),
            };
            for (index, kv) in page.items.iter().enumerate() {
                let entry = Entry::new(target.resource, kv).map(Arc::new);
                let Ok(entry) = entry.inspect_err(|error| {
                    tracing::error!(key = %kv.key, %error, "a stored value cannot be read and is not listed");
                }) else {
                    continue;
                };
                if !filter.matches(target.resource, &entry) {
                    continue;
                }
                if entries.len() == limit {
                    let rest = (page.items.len() - index) as u64 + behind.unwrap_or(0);
                    return Ok(self.listed(options, entries, page.revision, rest, counts));
                }
                entries.push(entry);
            }
            last = page.items.last().map(|kv| Arc::clone(&kv.key));
            if !page.more {
                return Ok(self.listed(options, entries, page.revision, 0, counts));
            }
        }
    }

    fn listed(
        &self,
        options: &ListOptions,
        entries: Vec<Arc<Entry>>,
        revision: Revision,
        more: u64,
        counts: bool,
    ) -> Listed {
        let last = entries.last().filter(|_| more > 0);
        let continue_token = last.map_or_else(String::new, |entry| {
            let last = entry
                .key()
                .strip_prefix(&options.filter.prefix)
                .unwrap_or_default()
                .to_owned();
            Continuation {
                revision: Some(revision),
                last,
            }
            .encode()
        });
        let remaining = (counts && more > 0).then_some(more);
        Listed {
            entries,
            revision,
            continue_token,
            remaining,
        }
    }
}

/// 410 with a token that goes on without the promise of one point in time.
fn expired_continuation(last: Option<&str>, prefix: &str) -> Box<Status> {
    let mut status = Status::expired(
        "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.",
    );
    let last = last
        .and_then(|last| last.strip_prefix(prefix))
        .unwrap_or_default()
        .to_owned();
    let token = Continuation {
        revision: None,
        last,
    }
    .encode();
    status.metadata.insert("continue".to_owned(), token.into());
    Box::new(status)
}

#[cfg(test)]
mod tests {
    use burgee_identity::SystemClock;
    use burgee_store::{EmbeddedOptions, EmbeddedStore, Store as _};
    use futures_util::future::join_all;

    use super::*;
    use crate::authorization::Authorization;
    use crate::cache::Caches;
    use crate::registry::Admission;

    /// More than two reads of the store bring, so that what is left is reckoned over several.
    const COUNT: usize = 2 * STORE_PAGE + 200;

    /// Config maps in the store, one in a hundred with `pick=yes`, and nothing in the caches.
    async fn filled(directory: &std::path::Path) -> Registry {
        let store = EmbeddedStore::open(directory, EmbeddedOptions::default()).unwrap();
        let created = join_all((0..COUNT).map(|i| {
            let pick = if i % 100 == 99 { "yes" } else { "no" };
            let json = format!(
                r#"{{"kind":"ConfigMap","apiVersion":"v1","metadata":{{"name":"{i:04}","namespace":"n","uid":"u","labels":{{"pick":"{pick}"}}}}}}"#
            );
            let key = format!("/registry/configmaps/n/{i:04}");
            let store = &store;
            async move { store.create(&key, json.into()).await }
        }));
        assert!(created.await.iter().all(Result::is_ok));
        Registry {
            store: Arc::new(store),
            caches: Arc::new(Caches::new()),
            clock: Arc::new(SystemClock::new()),
            admission: Admission::new(Arc::new(Authorization::new())),
        }
    }

    async fn list(registry: &Registry, query: &str) -> Listed {
        let target = Target {
            resource: burgee_resources::find("", "v1", "configmaps").unwrap(),
            namespace: "n",
            name: "",
            subresource: "",
        };
        let options = ListOptions::parse(&Query::parse(query), &target, false).unwrap();
        registry.list(&target, &options).await.unwrap()
    }

    #[tokio::test]
    async fn pages_of_the_store_say_how_many_are_left() {
        let directory = tempfile::tempdir().unwrap();
        let registry = filled(directory.path()).await;
        let now = registry.store.revision().await.unwrap();
        let mut page = list(&registry, &format!("limit=1&resourceVersion={now}")).await;
        let mut seen = page.entries.len();
        // A limit below, at and above what one read brings.
        for limit in [10, STORE_PAGE - 1, STORE_PAGE, STORE_PAGE + 1] {
            assert_eq!(page.remaining, Some((COUNT - seen) as u64));
            let token = &page.continue_token;
            page = list(&registry, &format!("limit={limit}&continue={token}")).await;
            assert_eq!(page.entries.len(), limit.min(COUNT - seen));
            assert_eq!(page.revision, now);
            seen += page.entries.len();
        }
        assert_eq!((seen, page.remaining), (COUNT, None));
        assert_eq!(page.continue_token, "");
    }

    #[tokio::test]
    async fn pages_of_a_selector_do_not_say_how_many_are_left() {
        let directory = tempfile::tempdir().unwrap();
        let registry = filled(directory.path()).await;
        let now = registry.store.revision().await.unwrap();
        let picked = format!("limit=1&labelSelector=pick%3Dyes&resourceVersion={now}");
        let mut page = list(&registry, &picked).await;
        for last in (99..COUNT).step_by(100) {
            let keys: Vec<_> = page.entries.iter().map(|entry| &**entry.key()).collect();
            assert_eq!(keys, [format!("/registry/configmaps/n/{last:04}")]);
            assert_eq!(page.remaining, None);
            assert_eq!(page.continue_token.is_empty(), last + 100 > COUNT);
            if !page.continue_token.is_empty() {
                let token = &page.continue_token;
                let next = format!("limit=1&labelSelector=pick%3Dyes&continue={token}");
                page = list(&registry, &next).await;
            }
        }
        let none = format!("limit=1&labelSelector=pick%3Dnever&resourceVersion={now}");
        let none = list(&registry, &none).await;
        assert!(none.entries.is_empty() && none.continue_token.is_empty());
    }
}

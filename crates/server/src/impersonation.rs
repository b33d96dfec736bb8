//! Acting as somebody else, for those who may (upstream's impersonation filter).

use std::collections::BTreeMap;
use std::sync::Arc;

use burgee_authz::{Attributes, Authorizer, ResourceRequest};
use burgee_identity::{UserInfo, names};
use burgee_wire::Status;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;

const USER: HeaderName = HeaderName::from_static("impersonate-user");
const GROUP: HeaderName = HeaderName::from_static("impersonate-group");
const UID: HeaderName = HeaderName::from_static("impersonate-uid");
/// The beginning of headers that carry extra facts; the key follows.
const EXTRA: &str = "impersonate-extra-";

/// The API group of `uids` and `userextras`.
const AUTHENTICATION: &str = "authentication.k8s.io";
/// The beginning of a service account's user name; namespace and name follow.
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// Who the request acts as: the sender, or whom its headers name, if the sender may act as them. The
/// headers are taken out.
///
/// # Errors
///
/// 400 for headers that name no user, 403 for what the sender may not act as.
pub(crate) fn impersonate(
    headers: &mut HeaderMap,
    sender: Arc<UserInfo>,
    authorizer: &dyn Authorizer,
) -> Result<Arc<UserInfo>, Box<Status>> {
    let Some(mut wanted) = requested(headers)? else {
        return Ok(sender);
    };
    for (request, subject) in permissions(&wanted) {
        let attributes = Attributes::resource(&sender, "impersonate", request);
        let decision = authorizer.authorize(&attributes);
        if !decision.is_allowed() {
            tracing::info!(sender = sender.name, subject, "impersonation was refused");
            return Err(Box::new(
                attributes.forbidden(&decision.reason().to_string()),
            ));
        }
    }
    add_groups(&mut wanted);
    Ok(Arc::new(wanted))
}

/// The user that the headers name; `None` when there are none.
fn requested(headers: &mut HeaderMap) -> Result<Option<UserInfo>, Box<Status>> {
    let is_ours = |name: &HeaderName| {
        [&USER, &GROUP, &UID].contains(&name) || name.as_str().starts_with(EXTRA)
    };
    if !headers.keys().any(is_ours) {
        return Ok(None);
    }
    let user = UserInfo {
        name: texts(headers, &USER)?
            .into_iter()
            .next()
            .unwrap_or_default(),
        uid: texts(headers, &UID)?.into_iter().next().unwrap_or_default(),
        groups: texts(headers, &GROUP)?,
        extra: extra(headers)?,
    };
    let names: Vec<_> = headers
        .keys()
        .filter(|name| is_ours(name))
        .cloned()
        .collect();
    for name in names {
        headers.remove(name);
    }
    // Some proxies send the headers without a value, which upstream takes for none.
    if user == UserInfo::default() {
        return Ok(None);
    }
    if user.name.is_empty() {
        let message =
            "requested impersonation of groups, a uid or extra facts without impersonating a user";
        return Err(Box::new(Status::bad_request(message)));
    }
    Ok(Some(user))
}

fn texts(headers: &HeaderMap, name: &HeaderName) -> Result<Vec<String>, Box<Status>> {
    headers
        .get_all(name)
        .iter()
        .map(|value| text(name, value))
        .collect()
}

fn text(name: &HeaderName, value: &HeaderValue) -> Result<String, Box<Status>> {
    let text = std::str::from_utf8(value.as_bytes());
    text.map(str::to_owned)
        .map_err(|_| Box::new(Status::bad_request(format!("header {name} is not UTF-8"))))
}

fn extra(headers: &HeaderMap) -> Result<BTreeMap<String, Vec<String>>, Box<Status>> {
    let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in headers {
        // Header names are lower-case here already.
        let Some(key) = name.as_str().strip_prefix(EXTRA) else {
            continue;
        };
        let decoded = match is_percent_encoded(key) {
            true => percent_decode_str(key).decode_utf8_lossy().into_owned(),
            false => key.to_owned(),
        };
        extra.entry(decoded).or_default().push(text(name, value)?);
    }
    Ok(extra)
}

/// Whether every percent sign begins an escape; otherwise upstream takes the text as it is.
fn is_percent_encoded(text: &str) -> bool {
    text.split('%').skip(1).all(|rest| {
        let mut digits = rest.bytes().take(2);
        let is_digit = |digit: Option<u8>| digit.is_some_and(|digit| digit.is_ascii_hexdigit());
        is_digit(digits.next()) && is_digit(digits.next())
    })
}

/// Everything that the sender must be allowed to act as, and what to call it in the log.
fn permissions(wanted: &UserInfo) -> Vec<(ResourceRequest<'_>, &'static str)> {
    let of = |api_group, resource, subresource, namespace, name| ResourceRequest {
        api_group,
        api_version: "v1",
        resource,
        subresource,
        namespace,
        name,
    };
    let mut permissions = Vec::new();
    permissions.push(match service_account(&wanted.name) {
        Some((namespace, name)) => (
            of("", "serviceaccounts", "", namespace, name),
            "service account",
        ),
        None => (of("", "users", "", "", &wanted.name), "user"),
    });
    let groups = wanted.groups.iter();
    permissions.extend(groups.map(|group| (of("", "groups", "", "", group), "group")));
    for (key, values) in &wanted.extra {
        let values = values.iter();
        let request = |value| of(AUTHENTICATION, "userextras", key, "", value);
        permissions.extend(values.map(|value| (request(value), "extra fact")));
    }
    if !wanted.uid.is_empty() {
        permissions.push((of(AUTHENTICATION, "uids", "", "", &wanted.uid), "uid"));
    }
    permissions
}

fn service_account(user: &str) -> Option<(&str, &str)> {
    let (namespace, name) = user.strip_prefix(SERVICE_ACCOUNT)?.split_once(':')?;
    let is_namespace = burgee_wire::names::dns1123_label(namespace).is_empty();
    let is_name = burgee_wire::names::dns1123_subdomain(name).is_empty();
    (is_namespace && is_name).then_some((namespace, name))
}

/// The groups that come with being somebody.
fn add_groups(wanted: &mut UserInfo) {
    if wanted.groups.is_empty()
        && let Some((namespace, _)) = service_account(&wanted.name)
    {
        let own = format!("{}:{namespace}", names::SERVICE_ACCOUNTS);
        wanted.groups = vec![names::SERVICE_ACCOUNTS.to_owned(), own];
    }
    let missing = match wanted.name.as_str() {
        names::ANONYMOUS if !wanted.in_group(names::UNAUTHENTICATED) => names::UNAUTHENTICATED,
        names::ANONYMOUS => return,
        _ if wanted.in_group(names::AUTHENTICATED) || wanted.in_group(names::UNAUTHENTICATED) => {
            return;
        }
        _ => names::AUTHENTICATED,
    };
    wanted.groups.push(missing.to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;
    use burgee_authz::Decision;
    use std::sync::Mutex;

    /// Allows everything but one name, and writes down what it was asked.
    #[derive(Default)]
    struct Notes {
        refuses: &'static str,
        asked: Mutex<Vec<String>>,
    }

    impl Authorizer for Notes {
        fn authorize(&self, attributes: &Attributes<'_>) -> Decision {
            let burgee_authz::Request::Resource(request) = attributes.request else {
                unreachable!("only resources are asked about");
            };
            let ResourceRequest {
                api_group,
                resource,
                subresource,
                namespace,
                name,
                ..
            } = request;
            let text = format!("{api_group}/{resource}/{subresource} {namespace}/{name}");
            self.asked.lock().unwrap().push(text);
            match name == self.refuses {
                true => Decision::NoOpinion("".into()),
                false => Decision::Allow("".into()),
            }
        }
    }

    fn act(lines: &[(&'static str, &str)], notes: &Notes) -> Result<Arc<UserInfo>, Box<Status>> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        let acting = impersonate(&mut headers, Arc::new(UserInfo::named("alice")), notes);
        assert!(headers.is_empty());
        acting
    }

    #[test]
    fn without_headers_the_sender_stays_who_it_is() {
        let notes = Notes::default();
        assert_eq!(act(&[], &notes).unwrap().name, "alice");
        assert!(notes.asked.lock().unwrap().is_empty());
    }

    #[test]
    fn each_part_of_the_identity_is_asked_about() {
        let notes = Notes::default();
        let lines = [
            ("impersonate-user", "jane"),
            ("impersonate-group", "dev"),
            ("impersonate-group", "ops"),
            ("impersonate-uid", "u1"),
            ("impersonate-extra-acme.com%2fproject", "x"),
        ];
        let user = act(&lines, &notes).unwrap();
        assert_eq!(user.groups, ["dev", "ops", "system:authenticated"]);
        assert_eq!(user.extra["acme.com/project"], ["x"]);
        let asked = [
            "/users/ /jane",
            "/groups/ /dev",
            "/groups/ /ops",
            "authentication.k8s.io/userextras/acme.com/project /x",
            "authentication.k8s.io/uids/ /u1",
        ];
        assert_eq!(*notes.asked.lock().unwrap(), asked);
    }

    #[test]
    fn a_part_that_is_refused_refuses_all_with_upstreams_text() {
        let notes = Notes {
            refuses: "ops",
            ..Notes::default()
        };
        let lines = [("impersonate-user", "jane"), ("impersonate-group", "ops")];
        let refusal = act(&lines, &notes).unwrap_err();
        let text = r#"groups "ops" is forbidden: User "alice" cannot impersonate resource "groups" in API group "" at the cluster scope"#;
        assert_eq!((refusal.code, refusal.message.as_str()), (403, text));
    }

    #[test]
    fn groups_alone_impersonate_nobody() {
        let refusal = act(&[("impersonate-group", "ops")], &Notes::default()).unwrap_err();
        assert_eq!(refusal.code, 400);
        assert!(refusal.message.contains("without impersonating a user"));
    }

    #[test]
    fn empty_headers_impersonate_nobody_and_are_no_mistake() {
        let notes = Notes::default();
        for name in ["impersonate-user", "impersonate-uid"] {
            assert_eq!(act(&[(name, "")], &notes).unwrap().name, "alice");
        }
        assert!(act(&[("impersonate-uid", "u")], &notes).is_err());
    }

    #[test]
    fn the_namespace_of_a_service_account_is_one_label() {
        let lines = [("impersonate-user", "system:serviceaccount:a.b:c")];
        let user = act(&lines, &Notes::default()).unwrap();
        assert_eq!(user.groups, ["system:authenticated"]);
    }

    #[test]
    fn service_accounts_and_the_anonymous_user_get_their_groups() {
        let notes = Notes::default();
        let account = act(
            &[("impersonate-user", "system:serviceaccount:ns:robot")],
            &notes,
        )
        .unwrap();
        let groups = [
            "system:serviceaccounts",
            "system:serviceaccounts:ns",
            "system:authenticated",
        ];
        assert_eq!(account.groups, groups);
        assert_eq!(*notes.asked.lock().unwrap(), ["/serviceaccounts/ ns/robot"]);
        let nobody = act(&[("impersonate-user", "system:anonymous")], &notes).unwrap();
        assert_eq!(nobody.groups, ["system:unauthenticated"]);
    }
}

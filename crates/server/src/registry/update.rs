//! Updates: whole objects and patches of every kind.

use burgee_patch::{OnConflict, Patch, PatchType};
use burgee_resources::metadata;
use burgee_store::Revision;
use burgee_wire::field::{FieldError, Path};
use burgee_wire::{Object, Status, quoted};
use serde_json::Value;

use super::create::{check_namespace, endpoint, unchanged};
use super::input::Expected;
use super::{
    Current, FieldValidation, Input, Registry, Result, Target, WriteOptions, Writer, Written,
    parse_body, unavailable,
};
use crate::http::Encoding;

/// How often a write that named no resource version is tried again when somebody wrote in between.
const TRIES: usize = 8;

/// How a PATCH says what to change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PatchKind {
    /// The fields that the writer wants, and no others.
    Apply,
    /// A patch in the stricter sense.
    Patch(PatchType),
}

/// The next state of an object, before the server's own rules.
struct Proposal {
    object: Object,
    warnings: Vec<String>,
    /// Whether the owners of fields are already settled.
    owned: bool,
    /// Whether the client wants who owns what to be forgotten.
    reset: bool,
    /// Whether the same proposal can be made of a newer object when somebody wrote in between.
    repeatable: bool,
    /// Whether the object is created where there is none.
    may_create: bool,
}

impl Registry {
    /// Replaces an object by a request's body.
    ///
    /// # Errors
    ///
    /// 400, 403, 404, 409, 413 and 422 as upstream answers them.
    pub(crate) async fn replace(
        &self,
        target: &Target<'_>,
        body: &[u8],
        encoding: Encoding,
        options: &WriteOptions,
        writer: &Writer<'_>,
    ) -> Result<Written> {
        let resource = target.resource;
        let expected = Expected::of(resource);
        let input = Input::decode(body, encoding, &expected, options.field_validation)?;
        let (warnings, reset) = (input.warnings.clone(), input.resets_owners);
        let mut object = input.object()?;
        check_namespace(target, &mut object)?;
        if object.metadata.name.is_empty() {
            let message = "name must be provided";
            return Err(Box::new(Status::bad_request(message)));
        }
        if object.metadata.name != target.name {
            return Err(Box::new(Status::bad_request(format!(
                "the name of the object ({}) does not match the name on the URL ({})",
                object.metadata.name, target.name
            ))));
        }
        self.write(target, options, writer, |current| {
            if current.is_none() && !resource.rules.allow_create_on_update() {
                return Err(target.not_found());
            }
            let object = object.clone();
            Ok(Proposal {
                object,
                warnings: warnings.clone(),
                owned: false,
                reset,
                repeatable: false,
                may_create: resource.rules.allow_create_on_update(),
            })
        })
        .await
    }

    /// Changes an object by a patch.
    ///
    /// # Errors
    ///
    /// As [`Registry::replace`], and 422 for a patch that does not apply.
    pub(crate) async fn patch(
        &self,
        target: &Target<'_>,
        kind: PatchKind,
        body: &[u8],
        options: &WriteOptions,
        writer: &Writer<'_>,
    ) -> Result<Written> {
        let patch = match kind {
            PatchKind::Apply => return self.apply(target, body, options, writer).await,
            PatchKind::Patch(kind) => Patch::parse(kind, body),
        };
        let patch = patch.map_err(|error| Box::new(error.status()))?;
        self.write(target, options, writer, |current| {
            let current = current.ok_or_else(|| target.not_found())?;
            patched(target, &patch, &current.object, options.field_validation)
        })
        .await
    }

    /// Server-side apply.
    async fn apply(
        &self,
        target: &Target<'_>,
        body: &[u8],
        options: &WriteOptions,
        writer: &Writer<'_>,
    ) -> Result<Written> {
        let resource = target.resource;
        let (configuration, problems) = parse_body(body, Encoding::Yaml, resource.schema())
            .map_err(|error| {
                Box::new(Status::bad_request(format!("error decoding YAML: {error}")))
            })?;
        let warnings = self.check_applied(target, &configuration, problems, options)?;
        let api_version = resource.api_version();
        let endpoint = endpoint(target, &api_version);
        let on_conflict = if options.force {
            OnConflict::Force
        } else {
            OnConflict::Refuse
        };
        let version = configuration
            .pointer("/metadata/resourceVersion")
            .and_then(Value::as_str);
        self.write(target, options, writer, |current| {
            if current.is_none() && (version.is_some_and(|version| !version.is_empty())) {
                return Err(
                    target.conflict("resourceVersion was specified, but the object does not exist")
                );
            }
            if current.is_none() && !target.subresource.is_empty() {
                return Err(target.not_found());
            }
            let live = current.map(|current| current.object.to_value());
            let manager = burgee_patch::Writer {
                name: &options.field_manager,
                now: self.now(),
            };
            let applied = burgee_patch::apply(
                live.as_ref(),
                &configuration,
                &endpoint,
                &manager,
                on_conflict,
            )
            .map_err(|error| Box::new(error.status()))?;
            let mut object = Object::from_value(applied.object)
                .map_err(|error| Box::new(Status::bad_request(error.to_string())))?;
            object.metadata.managed_fields = applied.managed_fields;
            check_namespace(target, &mut object)?;
            Ok(Proposal {
                object,
                warnings: warnings.clone(),
                owned: true,
                reset: false,
                repeatable: true,
                may_create: true,
            })
        })
        .await
    }

    /// What is wrong with an applied configuration before it meets the object.
    fn check_applied(
        &self,
        target: &Target<'_>,
        configuration: &Value,
        problems: Vec<String>,
        options: &WriteOptions,
    ) -> Result<Vec<String>> {
        let text = |path: &str| {
            configuration
                .pointer(path)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        if text("/apiVersion").is_empty() || text("/kind").is_empty() {
            let message = "apiVersion and kind must be set in an applied configuration";
            return Err(Box::new(Status::bad_request(message)));
        }
        if !matches!(text("/metadata/name"), name if name.is_empty() || name == target.name) {
            return Err(Box::new(Status::bad_request(format!(
                "the name of the object ({}) does not match the name on the URL ({})",
                text("/metadata/name"),
                target.name
            ))));
        }
        let input = Input::of_value(
            configuration.clone(),
            problems,
            &Expected::of(target.resource),
            options.field_validation,
        )?;
        Ok(input.warnings)
    }

    /// Writes what `propose` makes of the current object, again and again until nobody interferes.
    async fn write(
        &self,
        target: &Target<'_>,
        options: &WriteOptions,
        writer: &Writer<'_>,
        propose: impl Fn(Option<&Current>) -> Result<Proposal>,
    ) -> Result<Written> {
        self.catch_up().await?;
        let entry = self.peek(target)?;
        let mut current = entry.map(|entry| self.current(target, entry)).transpose()?;
        for _ in 0..TRIES {
            let proposal = propose(current.as_ref())?;
            let may_create = proposal.may_create;
            let outcome = match current.take() {
                None => {
                    self.create_proposed(target, proposal, options, writer)
                        .await
                }
                Some(known) => {
                    self.write_once(target, &known, proposal, options, writer)
                        .await
                }
            };
            match outcome? {
                Outcome::Written(written) => return Ok(written),
                Outcome::Interfered(None) if !may_create => return Err(target.not_found()),
                Outcome::Interfered(newer) => current = newer.map(|newer| *newer),
            }
        }
        Err(target.modified())
    }

    async fn create_proposed(
        &self,
        target: &Target<'_>,
        proposal: Proposal,
        options: &WriteOptions,
        writer: &Writer<'_>,
    ) -> Result<Outcome> {
        let Proposal {
            mut object,
            warnings,
            owned,
            ..
        } = proposal;
        self.admission.creation(target, writer)?;
        if !object.metadata.uid.is_empty() {
            // The client means an object that has gone; it must not come back under its name.
            return Err(other_uid(target, &object.metadata.uid, ""));
        }
        if !matches!(object.metadata.resource_version.as_str(), "" | "0") {
            return Err(target.modified());
        }
        target.name.clone_into(&mut object.metadata.name);
        target.resource.rules.default(&mut object);
        if !owned {
            self.own(target, None, &mut object, options, false);
        }
        match self.create_object(target, object, options, writer).await {
            Ok(mut written) => {
                written.warnings.splice(0..0, warnings);
                Ok(Outcome::Written(written))
            }
            Err(status) if status.reason == "AlreadyExists" => {
                let found = self.store.get(&target.key(), None).await;
                let (found, _) = found.map_err(unavailable)?;
                self.interfered(target, found, true)
            }
            Err(status) => Err(status),
        }
    }

    async fn write_once(
        &self,
        target: &Target<'_>,
        current: &Current,
        proposal: Proposal,
        options: &WriteOptions,
        writer: &Writer<'_>,
    ) -> Result<Outcome> {
        let resource = target.resource;
        let Proposal {
            object: mut new,
            mut warnings,
            owned,
            reset,
            repeatable,
            ..
        } = proposal;
        let old = &current.object;
        let may_retry = self.check_preconditions(target, &new, current)? || repeatable;
        resource.rules.default(&mut new);
        if !owned {
            self.own(target, Some(old), &mut new, options, reset);
        }
        metadata::prepare_update(&mut new.metadata, &old.metadata);
        new.metadata.resource_version = current.revision().to_string();
        match target.subresource {
            "" => resource.rules.prepare_update(&mut new, old),
            subresource => resource
                .rules
                .prepare_status_update(subresource, &mut new, old),
        }
        let mut errors = metadata::validate_update(&new.metadata, &old.metadata);
        errors.extend(match target.subresource {
            "" => resource.rules.validate_update(&new, old),
            subresource => resource
                .rules
                .validate_status_update(subresource, &new, old),
        });
        if !errors.is_empty() {
            return Err(target.invalid(target.name, &errors));
        }
        self.admission.escalation(target, writer, &new, Some(old))?;
        warnings.extend(resource.rules.warnings(&new, Some(old)));
        if is_finished(&new) {
            return self.finish(target, current, &new, warnings, options).await;
        }
        let value = self.encode(target, &new)?;
        let at = current.revision();
        let entry = self.entry_of(target, target.name, value.clone(), at)?;
        if entry.json() == current.entry.json() || options.dry_run {
            let shown = if options.dry_run {
                &entry
            } else {
                &current.entry
            };
            return Ok(Outcome::Written(unchanged(shown, warnings)));
        }
        let key = target.key();
        match self.store.put(&key, value.clone(), at).await {
            Ok(revision) => {
                let entry = self.entry_of(target, target.name, value, revision)?;
                self.reach(revision).await?;
                Ok(Outcome::Written(Written {
                    entry,
                    created: false,
                    warnings,
                }))
            }
            Err(burgee_store::Error::Conflict { current }) => {
                self.interfered(target, current, may_retry)
            }
            Err(error) => Err(unavailable(error)),
        }
    }

    /// An object that only waited for its last finalizer goes away.
    async fn finish(
        &self,
        target: &Target<'_>,
        current: &Current,
        new: &Object,
        warnings: Vec<String>,
        options: &WriteOptions,
    ) -> Result<Outcome> {
        let value = self.encode(target, new)?;
        let entry = self.entry_of(target, target.name, value, current.revision())?;
        if options.dry_run {
            return Ok(Outcome::Written(unchanged(&entry, warnings)));
        }
        match self.store.delete(&target.key(), current.revision()).await {
            Ok(revision) => {
                self.reach(revision).await?;
                Ok(Outcome::Written(unchanged(&entry, warnings)))
            }
            Err(burgee_store::Error::Conflict { current }) => {
                self.interfered(target, current, true)
            }
            Err(error) => Err(unavailable(error)),
        }
    }

    fn interfered(
        &self,
        target: &Target<'_>,
        current: Option<burgee_store::KeyValue>,
        may_retry: bool,
    ) -> Result<Outcome> {
        if !may_retry {
            return Err(target.modified());
        }
        let newer = current.map(|kv| self.current_of(target, &kv)).transpose()?;
        Ok(Outcome::Interfered(newer.map(Box::new)))
    }

    /// What the client expects of the stored object. Returns whether it expects no certain version.
    fn check_preconditions(
        &self,
        target: &Target<'_>,
        new: &Object,
        current: &Current,
    ) -> Result<bool> {
        let (meta, old) = (&new.metadata, &current.object.metadata);
        if !meta.uid.is_empty() && meta.uid != old.uid {
            return Err(other_uid(target, &meta.uid, &old.uid));
        }
        match meta.resource_version.as_str() {
            "" | "0" => {
                if target.resource.rules.allow_unconditional_update() {
                    return Ok(true);
                }
                let path = Path::new("metadata.resourceVersion");
                let error = FieldError::invalid(&path, 0, "must be specified for an update");
                Err(target.invalid(target.name, &[error]))
            }
            version => match version.parse().map(Revision) {
                // A patch carries the version of what it was applied to, which may be tried again.
                Ok(revision) if revision == current.revision() => Ok(false),
                Ok(_) => Err(target.modified()),
                Err(_) => {
                    let path = Path::new("metadata.resourceVersion");
                    let detail = format!(
                        "strconv.ParseUint: parsing {}: invalid syntax",
                        quoted(version)
                    );
                    let error = FieldError::invalid(&path, version, detail);
                    Err(target.invalid(target.name, &[error]))
                }
            },
        }
    }
}

/// 409: the client means another object of the same name.
fn other_uid(target: &Target<'_>, wanted: &str, actual: &str) -> Box<Status> {
    let key = target.key();
    target.conflict(&format!(
        "StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {wanted}, UID in object meta: {actual}"
    ))
}

/// What a patch makes of an object.
fn patched(
    target: &Target<'_>,
    patch: &Patch,
    current: &Object,
    validation: FieldValidation,
) -> Result<Proposal> {
    let resource = target.resource;
    let mut live = current.to_value();
    let api_version = resource.api_version();
    if let Some(members) = live.as_object_mut() {
        members.insert("kind".into(), resource.kind.into());
        members.insert("apiVersion".into(), api_version.as_str().into());
    }
    let patched = patch
        .apply(live, resource.schema())
        .map_err(|error| Box::new(error.status()))?;
    let expected = Expected::of(resource);
    let input = Input::of_value(patched, patch.problems().to_vec(), &expected, validation)
        .map_err(|status| unprocessable_patch(target, status))?;
    let (warnings, reset) = (input.warnings.clone(), input.resets_owners);
    let mut object = input.object()?;
    check_namespace(target, &mut object)?;
    if object.metadata.name != target.name {
        let path = Path::new("metadata.name");
        let detail = "field is immutable";
        let error = FieldError::invalid(&path, object.metadata.name.as_str(), detail);
        return Err(target.invalid(target.name, &[error]));
    }
    Ok(Proposal {
        object,
        warnings,
        owned: false,
        reset,
        repeatable: true,
        may_create: false,
    })
}

enum Outcome {
    Written(Written),
    Interfered(Option<Box<Current>>),
}

/// Whether a deleted object has nothing left to wait for.
pub(super) fn is_finished(object: &Object) -> bool {
    let meta = &object.metadata;
    let spec = object.at(&["spec", "finalizers"]).and_then(Value::as_array);
    meta.deletion_timestamp.is_some()
        && meta.finalizers.is_empty()
        && meta.deletion_grace_period_seconds.unwrap_or_default() == 0
        && spec.is_none_or(Vec::is_empty)
}

/// A patch whose outcome is no object of the kind is the patch's fault.
fn unprocessable_patch(target: &Target<'_>, status: Box<Status>) -> Box<Status> {
    if status.message.contains("strict decoding error") {
        return status;
    }
    let message = match status.message.split_once(": ") {
        Some((_, why)) if status.message.contains("cannot be handled as") => why.to_owned(),
        _ => status.message.clone(),
    };
    let path = Path::new("patch");
    let error = FieldError::invalid(&path, "", message);
    target.invalid("", &[error])
}

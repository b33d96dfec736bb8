//! Creations.

use std::sync::{Arc, LazyLock};

use burgee_patch::{Endpoint, FieldSet};
use burgee_resources::{Resource, metadata};
use burgee_store::Revision;
use burgee_wire::{Object, Status};
use uuid::Uuid;

use super::input::Expected;
use super::{Input, Registry, Result, Target, WriteOptions, Writer, Written, unavailable};
use crate::http::Encoding;

/// How often a generated name is drawn again when it is taken.
const NAME_TRIES: usize = 8;

impl Registry {
    /// Creates an object from a request's body.
    ///
    /// # Errors
    ///
    /// 400, 403, 404, 409, 413 and 422 as upstream answers them.
    pub(crate) async fn create(
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
        let warnings = input.warnings.clone();
        let mut object = input.object()?;
        check_namespace(target, &mut object)?;
        if !object.metadata.resource_version.is_empty() {
            let message = "resourceVersion should not be set on objects to be created";
            return Err(Box::new(Status::bad_request(message)));
        }
        resource.rules.default(&mut object);
        self.own(target, None, &mut object, options, false);
        let mut written = self.create_object(target, object, options, writer).await?;
        written.warnings.splice(0..0, warnings);
        Ok(written)
    }

    /// Creates an object that is decoded and defaulted and whose fields have owners.
    pub(super) async fn create_object(
        &self,
        target: &Target<'_>,
        mut object: Object,
        options: &WriteOptions,
        writer: &Writer<'_>,
    ) -> Result<Written> {
        let resource = target.resource;
        // The namespace may have been made, or may have begun to go, through another server.
        self.catch_up().await?;
        let asked_name = object.metadata.name.clone();
        let generated = asked_name.is_empty() && !object.metadata.generate_name.is_empty();
        metadata::prepare_create(&mut object.metadata);
        object.metadata.uid = Uuid::new_v4().to_string();
        object.metadata.creation_timestamp = Some(self.now().into());
        let unnamed = object;
        for attempt in 0.. {
            let mut object = unnamed.clone();
            if generated {
                object.metadata.name = metadata::generate_name(&object.metadata.generate_name);
                // Defaults can depend on the name.
                resource.rules.default(&mut object);
            }
            resource.rules.prepare_create(&mut object);
            let name = object.metadata.name.clone();
            if attempt == 0 {
                self.admission.namespace(&self.caches, target, &name)?;
                let mut errors = metadata::validate_create(&object.metadata, resource);
                errors.extend(resource.rules.validate_create(&object));
                if !errors.is_empty() {
                    return Err(target.invalid(&name, &errors));
                }
                self.admission.escalation(target, writer, &object, None)?;
            }
            let warnings = resource.rules.warnings(&object, None);
            let value = self.encode(target, &object)?;
            let key = resource.key(target.namespace, &name);
            if options.dry_run {
                if self.cache(resource)?.get(&key).is_some() {
                    return Err(exists(resource, &name));
                }
                let entry = self.entry_of(target, &name, value, Revision(0))?;
                return Ok(Written {
                    entry,
                    created: true,
                    warnings,
                });
            }
            match self.store.create(&key, value.clone()).await {
                Ok(revision) => {
                    let entry = self.entry_of(target, &name, value, revision)?;
                    self.reach(revision).await?;
                    return Ok(Written {
                        entry,
                        created: true,
                        warnings,
                    });
                }
                Err(burgee_store::Error::AlreadyExists)
                    if generated && attempt + 1 < NAME_TRIES => {}
                Err(burgee_store::Error::AlreadyExists) => return Err(exists(resource, &name)),
                Err(error) => return Err(unavailable(error)),
            }
        }
        unreachable!("the loop ends by returning")
    }

    /// Records who owns which fields of an object after an ordinary write.
    pub(super) fn own(
        &self,
        target: &Target<'_>,
        live: Option<&Object>,
        new: &mut Object,
        options: &WriteOptions,
        reset: bool,
    ) {
        if reset {
            new.metadata.managed_fields = vec![Default::default()];
        }
        let resource = target.resource;
        let api_version = resource.api_version();
        let endpoint = endpoint(target, &api_version);
        let live = live.map(Object::to_value);
        let writer = burgee_patch::Writer {
            name: &options.field_manager,
            now: self.now(),
        };
        let entries = burgee_patch::update(live.as_ref(), &new.to_value(), &endpoint, &writer);
        new.metadata.managed_fields = entries;
    }
}

/// The endpoint whose writers come to own fields.
pub(super) fn endpoint<'a>(target: &Target<'a>, api_version: &'a str) -> Endpoint<'a> {
    static NONE: LazyLock<FieldSet> = LazyLock::new(FieldSet::default);
    static STATUS: LazyLock<FieldSet> = LazyLock::new(|| FieldSet::of_fields(&["status"]));
    static SPEC: LazyLock<FieldSet> = LazyLock::new(|| FieldSet::of_fields(&["spec"]));
    let has_status = target.resource.subresource("status").is_some();
    let reset_fields = match target.subresource {
        "status" => &*SPEC,
        "" if has_status => &*STATUS,
        _ => &*NONE,
    };
    Endpoint {
        kind: target.resource.schema(),
        api_version,
        subresource: target.subresource,
        reset_fields,
    }
}

/// Takes the namespace of the URL, which the body may repeat but not contradict.
pub(super) fn check_namespace(target: &Target<'_>, object: &mut Object) -> Result<()> {
    let own = &mut object.metadata.namespace;
    if !target.resource.namespaced {
        own.clear();
        return Ok(());
    }
    if own.is_empty() {
        target.namespace.clone_into(own);
    }
    if own != target.namespace {
        let message =
            "the namespace of the provided object does not match the namespace sent on the request";
        return Err(Box::new(Status::bad_request(message)));
    }
    Ok(())
}

fn exists(resource: &Resource, name: &str) -> Box<Status> {
    Box::new(Status::already_exists(
        resource.group,
        resource.plural,
        name,
    ))
}

/// The object as it is shown when nothing had to be written.
pub(super) fn unchanged(entry: &Arc<crate::cache::Entry>, warnings: Vec<String>) -> Written {
    Written {
        entry: Arc::clone(entry),
        created: false,
        warnings,
    }
}

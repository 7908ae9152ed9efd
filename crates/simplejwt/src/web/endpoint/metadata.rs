//! The answer to `OPTIONS`, like that of Django REST framework's `SimpleMetadata`.

use std::borrow::Cow;

use super::RouterOptions;
use super::spec::{Field, Operation, Place, Presence, Spec, Verb};
use crate::web::object::{Json, object, texts};

/// Returns the metadata of an endpoint.
pub(super) fn of(spec: &Spec, options: &RouterOptions) -> Json {
    let mut metadata: Vec<(Cow<'static, str>, Json)> = vec![
        ("name".into(), spec.name.into()),
        ("description".into(), spec.description.into()),
        ("renders".into(), texts(["application/json", "text/html"])),
        (
            "parses".into(),
            texts(["application/json", "application/x-www-form-urlencoded", "multipart/form-data"]),
        ),
    ];
    let with_body = |operation: &&Operation| operation.verb == Verb::Post && operation.reads_body();
    if let Some(operation) = spec.operations.iter().find(with_body) {
        let in_body = operation.fields.iter().filter(|field| field.place == Place::Body);
        let fields = in_body.map(|field| member(field, options)).collect();
        metadata.push(("actions".into(), object([("POST", Json::Object(fields))])));
    }
    Json::Object(metadata)
}

fn member(field: &Field, options: &RouterOptions) -> (Cow<'static, str>, Json) {
    let name = field.name(options);
    let mut label = name.replace('_', " ").to_lowercase();
    if let Some(first) = label.get(..1).map(str::to_uppercase) {
        label.replace_range(..1, &first);
    }
    let metadata = object([
        ("type", "string".into()),
        ("required", (field.presence == Presence::Required).into()),
        ("read_only", (field.presence == Presence::ReadOnly).into()),
        ("label", label.into()),
    ]);
    (name.to_owned().into(), metadata)
}

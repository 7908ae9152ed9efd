//! The table of docs/http-api.md, which is made of the specs.

use std::fmt::Write as _;

use simplejwt::web::endpoint::{
    Base, Credentials, Endpoint, Field, Operation, Place, Presence, RouterOptions, Verb,
};

use super::operations;

const PAGE: &str = include_str!("../../../../../docs/http-api.md");

fn request(endpoint: Endpoint, operation: &Operation) -> String {
    let spec = endpoint.spec();
    let method = match operation.verb {
        Verb::Any => "any method",
        verb => verb.methods().and_then(|methods| methods.first()).unwrap(),
    };
    let base = match spec.base {
        Base::Prefix => "/api/token/",
        Base::Demo => "/api/",
        Base::Root => "/",
        _ => panic!("{:?} has no place in the table", spec.base),
    };
    let path = spec.path.replace('{', "<").replace('}', ">");
    match operation.verb {
        Verb::Any => format!("{method}, `{base}{path}`"),
        _ => format!("`{method} {base}{path}`"),
    }
}

fn needs(operation: &Operation) -> &'static str {
    match operation.credentials {
        Credentials::None => "",
        Credentials::AccessToken => "an access token",
        Credentials::AccessTokenOrField => "an access token or `refresh`",
        Credentials::Client => "a client's id and secret",
        _ => panic!("{:?} has no place in the table", operation.credentials),
    }
}

fn field(field: &Field) -> Option<String> {
    let name = field.name(&RouterOptions::default()).to_owned();
    let name = match field.place {
        Place::Path => return None,
        Place::Query => format!("`?{name}=`"),
        _ => format!("`{name}`"),
    };
    match (field.presence, field.cookie) {
        (Presence::ReadOnly, _) => None,
        (Presence::Required, None) => Some(name),
        (Presence::Required, Some(_)) => Some(format!("{name} or its cookie")),
        (Presence::Optional, _) => Some(format!("{name} (optional)")),
        _ => panic!("{:?} has no place in the table", field.presence),
    }
}

fn answers(operation: &Operation) -> String {
    let outcomes = operation.outcomes.iter();
    let shown = outcomes.map(|outcome| match outcome.code {
        Some(code) => format!("{} `{code}`", outcome.status.as_u16()),
        None => outcome.status.as_u16().to_string(),
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn table() -> String {
    let mut table = String::from(
        "| request | what it does | needs | fields | answers |\n|---|---|---|---|---|\n",
    );
    for (endpoint, operation) in operations() {
        let fields: Vec<_> = operation.fields.iter().filter_map(field).collect();
        let (request, needs) = (request(endpoint, operation), needs(operation));
        let (fields, answers) = (fields.join("; "), answers(operation));
        writeln!(table, "| {request} | {} | {needs} | {fields} | {answers} |", operation.summary)
            .unwrap();
    }
    table
}

#[test]
fn the_page_has_the_table_of_all_endpoints() {
    let table = table();
    assert!(PAGE.contains(&table), "docs/http-api.md has to have this table:\n\n{table}");
}

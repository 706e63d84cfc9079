//! The document: every route, in the words of OpenAPI 3.1.

use std::collections::{BTreeMap, BTreeSet};

use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use super::super::access::{Access, authenticator};
use super::super::error::Shape;
use super::super::path::{Pattern, parameter};
use super::super::route::Route;
use super::Documentation;
use super::errors::{self, Errors, takes_key};
use super::names::{SCHEMAS, merge};
use super::operation::{Answer, Body, Operation, Parameter, Place};
use super::schema::{Input, admits_null, as_text, bounded, known, without_null};
use super::words::Words;
use crate::id::MAX_KEY_BYTES;

/// What may stand in a path once it is decoded, in a query, and in a header.
const IN_PATH: &str = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$";
const IN_QUERY: &str = "^[^\\u0000]*$";
const IN_HEADER: &str = "^[\\u0020-\\u007e]*$";

/// The document of `routes`.
pub(super) fn document(routes: &[&Route], documentation: &Documentation) -> Value {
    let mut writer = Writer::new();
    let mut paths = writer.paths(routes);
    let title = if documentation.title.is_empty() { crate_of(routes) } else { &documentation.title };
    let components = writer.components(&mut paths);
    let mut document = json!({
        "openapi": "3.1.0",
        "info": { "title": title, "version": documentation.version },
        "paths": paths,
        "components": components,
    });
    bounded(&mut document);
    document
}

/// The crate of the first route that the program declares itself.
fn crate_of<'a>(routes: &[&'a Route]) -> &'a str {
    let own = routes.iter().find(|route| route.options.access != Access::Unasked).or(routes.first());
    own.and_then(|route| route.module.split("::").next()).unwrap_or("DBOS")
}

/// A path with the names that the document gives to its parameters, and its methods.
struct Item {
    names: Vec<String>,
    operations: Map<String, Value>,
}

struct Writer {
    /// What is read may differ from what is written: a field with a default may be left out.
    inputs: SchemaGenerator,
    outputs: SchemaGenerator,
    /// The shape of every error.
    error: Value,
    ids: BTreeSet<String>,
    somebody_asks: bool,
    /// By the router's spelling.
    paths: BTreeMap<String, Item>,
}

impl Writer {
    fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = SCHEMAS.into();
                settings.meta_schema = None;
            })
        };
        let mut outputs = settings().for_serialize().into_generator();
        let error = known::<Shape<'static>>(&mut outputs).to_value();
        let inputs = settings().for_deserialize().into_generator();
        let somebody_asks = matches!(authenticator(), Ok(Some(_)));
        Self { inputs, outputs, error, ids: BTreeSet::new(), somebody_asks, paths: BTreeMap::new() }
    }

    fn paths(&mut self, routes: &[&Route]) -> Value {
        for route in routes {
            let Ok(pattern) = Pattern::parse(route.path) else { continue };
            let mut operation = Operation::default();
            (route.describe)(&mut operation);
            for spelling in pattern.spellings().into_iter().filter(|spelling| is_told(spelling)) {
                self.path(route, &operation, &pattern, spelling);
            }
        }
        let paths = std::mem::take(&mut self.paths).into_iter();
        paths.map(|(spelling, item)| (template(&spelling, &item.names), Value::Object(item.operations))).collect()
    }

    /// One form in which the route can be called.
    fn path(&mut self, route: &Route, operation: &Operation, pattern: &Pattern, spelling: String) {
        let own: Vec<_> = pattern.names().enumerate().filter(|(index, _)| holds(&spelling, *index)).collect();
        let own: Vec<_> = own.into_iter().map(|(_, name)| name.to_owned()).collect();
        // Two methods of one path may name its parts differently, and the document may not.
        let names = self.paths.get(&spelling).map_or_else(|| own.clone(), |item| item.names.clone());
        let renamed = own.iter().map(String::as_str).zip(names.iter().map(String::as_str)).collect();
        let written = self.operation(route, operation, &renamed);
        let item = self.paths.entry(spelling).or_insert_with(|| Item { names, operations: Map::new() });
        item.operations.insert(route.method.to_ascii_lowercase(), written);
    }

    fn operation(&mut self, route: &Route, operation: &Operation, path: &BTreeMap<&str, &str>) -> Value {
        let words = Words::read(operation.words);
        let mut written = Map::new();
        written.insert("operationId".to_owned(), json!(self.id(route, operation, path)));
        written.insert("tags".to_owned(), json!([tag(route)]));
        if !words.summary.is_empty() {
            written.insert("summary".to_owned(), json!(words.summary));
        }
        if words.description.contains('\n') {
            written.insert("description".to_owned(), json!(words.description));
        }
        let parameters = self.parameters(route, operation, path);
        if !parameters.is_empty() {
            written.insert("parameters".to_owned(), Value::Array(parameters));
        }
        if let Some(body) = self.body(&operation.body) {
            written.insert("requestBody".to_owned(), body);
        }
        let errors = Errors::of(route, operation, words.errors, self.somebody_asks);
        written.insert("responses".to_owned(), self.responses(operation, errors));
        if let Some(security) = security(route.options.access, self.somebody_asks) {
            written.insert("security".to_owned(), security);
        }
        Value::Object(written)
    }

    /// The function's name; with its module, its method or a number where that is taken.
    fn id(&mut self, route: &Route, operation: &Operation, path: &BTreeMap<&str, &str>) -> String {
        let left_out =
            operation.parameters.iter().find(|left| left.place == Place::Path && !path.contains_key(left.name));
        let suffix = left_out.map_or_else(String::new, |left| format!("_without_{}", left.name));
        let function = format!("{}{suffix}", plain(route.function));
        let method = route.method.to_ascii_lowercase();
        let named = [function.clone(), format!("{method}_{function}"), format!("{}_{function}", plain(tag(route)))];
        let numbered = (2..).map(|number| format!("{function}_{number}"));
        let free = named.into_iter().chain(numbered).find(|id| !self.ids.contains(id)).expect("numbers do not end");
        self.ids.insert(free.clone());
        free
    }

    fn parameters(&mut self, route: &Route, operation: &Operation, path: &BTreeMap<&str, &str>) -> Vec<Value> {
        let is_here = |parameter: &&Parameter| parameter.place != Place::Path || path.contains_key(parameter.name);
        let given: Vec<_> = operation.parameters.iter().filter(is_here).collect();
        let mut parameters: Vec<_> = given.iter().map(|parameter| self.parameter(parameter, path)).collect();
        if takes_key(route, operation) && !given.into_iter().any(is_key) {
            parameters.push(idempotency_key());
        }
        parameters
    }

    fn parameter(&mut self, parameter: &Parameter, path: &BTreeMap<&str, &str>) -> Value {
        let Parameter { place, name, input } = parameter;
        let (place, letters) = match place {
            Place::Path => ("path", IN_PATH),
            Place::Query => ("query", IN_QUERY),
            Place::Header => ("header", IN_HEADER),
        };
        let name = path.get(name).filter(|_| place == "path").unwrap_or(name);
        let schema = as_text((input.write)(&mut self.inputs), letters);
        if is_key(parameter) && schema.get("$ref").is_none() {
            return idempotency_key();
        }
        let schema = with_default(schema, input);
        json!({ "name": name, "in": place, "required": place == "path" || input.required, "schema": schema })
    }

    fn body(&mut self, body: &Body) -> Option<Value> {
        let (schema, required) = match body {
            Body::Unread => return None,
            Body::Raw("text/plain") => {
                return Some(json!({ "content": { "text/plain": { "schema": { "type": "string" } } } }));
            }
            Body::Raw(kind) => return Some(json!({ "content": { *kind: {} } })),
            Body::Fields(fields) => self.fields(fields),
            Body::Whole(input) => (with_default((input.write)(&mut self.inputs).to_value(), input), input.required),
        };
        let mut content = Map::new();
        if let Some(form) = self.as_form(&schema) {
            content.insert("application/x-www-form-urlencoded".to_owned(), json!({ "schema": form }));
        }
        content.insert("application/json".to_owned(), json!({ "schema": schema }));
        Some(json!({ "required": required, "content": content }))
    }

    fn fields(&mut self, fields: &[(&'static str, Input)]) -> (Value, bool) {
        let mut properties = Map::new();
        for (name, input) in fields {
            let schema = with_default((input.write)(&mut self.inputs).to_value(), input);
            properties.insert((*name).to_owned(), schema);
        }
        let required: Vec<_> = fields.iter().filter(|(_, input)| input.required).map(|(name, _)| *name).collect();
        let is_required = !required.is_empty();
        let mut schema = json!({ "type": "object", "properties": properties });
        if is_required {
            schema["required"] = json!(required);
        }
        (schema, is_required)
    }

    /// The same as a form, if each field can be written as text. What nobody asked for is text too.
    fn as_form(&self, schema: &Value) -> Option<Value> {
        let schema = self.resolved(schema);
        let mut form = schema.clone();
        for field in form.get_mut("properties")?.as_object_mut()?.values_mut() {
            *field = without_null(field.take());
            if let Some(fields) = field.as_object_mut().filter(|fields| fields.get("default") == Some(&Value::Null)) {
                fields.remove("default");
            }
            let kind = self.resolved(field).get("type").cloned().unwrap_or_default();
            if !["string", "integer", "number", "boolean"].iter().any(|plain| kind == *plain) {
                return None;
            }
            // A text of which nothing else is said.
            if let Some(fields) = field.as_object_mut().filter(|fields| kind == "string" && fields.len() == 1) {
                fields.insert("pattern".to_owned(), json!(IN_QUERY));
            }
        }
        let fields = form.as_object_mut()?;
        fields.insert("propertyNames".to_owned(), json!({ "pattern": IN_QUERY }));
        fields.entry("additionalProperties").or_insert(json!({ "type": "string", "pattern": IN_QUERY }));
        Some(form)
    }

    /// What a schema that only names another stands for.
    fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let name = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
        name.and_then(|name| self.inputs.definitions().get(name)).unwrap_or(schema)
    }

    fn responses(&mut self, operation: &Operation, errors: Errors) -> Value {
        let mut responses = Map::new();
        for answer in &operation.answers {
            let answered = self.answers(*answer);
            let status = |status: &str| if operation.chooses_its_status { "2XX".to_owned() } else { status.to_owned() };
            responses.extend(answered.into_iter().map(|(code, answer)| (status(code), answer)));
        }
        for (code, words) in errors.statuses {
            let response = match words {
                None if errors::is_shared(code) => reference(&errors::name(code)),
                words => errors::response(&words.unwrap_or_default(), &self.error),
            };
            responses.insert(code.to_string(), response);
        }
        if errors.others && !responses.contains_key("default") {
            responses.insert("default".to_owned(), reference(errors::OTHER));
        }
        Value::Object(responses)
    }

    /// The answers by status.
    fn answers(&mut self, answer: Answer) -> Vec<(&'static str, Value)> {
        let nothing = ("204", json!({ "description": "Done; there is nothing to say." }));
        let told = |content: Value| ("200", json!({ "description": "Done.", "content": content }));
        match answer {
            Answer::Nothing => vec![nothing],
            Answer::Bytes("application/octet-stream") => vec![told(json!({ "application/octet-stream": {} }))],
            Answer::Bytes(kind) => vec![told(json!({ kind: { "schema": { "type": "string" } } }))],
            Answer::Elsewhere => {
                let location = json!({ "Location": { "schema": { "type": "string" } } });
                vec![("3XX", json!({ "description": "The answer is elsewhere.", "headers": location }))]
            }
            Answer::Anything => vec![("2XX", json!({ "description": "Done.", "content": { "*/*": {} } }))],
            Answer::Json(write) => {
                let schema = write(&mut self.outputs).to_value();
                // What serialises to `null` is answered as nothing.
                let perhaps = admits_null(&schema).then_some(nothing);
                let schema = without_null(schema);
                perhaps.into_iter().chain([told(json!({ "application/json": { "schema": schema } }))]).collect()
            }
        }
    }

    /// What `paths` name.
    fn components(self, paths: &mut Value) -> Value {
        let Self { mut inputs, mut outputs, error, somebody_asks, .. } = self;
        let schemas = merge(inputs.take_definitions(false), outputs.take_definitions(false), paths);
        let mut components = json!({ "schemas": schemas, "responses": errors::responses(&error) });
        if somebody_asks {
            components["securitySchemes"] = json!({ "bearer": { "type": "http", "scheme": "bearer" } });
        }
        components
    }
}

/// Which spellings the document names: `/checkout/` is `/checkout`.
fn is_told(spelling: &str) -> bool {
    spelling == "/" || !spelling.ends_with('/')
}

fn holds(spelling: &str, index: usize) -> bool {
    spelling.contains(&format!("{{{}}}", parameter(index)))
}

/// The spelling of the router with names instead of numbers.
fn template(spelling: &str, names: &[String]) -> String {
    let numbered = names.iter().enumerate();
    numbered.fold(spelling.to_owned(), |path, (index, name)| {
        path.replace(&format!("{{{}}}", parameter(index)), &format!("{{{name}}}"))
    })
}

/// The last word of the module.
fn tag(route: &Route) -> &'static str {
    route.module.rsplit("::").next().unwrap_or(route.module)
}

/// The word with nothing in it that an identifier could not have.
fn plain(word: &str) -> String {
    word.replace("::", "_").replace(|letter: char| !letter.is_ascii_alphanumeric(), "_")
}

fn with_default(mut schema: Value, input: &Input) -> Value {
    if let (Some(fields), Some(default)) = (schema.as_object_mut(), &input.default) {
        fields.insert("default".to_owned(), default.clone());
    }
    schema
}

fn reference(response: &str) -> Value {
    json!({ "$ref": format!("#/components/responses/{response}") })
}

/// Who must be shown to be asking: one of these, where an empty one is nobody.
fn security(access: Access, somebody_asks: bool) -> Option<Value> {
    match access {
        Access::Unasked => None,
        Access::Anyone => somebody_asks.then(|| json!([{}, { "bearer": [] }])),
        Access::User => Some(json!([{ "bearer": [] }])),
        Access::Roles(roles) => Some(roles.iter().map(|role| json!({ "bearer": [role] })).collect()),
    }
}

const KEY: &str = "dbos-idempotency-key";

/// Plain ASCII, and not only blanks, which no header holds.
const KEY_LETTERS: &str = "^[\\u0020-\\u007e]*[\\u0021-\\u007e][\\u0020-\\u007e]*$";

fn is_key(parameter: &Parameter) -> bool {
    parameter.place == Place::Header && parameter.name == KEY
}

fn idempotency_key() -> Value {
    json!({
        "name": KEY,
        "in": "header",
        "required": false,
        "description": "The same key with the same request has no second effect.",
        "schema": { "type": "string", "minLength": 1, "maxLength": MAX_KEY_BYTES, "pattern": KEY_LETTERS },
    })
}

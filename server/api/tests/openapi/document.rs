//! Operations to an OpenAPI 3.1 document.

use api::{Declared, Method, OPERATIONS, Problem, SHAPES, Shape};
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::spoken::{self, Spoken};

/// The whole document, one value a line.
pub fn text() -> String {
    let mut text = serde_json::to_string_pretty(&document()).unwrap();
    text.push('\n');
    // Links between items of Rust lead nowhere here.
    text.replace("[`", "`").replace("`]", "`")
}

/// Two ways to look at types: what must be there when it comes in, and what is there when it goes out.
struct Makers {
    takes: SchemaGenerator,
    gives: SchemaGenerator,
}

fn document() -> Value {
    let settings = || {
        SchemaSettings::draft2020_12().with(|s| {
            s.definitions_path = "/components/schemas".into();
            s.meta_schema = None;
        })
    };
    let takes = settings().for_deserialize().with(|s| s.inline_subschemas = true);
    let mut makers =
        Makers { takes: takes.into_generator(), gives: settings().for_serialize().into_generator() };
    let spoken = spoken::all();
    let mut paths = Map::new();
    for (operation, shape) in OPERATIONS.iter().zip(SHAPES) {
        let method = operation.method.to_string().to_lowercase();
        let said = spoken.get(&(method.clone(), operation.path.to_owned()));
        let said = said.unwrap_or_else(|| panic!("no declaration was found of {method} {}", operation.path));
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[&method] = told(operation, shape, said, &mut makers);
    }
    let problem = Problem::json_schema(&mut makers.gives);
    let mut schemas = makers.gives.take_definitions(true);
    schemas.insert("Problem".into(), problem.to_value());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "meshctl",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE")},
            "description": "The admin interface of a mesh. Every operation names the scope that an API key needs; over the local socket none is needed. What changes something takes `check=true`, which says what would change and changes nothing.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "securitySchemes": {"apiKey": {
                "type": "http", "scheme": "bearer",
                "description": "An API key, made with `meshctl apikey create`; the names beside it are scopes.",
            }},
            "responses": responses(),
            "schemas": schemas,
        },
    })
}

fn told(operation: &Declared, shape: &Shape, said: &Spoken, makers: &mut Makers) -> Value {
    let input = (shape.input)(&mut makers.takes).to_value();
    let output = (shape.output)(&mut makers.gives).to_value();
    let takes_nothing = input["type"] == "null";
    let mut parameters = placeholders(operation.path);
    if operation.writes {
        let words = "Say what would change and change nothing";
        parameters.push(json!({
            "name": "check", "in": "query", "description": words, "schema": {"type": "boolean", "default": false},
        }));
    }
    if operation.method == Method::Get && !takes_nothing {
        parameters.extend(query(&input));
    }
    let media = if operation.streams { "text/event-stream" } else { "application/json" };
    let mut content = json!({media: {"schema": output}});
    if operation.file {
        content["application/octet-stream"] = json!({"schema": {"type": "string", "format": "binary"}});
    }
    let mut answers = json!({"200": {"description": "Done", "content": content}});
    for status in problems(operation) {
        answers[status] = json!({"$ref": format!("#/components/responses/{status}")});
    }
    let mut told = json!({
        "operationId": said.id,
        "summary": said.words,
        "tags": [operation.noun],
        "security": [{"apiKey": [operation.scope().unwrap().to_string()]}],
        "parameters": parameters,
        "responses": answers,
    });
    if operation.method != Method::Get && !takes_nothing {
        told["requestBody"] = json!({"required": true, "content": {"application/json": {"schema": input}}});
    }
    told
}

/// Why something is not answered, by status.
const PROBLEMS: [(&str, &str); 9] = [
    ("400", "Not understood"),
    ("401", "No credential, or one that opens nothing"),
    ("403", "The credential lacks the scope, or asks for more than it holds"),
    ("404", "There is no such thing"),
    ("409", "In conflict with what is there"),
    ("413", "The body is too long"),
    ("422", "Refused"),
    ("429", "Too often; Retry-After says when to come back"),
    ("503", "It cannot be stored now; nothing was changed"),
];

fn problems(operation: &Declared) -> Vec<&'static str> {
    let only_writers = ["409", "422", "503"];
    let all = PROBLEMS.iter().map(|(status, _)| *status);
    let of_it = all.filter(|status| operation.writes || !only_writers.contains(status));
    let mut found: Vec<_> = of_it.filter(|s| operation.method != Method::Get || *s != "413").collect();
    found.push("default");
    found
}

fn responses() -> Value {
    let default = [("default", "Any other refusal, or a fault")];
    let problem = |(status, why): &(&str, &str)| {
        let content =
            json!({"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}});
        ((*status).to_owned(), json!({"description": why, "content": content}))
    };
    PROBLEMS.iter().chain(&default).map(problem).collect::<Map<_, _>>().into()
}

fn placeholders(path: &str) -> Vec<Value> {
    let named = path.split('/').filter_map(|s| s.strip_prefix('{')?.strip_suffix('}'));
    let parameter = |name: &str| {
        let schema = match name {
            "tailnet" => json!({"type": "string", "enum": [api::DEFAULT_TAILNET]}),
            _ => json!({"type": "string", "minLength": 1}),
        };
        json!({"name": name, "in": "path", "required": true, "schema": schema})
    };
    named.map(parameter).collect()
}

/// The members of what goes in, as values of the query.
fn query(input: &Value) -> Vec<Value> {
    let members = input["properties"].as_object().cloned().unwrap_or_default();
    let parameter = |(name, mut schema): (String, Value)| {
        let words = schema.as_object_mut().and_then(|s| s.remove("description")).unwrap_or_default();
        // What is absent is left out; the word null is no value of a query.
        if let Some(types) = schema["type"].as_array().cloned() {
            schema["type"] = types.into_iter().find(|t| t != "null").unwrap();
        }
        schema.as_object_mut().map(|s| s.remove("default"));
        json!({"name": name, "in": "query", "description": words, "schema": schema})
    };
    members.into_iter().map(parameter).collect()
}

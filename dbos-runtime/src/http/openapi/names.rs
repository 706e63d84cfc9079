//! Two sets of schemas under one roof: what is read, and what is written, which may differ under one name.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Where schemas with a name are.
pub(super) const SCHEMAS: &str = "/components/schemas";

/// All schemas by name. One that is read otherwise than it is written has a name of its own where `paths` say what is read.
pub(super) fn merge(
    inputs: Map<String, Value>,
    mut outputs: Map<String, Value>,
    paths: &mut Value,
) -> Map<String, Value> {
    let renamed = different(&inputs, &outputs);
    for (name, mut schema) in inputs {
        rename(&mut schema, &renamed);
        let name = if renamed.contains(&name) { as_input(&name) } else { name };
        outputs.insert(name, schema);
    }
    let items = paths.as_object_mut().into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut);
    for operation in items.flat_map(Map::values_mut).filter_map(Value::as_object_mut) {
        for part in ["parameters", "requestBody"] {
            operation.get_mut(part).into_iter().for_each(|part| rename(part, &renamed));
        }
    }
    outputs
}

/// The names that stand for two things; also those that only lead to such a one.
fn different(inputs: &Map<String, Value>, outputs: &Map<String, Value>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    loop {
        let differs = |name: &String, schema: &Value| {
            let mut read = schema.clone();
            rename(&mut read, &found);
            outputs.get(name).is_some_and(|written| *written != read)
        };
        let more: BTreeSet<_> = inputs.keys().filter(|name| differs(name, &inputs[*name])).cloned().collect();
        if more == found {
            return found;
        }
        found = more;
    }
}

fn as_input(name: &str) -> String {
    format!("{name}Input")
}

fn rename(value: &mut Value, names: &BTreeSet<String>) {
    match value {
        Value::Array(parts) => parts.iter_mut().for_each(|part| rename(part, names)),
        Value::Object(fields) => {
            for (key, part) in fields {
                let target = part.as_str().filter(|_| key == "$ref").and_then(|path| path.rsplit('/').next());
                match target.filter(|name| names.contains(*name)).map(as_input) {
                    Some(name) => *part = Value::String(format!("#{SCHEMAS}/{name}")),
                    None => rename(part, names),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        let Value::Object(map) = value else { panic!("an object") };
        map
    }

    #[test]
    fn what_is_read_otherwise_has_a_name_of_its_own_and_so_has_what_leads_there() {
        let leads = json!({ "items": { "$ref": "#/components/schemas/Item" } });
        let inputs = json!({ "Item": { "type": "string" }, "List": leads, "Same": { "type": "null" } });
        let outputs = json!({ "Item": { "type": "integer" }, "List": leads, "Same": { "type": "null" } });
        let body = json!({ "schema": { "$ref": "#/components/schemas/List" } });
        let mut paths = json!({ "/": { "post": { "requestBody": body, "responses": body } } });

        let schemas = merge(map(inputs), map(outputs), &mut paths);

        assert_eq!(schemas.keys().collect::<Vec<_>>(), ["Item", "ItemInput", "List", "ListInput", "Same"]);
        assert_eq!(schemas["ListInput"]["items"]["$ref"], "#/components/schemas/ItemInput");
        assert_eq!(schemas["List"], leads);
        let operation = &paths["/"]["post"];
        assert_eq!(operation["requestBody"]["schema"]["$ref"], "#/components/schemas/ListInput");
        assert_eq!(operation["responses"], body);
    }
}

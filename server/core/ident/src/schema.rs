//! What the text forms look like as JSON Schema.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::{ApiKeyId, AuthKeyId, MachineKey, NodeId, NodeKey, Scope, Scopes, Tag, UserId};

macro_rules! inline {
    ($($name:ident: $schema:expr),* $(,)?) => {
        $(impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        })*
    };
}

inline! {
    NodeId: id(),
    UserId: id(),
    AuthKeyId: id(),
    ApiKeyId: id(),
    Tag: json_schema!({"type": "string", "pattern": "^tag:[A-Za-z][A-Za-z0-9-]{0,62}$"}),
    MachineKey: json_schema!({"type": "string", "pattern": "^mkey:[0-9a-f]{64}$"}),
    NodeKey: json_schema!({"type": "string", "pattern": "^nodekey:[0-9a-f]{64}$"}),
    Scope: scope(),
    Scopes: json_schema!({"type": "array", "items": scope(), "uniqueItems": true}),
}

fn id() -> Schema {
    json_schema!({"type": "integer", "minimum": 1, "maximum": (1_u64 << 53) - 1})
}

fn scope() -> Schema {
    let every: Vec<_> = Scope::every().map(|scope| scope.to_string()).collect();
    json_schema!({"type": "string", "enum": every})
}

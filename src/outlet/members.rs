//! JSON objects that say nothing of what is not known.

use serde_json::Value;

/// Without the members that are null or empty objects: receivers take a member that is there for one that is known.
pub(super) fn without_nulls(mut value: Value) -> Value {
    if let Value::Object(members) = &mut value {
        members.retain(|_, member| !member.is_null() && member.as_object().is_none_or(|inner| !inner.is_empty()));
    }
    value
}

//! The schema of a result.

/// JSON Schema, draft 2020-12, of what `--json` writes.
pub(crate) const SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "wakeline-load/1",
  "type": "object",
  "required": ["schema", "target", "mode", "loop", "client", "connections", "size", "depth", "threads", "rate_asked", "warmup_s",
    "seconds", "interrupted", "messages", "missing", "rate", "latency_ns", "percentiles", "per_second", "connects", "errors", "client_busy",
    "server", "warnings"],
  "properties": {
    "schema": { "const": "wakeline-load/1" },
    "target": { "type": "string" },
    "mode": { "enum": ["stream", "churn", "idle", "storm"] },
    "loop": { "enum": ["closed", "open"], "description": "open: latency counts from when a message was due" },
    "client": { "type": "string" },
    "connections": { "type": "integer", "minimum": 1 },
    "size": { "type": "integer", "minimum": 0, "description": "bytes of a message; 0 with HTTP" },
    "depth": { "type": "integer", "minimum": 1, "description": "messages under way on a connection, at most" },
    "threads": { "type": "integer", "minimum": 1 },
    "rate_asked": { "type": ["number", "null"], "description": "messages a second" },
    "warmup_s": { "type": "number", "minimum": 0 },
    "seconds": { "type": "number", "minimum": 0, "description": "measured, without the warm-up" },
    "interrupted": { "type": "boolean" },
    "messages": { "type": "integer", "minimum": 0, "description": "answered; in an open loop those that were due in the measured time" },
    "missing": { "type": ["integer", "null"], "minimum": 0, "description": "due in the measured time and never answered; null in a closed loop" },
    "rate": { "type": "number", "minimum": 0, "description": "answers a second that came in the measured time" },
    "latency_ns": {
      "type": "object",
      "required": ["min", "mean", "p50", "p90", "p99", "p99_9", "p99_99", "max"],
      "additionalProperties": { "type": "number", "minimum": 0 }
    },
    "percentiles": {
      "type": "array",
      "items": { "type": "array", "prefixItems": [{ "type": "number" }, { "type": "integer" }], "minItems": 2, "maxItems": 2 },
      "description": "percentile and nanoseconds, rising"
    },
    "per_second": { "type": "array", "items": { "type": "integer" }, "description": "answers that came in each second" },
    "connects": { "type": "integer", "minimum": 0 },
    "errors": {
      "type": "object",
      "additionalProperties": {
        "type": "object",
        "required": ["count", "sample"],
        "properties": { "count": { "type": "integer" }, "sample": { "type": "string" } }
      }
    },
    "client_busy": { "type": ["number", "null"], "minimum": 0 },
    "server": {
      "type": ["object", "null"],
      "required": ["pid", "cpu_ns", "cpu_ns_per_message", "resident_before", "resident", "resident_per_connection"]
    },
    "warnings": { "type": "array", "items": { "type": "string" } }
  }
}"#;

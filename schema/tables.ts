/**
 * Columns of the tables that ingest writes, in the order of its Native blocks. Encoder, decoder and the INSERT statement read
 * the same list, so an old journal survives a new column: inserts name their columns.
 */
export const COLUMN_TYPES = [
	"LowCardinality(String)",
	"String",
	"UInt64",
	"Int32",
	"DateTime",
	"DateTime64(3)",
	"Float64",
	"Map(String, String)",
	"Map(LowCardinality(String), String)",
	"Map(LowCardinality(String), Float64)",
] as const;
export type ColumnType = (typeof COLUMN_TYPES)[number];
export type Columns = readonly (readonly [name: string, type: ColumnType])[];

const LC = "LowCardinality(String)";

export const TABLES = {
	series: [
		["project", LC],
		["name", LC],
		["series_id", "UInt64"],
		["tags", "Map(String, String)"],
		["component", "String"],
		["kind", "String"],
		["unit", "String"],
		["first_seen", "DateTime64(3)"],
	],
	points: [
		["project", LC],
		["name", LC],
		["component", LC],
		["kind", LC],
		["series_id", "UInt64"],
		["ts", "DateTime64(3)"],
		["value", "Float64"],
	],
	cumulative: [
		["project", LC],
		["name", LC],
		["series_id", "UInt64"],
		["ts", "DateTime64(3)"],
		["value", "Float64"],
	],
	events: [
		["project", LC],
		["event", LC],
		["ts", "DateTime64(3)"],
		["event_id", "String"],
		["user_id", "String"],
		["account_id", "String"],
		["session_id", "String"],
		["strings", "Map(LowCardinality(String), String)"],
		["numbers", "Map(LowCardinality(String), Float64)"],
		["id", "UInt64"],
	],
	logs: [
		["project", LC],
		["ts", "DateTime64(3)"],
		["id", "UInt64"],
		["level", LC],
		["component", LC],
		["message", "String"],
		["context", "String"],
		["trace_id", "String"],
		["span_id", "String"],
	],
	errors: [
		["project", LC],
		["ts", "DateTime64(3)"],
		["id", "UInt64"],
		["issue_id", "UInt64"],
		["error_type", LC],
		["severity", LC],
		["component", LC],
		["message", "String"],
		["stack", "String"],
		["context", "String"],
		["user_id", "String"],
		["trace_id", "String"],
	],
	requests: [
		["project", LC],
		["key", "String"],
		["body_hash", "UInt64"],
		["answer", "String"],
		["received", "DateTime64(3)"],
	],
	quarantine: [
		["project", LC],
		["received", "DateTime64(3)"],
		["target", LC],
		["segment", "String"],
		["code", "Int32"],
		["reason", "String"],
		["record", "String"],
	],
} as const satisfies Record<string, Columns>;

export type TableName = keyof typeof TABLES;

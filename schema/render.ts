/**
 * One text of each migration serves the single server and the cluster. Placeholders:
 * `{{db}}`, `{{on_cluster}}`, `{{dedup}}`, `{{days:NAME}}`, `{{engine:MergeTree}}`, `{{local:TABLE}}` (the table that holds the
 * rows), `{{distributed:TABLE SHARDING_KEY}}` (the table over it, nothing on a single server), and for small tables that every
 * node holds whole `{{everywhere:TABLE}}` and `{{engine_everywhere:ENGINE}}`.
 */
export interface RenderOptions {
	readonly database: string;
	/** Name of the cluster in ClickHouse's `remote_servers`; absent for a single server. */
	readonly cluster?: string | undefined;
	readonly days: Readonly<Record<string, number>>;
}

/** Insert blocks remembered per table, so that a repeated insert of a segment is a no-op. */
const DEDUP_WINDOW = 4_000;

/** Fills the placeholders of a migration and splits it into statements. Throws on a placeholder it does not know. */
export function render(template: string, options: RenderOptions): string[] {
	const { database, cluster, days } = options;
	const text = template.replace(/\{\{(\w+)(?::([^}]*))?\}\}/g, (placeholder, name: string, argument = "") => {
		switch (name) {
			case "db":
				return quote(database);
			case "on_cluster":
				return cluster ? `ON CLUSTER ${quote(cluster)}` : "";
			case "dedup":
				return `${cluster ? "" : "non_"}replicated_deduplication_window = ${DEDUP_WINDOW}`;
			case "days": {
				const value = days[argument];
				if (value === undefined) throw new Error(`migration names an unknown retention: ${placeholder}`);
				return String(value);
			}
			case "local":
				return `${quote(database)}.${argument}${cluster ? "_local" : ""}`;
			case "everywhere":
				return `${quote(database)}.${argument}`;
			case "engine":
				return cluster ? replicated(argument, "/clickhouse/tables/{shard}/{database}/{table}", "{replica}") : argument;
			case "engine_everywhere":
				return cluster
					? replicated(argument, "/clickhouse/tables/all/{database}/{table}", "{shard}-{replica}")
					: argument;
			case "distributed": {
				if (!cluster) return "";
				const [table, ...key] = argument.split(" ");
				return (
					`CREATE TABLE IF NOT EXISTS ${quote(database)}.${table} ON CLUSTER ${quote(cluster)} AS ${quote(database)}.${table}_local ` +
					`ENGINE = Distributed(${quote(cluster)}, ${quote(database)}, ${table}_local, ${key.join(" ")});`
				);
			}
			default:
				throw new Error(`migration has an unknown placeholder: ${placeholder}`);
		}
	});
	return text
		.split(/;\s*(?:\n|$)/)
		.map((statement) => statement.trim())
		.filter((statement) => statement.replace(/--.*$/gm, "").trim() !== "");
}

/** `ReplacingMergeTree(version)` → `ReplicatedReplacingMergeTree('path', 'replica', version)`. */
function replicated(engine: string, path: string, replica: string): string {
	const [, name, args] = /^(\w+)(?:\((.*)\))?$/.exec(engine)!;
	return `Replicated${name}('${path}', '${replica}'${args ? `, ${args}` : ""})`;
}

function quote(identifier: string): string {
	return `\`${identifier.replace(/[`\\]/g, "\\$&")}\``;
}

import type { z } from "zod";
import type { ClickHouse } from "./clickhouse.ts";

/** One thing that a person defined, in its newest version. */
export interface Definition<T> {
	readonly project: string;
	readonly id: string;
	/** Grows with every change. */
	readonly version: number;
	readonly body: T;
	readonly created_at: Date;
	readonly updated_at: Date;
}

/** A stored body does not fit the schema of its kind: written by another version of the program, or by hand. */
export class DefinitionError extends Error {
	override readonly name = "DefinitionError";
}

/** A definition that this program cannot read. It can be replaced and deleted like any other. */
export interface Unreadable {
	readonly project: string;
	readonly id: string;
	readonly version: number;
	readonly created_at: Date;
	readonly updated_at: Date;
	/** Says what does not fit, the same each time. */
	readonly error: DefinitionError;
	/** The stored text. */
	readonly body: string;
}

export interface Scanned<T> {
	readonly definitions: Definition<T>[];
	readonly unreadable: Unreadable[];
}

/** What was last found unreadable through a client, by kind and project. */
const FOUND = new WeakMap<ClickHouse, Map<string, Map<string, number>>>();

/** How many definitions of each kind could not be read when they were last listed through this client. */
export function unreadableDefinitions(client: ClickHouse): Map<string, number> {
	const kinds = [...(FOUND.get(client) ?? [])];
	return new Map(kinds.map(([kind, projects]) => [kind, [...projects.values()].reduce((sum, n) => sum + n, 0)]));
}

interface Row {
	project: string;
	id: string;
	version: string;
	body: string;
	created_ms: string;
	updated_ms: string;
}

/** A row as it is stored. */
type Stored = Definition<string>;

const COLUMNS = `project, id, version, body,
	toUnixTimestamp64Milli(created_at) AS created_ms, toUnixTimestamp64Milli(updated_at) AS updated_ms`;

/** All definitions of one kind (keys, alerts, dashboards, …), typed by the schema of that kind. */
export class Definitions<T> {
	readonly #client: ClickHouse;
	readonly #kind: string;
	readonly #schema: z.ZodType<T>;
	readonly #now: () => number;
	#lastVersion = 0;

	constructor(client: ClickHouse, kind: string, schema: z.ZodType<T>, now: () => number = Date.now) {
		this.#client = client;
		this.#kind = kind;
		this.#schema = schema;
		this.#now = now;
	}

	/** Creates or replaces. Two writers of one id at once: the later version stays, nothing is merged. */
	async put(project: string, id: string, body: T): Promise<Definition<T>> {
		const before = await this.#row(project, id);
		const updated_at = new Date(this.#now());
		const definition: Definition<T> = {
			project,
			id,
			version: this.#nextVersion(before?.version ?? 0),
			body: this.#schema.parse(body),
			created_at: before?.created_at ?? updated_at,
			updated_at,
		};
		await this.#insert(definition, JSON.stringify(definition.body), false);
		return definition;
	}

	/**
	 * The newest version; `undefined` when there is none or it was deleted.
	 * @throws DefinitionError when it does not fit its schema
	 */
	async get(project: string, id: string): Promise<Definition<T> | undefined> {
		const row = await this.#row(project, id);
		const read = row && this.#read(row);
		if (read && "error" in read) throw read.error;
		return read;
	}

	/**
	 * All of a project in the order they were created, or of every project when none is named. What does not fit its schema is left
	 * out and counted (`unreadableDefinitions`): one such row must not take away all others.
	 */
	async list(project?: string): Promise<Definition<T>[]> {
		return (await this.scan(project)).definitions;
	}

	/** As `list`, with those that do not fit their schema. */
	async scan(project?: string): Promise<Scanned<T>> {
		const rows =
			project === undefined
				? await this.#select("1", {})
				: await this.#select("project = {project:String}", { project });
		const definitions: Definition<T>[] = [];
		const unreadable: Unreadable[] = [];
		for (const row of rows) {
			const read = this.#read(row);
			if ("error" in read) unreadable.push(read);
			else definitions.push(read);
		}
		this.#count(project, unreadable);
		return { definitions, unreadable };
	}

	/** @returns whether there was something to delete */
	async delete(project: string, id: string): Promise<boolean> {
		const before = await this.#row(project, id);
		if (!before) return false;
		const version = this.#nextVersion(before.version);
		await this.#insert({ ...before, version, updated_at: new Date(this.#now()) }, "{}", true);
		return true;
	}

	#count(project: string | undefined, unreadable: readonly Unreadable[]): void {
		const kinds = FOUND.get(this.#client) ?? new Map<string, Map<string, number>>();
		FOUND.set(this.#client, kinds);
		const projects = kinds.get(this.#kind) ?? new Map<string, number>();
		kinds.set(this.#kind, projects);
		if (project === undefined) projects.clear();
		else projects.delete(project);
		for (const one of unreadable) projects.set(one.project, (projects.get(one.project) ?? 0) + 1);
	}

	/** Microseconds of the clock, so that versions of several processes interleave, and always above the one before. */
	#nextVersion(before: number): number {
		this.#lastVersion = Math.max(this.#now() * 1000, this.#lastVersion + 1, before + 1);
		return this.#lastVersion;
	}

	async #row(project: string, id: string): Promise<Stored | undefined> {
		const rows = await this.#select("project = {project:String} AND id = {id:String}", { project, id });
		return rows[0];
	}

	async #select(where: string, params: Record<string, string>): Promise<Stored[]> {
		const result = await this.#client.query({
			query: `SELECT ${COLUMNS} FROM definitions FINAL
				WHERE kind = {kind:String} AND ${where} AND deleted = 0 ORDER BY project, created_at, id`,
			query_params: { ...params, kind: this.#kind },
			format: "JSONEachRow",
		});
		return (await result.json<Row>()).map(({ created_ms, updated_ms, version, ...row }) => ({
			...row,
			version: Number(version),
			created_at: new Date(Number(created_ms)),
			updated_at: new Date(Number(updated_ms)),
		}));
	}

	#read(row: Stored): Definition<T> | Unreadable {
		const parsed = this.#schema.safeParse(jsonOf(row.body));
		if (parsed.success) return { ...row, body: parsed.data };
		const [first] = parsed.error.issues;
		const where = first && first.path.length > 0 ? `${first.path.join(".")}: ` : "";
		const what = `${this.#kind} ${row.id} of project ${row.project} does not fit its schema`;
		return { ...row, error: new DefinitionError(`${what}: ${where}${first?.message}`, { cause: parsed.error }) };
	}

	async #insert(definition: Omit<Definition<unknown>, "body">, body: string, deleted: boolean): Promise<void> {
		await this.#client.insert({
			table: "definitions",
			values: [
				{
					project: definition.project,
					kind: this.#kind,
					id: definition.id,
					version: String(definition.version),
					deleted: deleted ? 1 : 0,
					body,
					created_at: clickHouseTime(definition.created_at),
					updated_at: clickHouseTime(definition.updated_at),
				},
			],
			columns: ["project", "kind", "id", "version", "deleted", "body", "created_at", "updated_at"],
			format: "JSONEachRow",
		});
	}
}

/** @returns undefined for what is no JSON, which fits no schema */
function jsonOf(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}

/** `2026-01-02 03:04:05.678`, which a DateTime64(3, 'UTC') column reads in every input format. */
export function clickHouseTime(time: Date): string {
	return time.toISOString().replace("T", " ").replace("Z", "");
}

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

interface Row {
	project: string;
	id: string;
	version: string;
	body: string;
	created_ms: string;
	updated_ms: string;
}

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
		const before = await this.get(project, id);
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

	/** The newest version; `undefined` when there is none or it was deleted. */
	async get(project: string, id: string): Promise<Definition<T> | undefined> {
		const rows = await this.#select("project = {project:String} AND id = {id:String}", { project, id });
		return rows[0];
	}

	/** All of a project in the order they were created, or of every project when none is named. */
	list(project?: string): Promise<Definition<T>[]> {
		return project === undefined ? this.#select("1", {}) : this.#select("project = {project:String}", { project });
	}

	/** @returns whether there was something to delete */
	async delete(project: string, id: string): Promise<boolean> {
		const before = await this.get(project, id);
		if (!before) return false;
		const version = this.#nextVersion(before.version);
		await this.#insert({ ...before, version, updated_at: new Date(this.#now()) }, "{}", true);
		return true;
	}

	/** Microseconds of the clock, so that versions of several processes interleave, and always above the one before. */
	#nextVersion(before: number): number {
		this.#lastVersion = Math.max(this.#now() * 1000, this.#lastVersion + 1, before + 1);
		return this.#lastVersion;
	}

	async #select(where: string, params: Record<string, string>): Promise<Definition<T>[]> {
		const result = await this.#client.query({
			query: `SELECT ${COLUMNS} FROM definitions FINAL
				WHERE kind = {kind:String} AND ${where} AND deleted = 0 ORDER BY project, created_at, id`,
			query_params: { ...params, kind: this.#kind },
			format: "JSONEachRow",
		});
		return (await result.json<Row>()).map((row) => this.#read(row));
	}

	#read(row: Row): Definition<T> {
		const parsed = this.#schema.safeParse(JSON.parse(row.body));
		if (!parsed.success) {
			throw new DefinitionError(`${this.#kind} ${row.id} of project ${row.project} does not fit its schema`, {
				cause: parsed.error,
			});
		}
		return {
			project: row.project,
			id: row.id,
			version: Number(row.version),
			body: parsed.data,
			created_at: new Date(Number(row.created_ms)),
			updated_at: new Date(Number(row.updated_ms)),
		};
	}

	async #insert(definition: Definition<T>, body: string, deleted: boolean): Promise<void> {
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

/** `2026-01-02 03:04:05.678`, which a DateTime64(3, 'UTC') column reads in every input format. */
export function clickHouseTime(time: Date): string {
	return time.toISOString().replace("T", " ").replace("Z", "");
}

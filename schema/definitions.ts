import { setTimeout as sleep } from "node:timers/promises";
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

/** Another version stands than the one that was to be replaced: somebody else was faster. */
export class DefinitionChangedError extends Error {
	override readonly name = "DefinitionChangedError";
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
	deleted: number;
	created_ms: string;
	updated_ms: string;
}

/** A row as it is stored. */
interface Stored extends Definition<string> {
	/** 1: it says that there is none any more. */
	readonly deleted: number;
}

/** Others who replace what is to be replaced, one after the other. */
const MAX_TRIES = 20;
/** What was inserted on another replica of a cluster may come so much later. */
const LAG = { looks: 20, pause_ms: 50 };

const COLUMNS = `project, id, version, body, deleted,
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

	/**
	 * Creates or replaces. Of two writers at once one replaces the version of the other; nothing is merged.
	 * @param expected the only version that may be replaced, 0 for none
	 * @throws DefinitionChangedError when another one stands
	 */
	async put(
		project: string,
		id: string,
		body: T,
		{ expected }: { readonly expected?: number } = {},
	): Promise<Definition<T>> {
		const parsed = this.#schema.parse(body);
		const stored = await this.#replace(project, id, (before, updated_at) => {
			if (expected !== undefined && expected !== (before?.version ?? 0))
				throw new DefinitionChangedError(
					`${this.#kind} ${id} of project ${project} was changed since version ${expected}`,
				);
			return { body: JSON.stringify(parsed), deleted: 0, created_at: before?.created_at ?? updated_at };
		});
		const { deleted: _, ...definition } = stored!;
		return { ...definition, body: parsed };
	}

	/**
	 * The newest version; `undefined` when there is none or it was deleted.
	 * @throws DefinitionError when it does not fit its schema
	 */
	async get(project: string, id: string): Promise<Definition<T> | undefined> {
		const row = await this.#last(project, id);
		const read = row && row.deleted === 0 ? this.#read(row) : undefined;
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
				? await this.#select("deleted = 0", {})
				: await this.#select("project = {project:String} AND deleted = 0", { project });
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
		const stored = await this.#replace(
			project,
			id,
			(before) => before && { body: "{}", deleted: 1, created_at: before.created_at },
		);
		return stored !== undefined;
	}

	/**
	 * Puts a row in the place of the last one: no other row can take that place, whichever process it comes from.
	 * @param next the row, of the one that stands; undefined leaves it
	 */
	async #replace(
		project: string,
		id: string,
		next: (before: Stored | undefined, now: Date) => Pick<Stored, "body" | "deleted" | "created_at"> | undefined,
	): Promise<Stored | undefined> {
		let last = await this.#last(project, id);
		// Of those who claim one place.
		let claim = 0;
		for (let tries = 0; tries < MAX_TRIES; tries++) {
			const updated_at = new Date(this.#now());
			const row = next(last?.deleted === 0 ? last : undefined, updated_at);
			if (!row) return undefined;
			const version = this.#nextVersion(last?.version ?? 0);
			const stored: Stored = { ...row, project, id, version, updated_at };
			await this.#insert(stored, [last?.version ?? 0, claim]);
			if (await this.#isStored(stored)) return stored;
			const successor = await this.#successor(project, id, last);
			// Nobody's row ever came: its server died between the claim and the row.
			claim = successor === undefined ? claim + 1 : 0;
			last = successor ?? last;
		}
		throw new Error(
			`${this.#kind} ${id} of project ${project} could not be changed: others were faster ${MAX_TRIES} times`,
		);
	}

	/** The row that took the place of this one. */
	async #successor(project: string, id: string, before: Stored | undefined): Promise<Stored | undefined> {
		for (let look = 0; look < LAG.looks; look++) {
			if (look > 0) await sleep(LAG.pause_ms);
			const last = await this.#last(project, id);
			if (last && last.version > (before?.version ?? 0)) return last;
		}
		return undefined;
	}

	/** Two processes may come to one version: the body tells them apart. */
	async #isStored({ project, id, version, body }: Stored): Promise<boolean> {
		const rows = await this.#client.answers.rows<{ body: string }>(
			`SELECT body FROM definitions
				WHERE project = {project:String} AND kind = {kind:String} AND id = {id:String} AND version = {version:UInt64}`,
			{ project, kind: this.#kind, id, version: String(version) },
		);
		return rows.some((row) => row.body === body);
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

	/** The newest row, also one that says that there is none any more. */
	async #last(project: string, id: string): Promise<Stored | undefined> {
		const rows = await this.#select("project = {project:String} AND id = {id:String}", { project, id });
		return rows[0];
	}

	async #select(where: string, params: Record<string, string>): Promise<Stored[]> {
		const rows = await this.#client.answers.rows<Row>(
			`SELECT ${COLUMNS} FROM definitions FINAL WHERE kind = {kind:String} AND ${where} ORDER BY project, created_at, id`,
			{ ...params, kind: this.#kind },
		);
		return rows.map(({ created_ms, updated_ms, version, ...row }) => ({
			...row,
			version: Number(version),
			created_at: new Date(Number(created_ms)),
			updated_at: new Date(Number(updated_ms)),
		}));
	}

	#read({ deleted: _, ...row }: Stored): Definition<T> | Unreadable {
		const parsed = this.#schema.safeParse(jsonOf(row.body));
		if (parsed.success) return { ...row, body: parsed.data };
		const [first] = parsed.error.issues;
		const where = first && first.path.length > 0 ? `${first.path.join(".")}: ` : "";
		const what = `${this.#kind} ${row.id} of project ${row.project} does not fit its schema`;
		return { ...row, error: new DefinitionError(`${what}: ${where}${first?.message}`, { cause: parsed.error }) };
	}

	/** @param place in which there is one row: what is inserted a second time is not */
	async #insert({ project, id, version, deleted, body, ...times }: Stored, place: readonly number[]): Promise<void> {
		await this.#client.insert({
			table: "definitions",
			values: [
				{
					...{ project, kind: this.#kind, id, version: String(version), deleted, body },
					created_at: clickHouseTime(times.created_at),
					updated_at: clickHouseTime(times.updated_at),
				},
			],
			columns: ["project", "kind", "id", "version", "deleted", "body", "created_at", "updated_at"],
			format: "JSONEachRow",
			clickhouse_settings: {
				insert_deduplicate: 1,
				insert_deduplication_token: JSON.stringify([this.#kind, project, id, ...place]),
			},
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

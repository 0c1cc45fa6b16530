/** Requests that changed something, counted where they are answered: the audit log must have a row for each of them. */
import { randomUUID } from "node:crypto";
import type { ClickHouse } from "../schema/clickhouse.ts";
import { clickHouseTime } from "../schema/definitions.ts";
import type { AnsweredRequest } from "./app.ts";
import type { RouteDoc } from "./openapi.ts";

interface Call {
	readonly project: string;
	readonly answered_at: string;
	readonly request_id: string;
	readonly method: string;
	readonly route: string;
	readonly status: number;
}

/** Changes of definitions need ClickHouse themselves: so many of them cannot wait for it. */
const MAX_WAITING = 10_000;

/** Whether a route changes what somebody defined. Telemetry that is taken in is not a change. */
export function isChanging({ method, role, changes }: RouteDoc): boolean {
	return method !== "get" && changes !== false && role !== undefined && role !== "ingest";
}

export class ChangingCalls {
	readonly #client: ClickHouse;
	readonly #routes: ReadonlySet<string>;
	readonly #now: () => number;
	#waiting: Call[] = [];
	/** In one insert with one token, however often it is tried. */
	#sending: { readonly calls: readonly Call[]; readonly token: string } | undefined;
	#turn: Promise<void> | undefined;

	constructor(client: ClickHouse, docs: readonly RouteDoc[], now: () => number = Date.now) {
		this.#client = client;
		this.#now = now;
		this.#routes = new Set(
			docs.filter(isChanging).map(({ method, path }) => `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ":$1")}`),
		);
	}

	/** To be told of every answered request. */
	note({ method, route, status, project, unchanged, requestId: request_id }: AnsweredRequest): void {
		if (
			unchanged ||
			project === undefined ||
			route === undefined ||
			status >= 300 ||
			!this.#routes.has(`${method} ${route}`)
		)
			return;
		if (this.#waiting.length >= MAX_WAITING) return;
		const answered_at = clickHouseTime(new Date(this.#now()));
		this.#waiting.push({ project, answered_at, request_id, method, route, status });
	}

	/** Stores what waits. Call it now and then, and before the end. */
	flush(): Promise<void> {
		const turn = (this.#turn ?? Promise.resolve()).catch(() => undefined).then(() => this.#store());
		this.#turn = turn;
		return turn;
	}

	async #store(): Promise<void> {
		if (!this.#sending) {
			if (this.#waiting.length === 0) return;
			this.#sending = { calls: this.#waiting, token: randomUUID() };
			this.#waiting = [];
		}
		const { calls, token } = this.#sending;
		await this.#client.insert({
			table: "changing_calls",
			values: calls,
			format: "JSONEachRow",
			clickhouse_settings: { insert_deduplicate: 1, insert_deduplication_token: token },
		});
		this.#sending = undefined;
	}
}

/** The reading routes as a client meets them: with keys, on a database of the test. */
import { Hono } from "hono";
import { createAuth } from "../../http/auth.ts";
import type { AppEnv } from "../../http/env.ts";
import { errorHandler } from "../../http/errors.ts";
import { KeyStore } from "../../http/keys.ts";
import { LocalRateLimiter } from "../../http/rate-limit.ts";
import type { Role } from "../../http/roles.ts";
import { queryRoutes } from "../../query/index.ts";
import { reachOf } from "../../query/measures/scope.ts";
import { alertRoutes } from "../../query/monitoring/alerts/routes.ts";
import { dashboardRoutes } from "../../query/monitoring/dashboards/routes.ts";
import { issueRoutes } from "../../query/monitoring/issues/routes.ts";
import { kpiRoutes } from "../../query/monitoring/kpis.ts";
import { loadTestRoutes } from "../../query/monitoring/load-tests/routes.ts";
import { syntheticRoutes } from "../../query/monitoring/synthetics/routes.ts";
import { reportRoutes } from "../../query/reports/routes.ts";
import { Queries } from "../../query/run.ts";
import { AuditLog } from "../../schema/audit.ts";
import type { ClickHouse } from "../../schema/clickhouse.ts";
import type { Retention } from "../../schema/retention.ts";
import { SecretBox } from "../../schema/secret-box.ts";
import { NO_EXPIRY } from "./database.ts";

// biome-ignore lint/suspicious/noExplicitAny: answers are compared by member, and each test names the members it means.
export type Answer = { readonly status: number; readonly body: any };

export interface Reads {
	/** Asks as a project, by default as an editor. */
	get(
		project: string,
		path: string,
		parameters?: Readonly<Record<string, string | number>>,
		role?: Role,
	): Promise<Answer>;
	send(
		project: string,
		method: string,
		path: string,
		body?: unknown,
		role?: Role,
		headers?: Readonly<Record<string, string>>,
	): Promise<Answer>;
	/** Asks without a key. */
	open(path: string): Promise<Response>;
}

export interface ReadsOptions {
	readonly projects: readonly string[];
	readonly now: number;
	readonly retention?: Retention;
	/** Days of projects that keep less, by project and by the name a migration uses. */
	readonly own?: Readonly<Record<string, Readonly<Record<string, number>>>>;
	/** What dashboards hear of when asked how far records are stored. */
	readonly storedThrough?: () => Promise<number | undefined>;
}

/** Signs and seals what these routes give out. */
export const READS_BOX = new SecretBox(["a key of the tests"]);

/** One lock only: what keeps projects apart in these tests is the predicate in the SQL. */
export async function startReads(client: ClickHouse, options: ReadsOptions): Promise<Reads> {
	const { projects, now, retention = NO_EXPIRY, own, storedThrough } = options;
	const keys = new KeyStore({ client });
	const secrets = new Map<string, string>();
	for (const project of projects) {
		for (const role of ["analytics_viewer", "analytics_editor"] as const) {
			secrets.set(`${project} ${role}`, (await keys.create({ project, name: role, roles: [role] })).secret);
		}
	}
	const requireRole = createAuth({ keys, limiter: new LocalRateLimiter() });
	const app = new Hono<AppEnv>().onError(errorHandler((error) => console.error(error)));
	const queries = new Queries({ client, secondLock: false });
	const shorter = (project: string) => own?.[project] && reachOf(retention, own[project]);
	const deps = { queries, reach: reachOf(retention), reachOf: shorter, requireRole, now: () => now };
	app.route("/", queryRoutes(deps));
	const audit = new AuditLog(client);
	const watermark = storedThrough ? { storedThrough } : {};
	app.route("/", issueRoutes({ ...deps, client, audit }));
	app.route("/", kpiRoutes({ ...deps, client, audit }));
	app.route("/", dashboardRoutes({ ...deps, client, audit, report: (error) => console.error(error), ...watermark }));
	app.route("/", loadTestRoutes({ ...deps, client, audit }));
	// No worker has spoken.
	const workers = { locations: async () => new Set<string>(), run: () => Promise.reject(new Error("nobody")) };
	const box = READS_BOX;
	app.route("/", syntheticRoutes({ ...deps, client, audit, workers, box, location: "local" }));
	app.route("/", alertRoutes({ ...deps, client, audit, box }));
	app.route("/", reportRoutes({ ...deps, client, audit, box, publicUrl: () => "" }));
	const send: Reads["send"] = async (project, method, path, body, role = "analytics_editor", headers = {}) => {
		const response = await app.request(path, {
			method,
			headers: { "X-API-Key": secrets.get(`${project} ${role}`)!, "Content-Type": "application/json", ...headers },
			...(body === undefined ? {} : { body: JSON.stringify(body) }),
		});
		const text = await response.text();
		return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
	};
	return {
		send,
		open: async (path) => app.request(path),
		get: (project, path, parameters = {}, role) => {
			const query = new URLSearchParams(
				Object.entries(parameters).map(([name, value]): [string, string] => [name, String(value)]),
			);
			return send(project, "GET", `${path}?${query}`, undefined, role);
		},
	};
}

/** `/v1/monitoring/load-tests`: windows that are watched while a service is under load. */
import { randomBytes } from "node:crypto";
import { type Context, Hono } from "hono";
import { z } from "zod";
import type { RequireRole } from "../../../http/auth.ts";
import type { AppEnv } from "../../../http/env.ts";
import { badParameter, notFound } from "../../../http/errors.ts";
import type { RouteDoc } from "../../../http/openapi.ts";
import { base58 } from "../../../http/secret.ts";
import { parseBody, parseQuery } from "../../../http/validate.ts";
import type { AuditLog } from "../../../schema/audit.ts";
import type { ClickHouse } from "../../../schema/clickhouse.ts";
import { type Definition, Definitions } from "../../../schema/definitions.ts";
import {
	type LoadTest,
	type LoadTestsAnswer,
	loadTest,
	loadTestAnswer,
	loadTestBody,
	loadTestQuery,
	loadTestsAnswer,
	loadTestsQuery,
	targetMetrics,
} from "../../../schema/wire/index.ts";
import { decodePlace, encodePlace } from "../../common/page.ts";
import { DEFAULT_RULES } from "../../measures/components.ts";
import { type Asking, type QueryDeps, reading } from "../../route.ts";
import { clickHouseError } from "../../run.ts";
import { parseInstant } from "../../time/instant.ts";
import { resolveWindow } from "../../time/window.ts";
import { loadTestReport } from "./report.ts";

const PATH = "/v1/monitoring/load-tests";
const noParameters = z.strictObject({});

export const LOAD_TEST_DOCS: readonly RouteDoc[] = [
	{
		...{ method: "post", path: PATH, tag: "Monitoring", role: "analytics_editor" },
		summary: "Watch a load test: before, during and after it",
		description:
			"Traffic of the test is that with the tag `testid`: requests of the service (`http.server.request.duration`), or what k6 sends (`http_req_duration`, `http_req_failed`, `vus`).",
		body: loadTestBody,
		answers: { 201: loadTestAnswer },
	},
	{
		...{ method: "get", path: PATH, tag: "Monitoring", role: "analytics_viewer" },
		summary: "List load tests",
		query: loadTestsQuery,
		answers: { 200: loadTestsAnswer },
	},
	{
		...{ method: "delete", path: `${PATH}/{id}`, tag: "Monitoring", role: "analytics_editor" },
		summary: "Forget a load test, by its load_test_id; its records stay",
		answers: { 204: null },
	},
	{
		...{ method: "get", path: `${PATH}/{id}`, tag: "Monitoring", role: "analytics_viewer" },
		summary: "How a load test stands: values against the baseline, effect, verdict, steps of virtual users",
		description: "By its id, or by its test_id: then the newest one.",
		query: loadTestQuery,
		answers: { 200: loadTestAnswer },
	},
];

export interface LoadTestDeps extends QueryDeps {
	readonly client: ClickHouse;
	readonly audit: AuditLog;
	readonly requireRole: RequireRole;
}

/** Load tests of the asking key's project; one of another project is not found, like one that never was. */
export function loadTestRoutes(deps: LoadTestDeps): Hono<AppEnv> {
	const now = deps.now ?? Date.now;
	const tests = new Definitions(deps.client, "load_test", loadTest, deps.now);
	const viewer = deps.requireRole("analytics_viewer");
	const editor = deps.requireRole("analytics_editor");
	const find = async (project: string, id: string): Promise<Definition<LoadTest>> => {
		const ofName = async () => (await stored(tests.list(project))).filter(({ body }) => body.test_id === id);
		const found =
			(await stored(tests.get(project, id))) ?? (await ofName()).sort((a, b) => a.version - b.version).at(-1);
		if (!found) throw notFound("Load test");
		return found;
	};
	const record = (c: Context<AppEnv>, action: string, { project, id, body: { test_id } }: Definition<LoadTest>) =>
		stored(
			deps.audit.append({
				...{ project, actor: c.get("key").key_id, action, target: id, request_id: c.get("requestId") },
				detail: { test_id },
			}),
		);
	return new Hono<AppEnv>()
		.get(PATH, viewer, async (c) => {
			const { limit, cursor } = parseQuery(c, loadTestsQuery);
			const [offset = 0] = decodePlace(cursor, 1) ?? [];
			const all = (await stored(tests.list(c.get("key").project))).reverse();
			const load_tests = all.slice(offset, offset + limit).map(({ id, body, created_at }) => ({
				...{ load_test_id: id, test_id: body.test_id, name: body.name ?? null, thresholds: body.thresholds },
				...{ duration_minutes: body.duration_minutes, target_metrics: body.target_metrics },
				...{ starts_at: new Date(body.starts_at).toISOString(), created_at: created_at.toISOString() },
			}));
			const next_cursor = offset + limit < all.length ? encodePlace([offset + limit]) : null;
			return c.json({ load_tests, total: all.length, next_cursor } satisfies LoadTestsAnswer);
		})
		.delete(`${PATH}/:id`, editor, async (c) => {
			parseQuery(c, noParameters);
			// Not by its test_id: several have the same.
			const test = await stored(tests.get(c.get("key").project, c.req.param("id")));
			if (!test) throw notFound("Load test");
			await stored(tests.delete(test.project, test.id));
			await record(c, "load_test.delete", test);
			return c.body(null, 204);
		})
		.post(PATH, editor, async (c) => {
			parseQuery(c, noParameters);
			const { start, ...body } = await parseBody(c, loadTestBody);
			const { project } = c.get("key");
			const whole: LoadTest = {
				...body,
				target_metrics: targetMetrics(body),
				starts_at: startOf(start, now()),
				follows_marks: start === undefined,
			};
			const test = await stored(tests.put(project, `load_${base58(randomBytes(12))}`, whole));
			await record(c, "load_test.create", test);
			const asking: Asking = {
				asker: deps.queries.of(project, c.req.raw.signal),
				...{ reach: deps.reach, criticalComponents: [], rules: DEFAULT_RULES, now: now() },
			};
			return c.json(await loadTestReport(asking, { as_of: now(), timezone: "UTC" }, test), 201);
		})
		.get(`${PATH}/:id`, viewer, (c) =>
			reading(deps, loadTestQuery, async (asking, query) => {
				const { as_of, timezone } = resolveWindow(query, {
					...{ timeframes: ["1h"], defaultTimeframe: "1h", now: asking.now },
				});
				return loadTestReport(asking, { as_of, timezone }, await find(c.get("key").project, c.req.param("id")));
			})(c),
		);
}

/** @throws ApiError 400 */
function startOf(text: string | undefined, now: number): number {
	if (text === undefined) return now;
	const at = parseInstant(text, "UTC");
	if (at !== undefined) return at;
	throw badParameter({
		parameter: "start",
		provided: text,
		valid_options: ["RFC 3339, such as 2026-01-02T03:04:05Z", "seconds, ms, µs or ns since 1970"],
	});
}

function stored<T>(work: Promise<T>): Promise<T> {
	return work.catch((error: unknown) => {
		throw clickHouseError(error, "definitions");
	});
}

/** `/v1/monitoring/synthetic-tests`: what is tested from outside, and what came of it. */
import { randomBytes } from "node:crypto";
import { type Context, Hono } from "hono";
import { z } from "zod";
import type { RequireRole } from "../../../http/auth.ts";
import type { AppEnv } from "../../../http/env.ts";
import { ApiError, badParameter, notFound, unavailable } from "../../../http/errors.ts";
import { base58, hashSecret } from "../../../http/secret.ts";
import { parseBody, parseQuery } from "../../../http/validate.ts";
import type { AuditLog } from "../../../schema/audit.ts";
import type { ClickHouse } from "../../../schema/clickhouse.ts";
import { type Definition, Definitions } from "../../../schema/definitions.ts";
import { sealTest } from "../../../schema/sealed-tests.ts";
import type { SecretBox } from "../../../schema/secret-box.ts";
import {
	type ActiveTest,
	type RunTestAnswer,
	runTestQuery,
	type SyntheticRun,
	type SyntheticTest,
	settle,
	syntheticResultsQuery,
	syntheticTest,
	syntheticTestBody,
	syntheticTestPatch,
	syntheticTestsQuery,
} from "../../../schema/wire/index.ts";
import { decodePlace, encodePlace } from "../../common/page.ts";
import { standingOf } from "../../measures/check-runs.ts";
import { type QueryDeps, reading } from "../../route.ts";
import { clickHouseError } from "../../run.ts";
import { testAnswer } from "./answers.ts";
import { SYNTHETICS_PATH as PATH } from "./docs.ts";
import { patched } from "./patch.ts";
import { syntheticResults } from "./results.ts";

/** The workers, as routes see them. */
export interface SyntheticWorkers {
	/** Locations that have a worker. @throws when nobody knows */
	locations(): Promise<ReadonlySet<string>>;
	/** Runs a test at a location. @throws when no worker there answers within the limit */
	run(project: string, id: string, location: string, limit_ms: number): Promise<SyntheticRun>;
}

export interface SyntheticDeps extends QueryDeps {
	readonly client: ClickHouse;
	readonly audit: AuditLog;
	readonly requireRole: RequireRole;
	readonly workers: SyntheticWorkers;
	readonly box: SecretBox;
	/** Where a test runs that names no location. */
	readonly location: string;
}

const noParameters = z.strictObject({});
/** A run waits for a turn and for its record to be durable. */
const RUN_MARGIN_MS = 5_000;
const MAX_RUN_MS = 120_000;

/** Tests of the asking key's project; one of another project is not found, like one that never was. */
export function syntheticRoutes(deps: SyntheticDeps): Hono<AppEnv> {
	const tests = new Definitions(deps.client, "synthetic_test", syntheticTest, deps.now);
	const viewer = deps.requireRole("analytics_viewer");
	const editor = deps.requireRole("analytics_editor");
	const find = async (c: Context<AppEnv>): Promise<Definition<SyntheticTest>> => {
		const test = await stored(tests.get(c.get("key").project, c.req.param("id") ?? ""));
		if (!test) throw notFound("Synthetic test");
		return test;
	};
	const record = (
		c: Context<AppEnv>,
		action: string,
		{ id, project, body }: Definition<SyntheticTest>,
		detail: object = {},
	) =>
		stored(
			deps.audit.append({
				...{ project, actor: c.get("key").key_id, action, target: id, request_id: c.get("requestId") },
				detail: { name: body.name, ...detail },
			}),
		);
	return new Hono<AppEnv>()
		.post(PATH, editor, async (c) => {
			parseQuery(c, noParameters);
			const body = settle(await parseBody(c, syntheticTestBody), deps.location);
			const token = base58(randomBytes(32));
			const whole: SyntheticTest = body.type === "heartbeat" ? { ...body, token_hash: hashSecret(token) } : body;
			const { project } = c.get("key");
			const sealed = sealTest(whole, deps.box, project);
			const test = await stored(tests.put(project, `syn_${base58(randomBytes(12))}`, sealed));
			await record(c, "synthetic_test.create", test);
			return c.json(testAnswer(test, { warnings: await warningsOf(deps.workers, whole), token }), 201);
		})
		.get(PATH, viewer, async (c) => {
			const { limit, cursor } = parseQuery(c, syntheticTestsQuery);
			const [offset = 0] = decodePlace(cursor, 1) ?? [];
			const all = await stored(tests.list(c.get("key").project));
			const next_cursor = offset + limit < all.length ? encodePlace([offset + limit]) : null;
			const page = all.slice(offset, offset + limit).map((test) => testAnswer(test));
			return c.json({ synthetic_tests: page, total: all.length, next_cursor });
		})
		.get(`${PATH}/:id`, viewer, async (c) => {
			parseQuery(c, noParameters);
			const test = await find(c);
			return c.json(testAnswer(test, { warnings: await warningsOf(deps.workers, test.body) }));
		})
		.patch(`${PATH}/:id`, editor, async (c) => {
			parseQuery(c, noParameters);
			const patch = await parseBody(c, syntheticTestPatch);
			const { id, project, body } = await find(c);
			const test = await stored(tests.put(project, id, patched(body, patch, { box: deps.box, project })));
			await record(c, "synthetic_test.update", test, { changed: Object.keys(patch) });
			return c.json(testAnswer(test, { warnings: await warningsOf(deps.workers, test.body) }));
		})
		.delete(`${PATH}/:id`, editor, async (c) => {
			parseQuery(c, noParameters);
			const test = await find(c);
			await stored(tests.delete(test.project, test.id));
			await record(c, "synthetic_test.delete", test);
			return c.body(null, 204);
		})
		.get(`${PATH}/:id/results`, viewer, (c) =>
			reading(deps, syntheticResultsQuery, async (asking, query) => syntheticResults(asking, query, await find(c)))(c),
		)
		.post(`${PATH}/:id/run`, editor, async (c) => {
			const { location } = parseQuery(c, runTestQuery);
			const test = await find(c);
			const answer = await runEverywhere(deps.workers, test, location);
			await record(c, "synthetic_test.run", test);
			return c.json(answer);
		});
}

/** @throws ApiError 400, 503 */
async function runEverywhere(
	workers: SyntheticWorkers,
	{ id, project, body }: Definition<SyntheticTest>,
	only: string | undefined,
): Promise<RunTestAnswer> {
	if (body.type === "heartbeat") throw new ApiError(400, "A heartbeat is not run: it is called by what it watches");
	if (only !== undefined && !body.locations.includes(only)) {
		throw badParameter({ parameter: "location", provided: only, valid_options: body.locations });
	}
	const heard = await workers.locations().catch((cause: unknown) => {
		throw unavailable("redis", "Workers cannot be asked: Redis does not answer", cause);
	});
	const asked = only === undefined ? body.locations : [only];
	const answers = await Promise.all(
		asked.map(async (location) => {
			if (!heard.has(location)) return { location };
			const run = await workers.run(project, id, location, runLimit_ms(body)).catch(() => undefined);
			return { location, run };
		}),
	);
	const runs = answers.flatMap(({ run }) => (run === undefined ? [] : [run]));
	const away = answers.flatMap(({ location, run }) => (run === undefined ? [location] : []));
	const standings = runs.map(({ ok, status }) => ({ ok, degraded: status === "degraded" }));
	const status = standingOf(standings, Math.min(body.quorum, asked.length));
	if (status === null) throw unavailable("worker", `No worker of the location ${asked.join(", ")} answers`);
	return { test_id: id, status, runs, away };
}

function runLimit_ms({ retries, timeout_ms, retry_delay_ms }: ActiveTest): number {
	return Math.min(MAX_RUN_MS, (retries + 1) * timeout_ms + retries * retry_delay_ms + RUN_MARGIN_MS);
}

/** A test waits for workers of its locations, and it helps to know that none is there. */
async function warningsOf(workers: SyntheticWorkers, test: SyntheticTest): Promise<string[]> {
	if (test.type === "heartbeat") return [];
	const heard = await workers.locations().catch(() => undefined);
	if (heard === undefined) return ["Redis does not answer: it is not known which locations have a worker"];
	return test.locations
		.filter((location) => !heard.has(location))
		.map((location) => `No worker runs at ${location}: start one with TIDEMARK_LOCATION=${location}`);
}

/** Definitions are not read through `Queries`: a database that is away must be a 503 here as well. */
function stored<T>(work: Promise<T>): Promise<T> {
	return work.catch((error: unknown) => {
		throw clickHouseError(error, "definitions");
	});
}

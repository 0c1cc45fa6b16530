import { type Context, Hono } from "hono";
import { z } from "zod";
import type { RequireRole } from "../http/auth.ts";
import type { AppEnv } from "../http/env.ts";
import { ApiError, unavailable } from "../http/errors.ts";
import type { RouteDoc } from "../http/openapi.ts";
import {
	errorRecord,
	eventRecord,
	type IngestAnswer,
	ingestAnswer,
	logRecord,
	metricRecord,
	profileRecord,
} from "../schema/wire/ingest.ts";
import { type BodyFormat, BodyReader, bodyFormat } from "./body.ts";
import { type Intake, SIGNALS, type Signal } from "./intake.ts";
import type { Journal } from "./journal/journal.ts";
import { JournalWriteError } from "./journal/journal.ts";
import type { Loader } from "./loader/loader.ts";
import { bodyHash, hashText, type RequestMemory } from "./requests.ts";

export interface IngestRoutesOptions {
	readonly intake: Intake;
	readonly journal: Journal;
	readonly loader: Loader;
	readonly requests: RequestMemory;
	readonly requireRole: RequireRole;
	readonly maxBodyBytes: number;
	/** Disk for records that are not stored yet; beyond it new ones are refused. */
	readonly journalBudgetBytes: number;
	readonly clock: () => number;
}

/** Memory that the bodies of all requests take together. */
const BODIES_BYTES = 64 * 1024 * 1024;
const BODY_IDLE_MS = 30_000;
/** How long `?wait=true` waits before it answers 202, as without it: the records are durable, only not queryable yet. */
const WAIT_MS = 30_000;
const MAX_KEY_BYTES = 256;

const ROUTES: readonly (readonly [path: string, signal: Signal | undefined, record: z.ZodType, what: string])[] = [
	["/v1/ingest/metrics", "metric", metricRecord, "metric points, or series of points"],
	["/v1/ingest/events", "event", eventRecord, "events"],
	["/v1/ingest/logs", "log", logRecord, "log lines"],
	["/v1/ingest/errors", "error", errorRecord, "errors"],
	["/v1/ingest/profiles", "profile", profileRecord, "profiles of operations"],
	["/v1/ingest/batch", undefined, z.looseObject({ type: z.enum(SIGNALS) }), "records of all kinds, as NDJSON"],
];

/** The ingest routes. An answer of 202 means that the accepted records survive any crash. */
export function ingestRoutes(options: IngestRoutesOptions): Hono<AppEnv> {
	const app = new Hono<AppEnv>();
	const bodies = new BodyReader({ maxBytes: options.maxBodyBytes, idle_ms: BODY_IDLE_MS }, BODIES_BYTES);
	for (const [path, signal] of ROUTES) {
		app.post(path, options.requireRole("ingest"), async (c) => {
			if (options.journal.bytes >= options.journalBudgetBytes) throw overBudget(options);
			const format = bodyFormat(c.req.header("content-type") ?? (signal ? undefined : "application/x-ndjson"));
			const { project } = c.get("key");
			const accepted = await bodies.read(c.env.incoming, (body) =>
				accept(c, options, { path, project, signal, body, format }),
			);
			return await answer(c, options, accepted);
		});
	}
	return app;
}

interface Accepted {
	readonly result: IngestAnswer;
	/** Where its records are; undefined when it had none, or when it is a repetition. */
	readonly segment: number | undefined;
}

interface Sent {
	readonly path: string;
	readonly project: string;
	readonly signal: Signal | undefined;
	readonly body: Buffer;
	readonly format: BodyFormat;
}

/** Takes the records and waits until they are durable. */
async function accept(
	c: Context<AppEnv>,
	{ intake, requests, clock }: IngestRoutesOptions,
	{ path, project, signal, body, format }: Sent,
): Promise<Accepted> {
	const key = idempotencyKey(c);
	let segment: number | undefined;
	const hash = key === undefined ? undefined : bodyHash(path, body);
	const run = async (): Promise<IngestAnswer> => {
		const records = await intake.analysed(body, format);
		// From here to the commit in one turn: else the records, and the answer under their key, could get into two commits.
		const taken = records ? intake.takeRecords(project, signal, records) : intake.take(project, signal, body, format);
		if (taken.rows > 0) {
			if (hash) intake.batch.request(project, key!, hash, JSON.stringify(taken.answer), clock());
			segment = await intake.commit();
		}
		return taken.answer;
	};
	try {
		if (!hash) return { result: await run(), segment };
		const { request, repeated } = await requests.claim(project, key!, async () => {
			const answer = await run();
			return { bodyHash: hashText(hash), answer, segment };
		});
		if (repeated && request.bodyHash !== hashText(hash)) {
			throw new ApiError(409, "This Idempotency-Key was used for another body", {
				extra: { details: { parameter: "Idempotency-Key", provided: key, valid_options: ["a new key"] } },
			});
		}
		if (repeated) c.header("Idempotency-Replayed", "true");
		return { result: request.answer, segment };
	} catch (error) {
		if (!(error instanceof JournalWriteError)) throw error;
		throw unavailable("journal", "The journal cannot be written at the moment", error);
	}
}

async function answer(
	c: Context<AppEnv>,
	{ loader, journal }: IngestRoutesOptions,
	{ result, segment }: Accepted,
): Promise<Response> {
	if (result.accepted === 0 && result.rejected.length > 0) return c.json({ ...rejection(result), ...result }, 400);
	if (c.req.query("wait") !== "true") return c.json(result, 202);
	const stored = await within(loader.whenStored(segment ?? journal.newestSeq), WAIT_MS);
	return c.json(result, stored ? 200 : 202);
}

/** The members that every error has, beside those of the answer. */
function rejection({ rejected }: IngestAnswer): { error: string; code: number } {
	const { reason, field } = rejected[0]!;
	return { error: `No record is valid; the first: ${field ? `${field}: ` : ""}${reason}`, code: 400 };
}

function idempotencyKey(c: Context<AppEnv>): string | undefined {
	const key = c.req.header("idempotency-key");
	if (key === undefined) return undefined;
	if (key !== "" && key.length <= MAX_KEY_BYTES) return key;
	throw new ApiError(400, "Invalid Idempotency-Key", {
		extra: {
			details: {
				parameter: "Idempotency-Key",
				provided: key.slice(0, 32),
				valid_options: [`1 to ${MAX_KEY_BYTES} bytes`],
			},
		},
	});
}

function overBudget({ journal, journalBudgetBytes }: IngestRoutesOptions): ApiError {
	return unavailable(
		"journal",
		`The disk budget for records that are not stored yet is used up (${journal.bytes} of ${journalBudgetBytes} bytes)`,
	);
}

/** @returns false when `ms` passed first */
async function within(work: Promise<void>, ms: number): Promise<boolean> {
	let timer: NodeJS.Timeout | undefined;
	const late = new Promise<false>((resolve) => {
		timer = setTimeout(resolve, ms, false);
	});
	try {
		return await Promise.race([work.then(() => true), late]);
	} finally {
		clearTimeout(timer);
	}
}

const PRIVACY =
	" Addresses of people (ip, $ip, client.address, …) are not stored: an event gets geo.country.iso_code instead. Nor is, unless " +
	"TIDEMARK_CONTENT_CAPTURE is store, the text of chat.message.sent and model_inference_completed (content, prompt, response, …).";

/** What the reference says of these routes. */
export const INGEST_DOCS: readonly RouteDoc[] = ROUTES.map(([path, signal, record, what]) => ({
	method: "post",
	path,
	summary: `Send ${what}`,
	description:
		'One record, an array, {"records": [...]} or NDJSON; gzip, deflate or br. 202: every accepted record is durable on disk. ' +
		"With ?wait=true 200 once it can be queried. A repeated Idempotency-Key is answered as the first time and stored once." +
		(signal === undefined || signal === "event" ? PRIVACY : ""),
	tag: "Ingest",
	role: "ingest",
	query: z.object({ wait: z.enum(["true", "false"]).optional() }),
	body: record,
	bodyTypes: signal ? ["application/json", "application/x-ndjson"] : ["application/x-ndjson", "application/json"],
	answers: { 200: ingestAnswer, 202: ingestAnswer, 400: ingestAnswer },
}));

/** One run of a test from here: attempts through the outbound door until one is good or none is left. */
import { openTest } from "../../schema/sealed-tests.ts";
import { SealError, type SecretBox } from "../../schema/secret-box.ts";
import type { ActiveTest, RunStatus } from "../../schema/wire/index.ts";
import type { TlsFacts } from "../outbound/connect.ts";
import { OutboundError } from "../outbound/errors.ts";
import type { Outbound } from "../outbound/outbound.ts";
import type { Timings } from "../outbound/stopwatch.ts";
import { brokenAssertions, type Seen } from "./assertions.ts";

export interface RunResult {
	readonly status: RunStatus;
	/** Null when nothing was sent. */
	readonly duration_ms: number | null;
	readonly status_code: number | null;
	/** Absent phases are null. */
	readonly timings: Omit<Timings, "total_ms"> | null;
	readonly tls_days_left: number | null;
	readonly attempts: number;
	/** What failed, in words, without secrets; null when it did not. */
	readonly error: string | null;
}
type Attempt = Omit<RunResult, "attempts">;

export interface RunTools {
	readonly outbound: Outbound;
	/** Milliseconds since the epoch. */
	readonly now: () => number;
	readonly pause: (ms: number) => Promise<void>;
	readonly signal?: AbortSignal | undefined;
}

/** What is read of a body, to assert about it. */
const BODY_BYTES = 1024 * 1024;
const DAY_MS = 86_400_000;
const MAX_ERROR = 1_000;

/** As it is stored. Secrets that cannot be opened fail the run, and what they are for is not asked without them. */
export async function runStored(
	test: ActiveTest,
	project: string,
	tools: RunTools & { readonly box: SecretBox },
): Promise<RunResult> {
	let opened: ActiveTest;
	try {
		opened = openTest(test, tools.box, project);
	} catch (error) {
		if (!(error instanceof SealError)) throw error;
		const nothing = { duration_ms: null, status_code: null, timings: null, tls_days_left: null };
		return { status: "failed", ...nothing, attempts: 0, error: `not run: a header or the body is ${error.message}` };
	}
	return runTest(opened, tools);
}

/** Tries until it is good; the last attempt is what counts. No attempt begins after the next run is due. */
export async function runTest(test: ActiveTest, tools: RunTools): Promise<RunResult> {
	const until = tools.now() + test.frequency_seconds * 1_000;
	for (let attempts = 1; ; attempts++) {
		const attempt = await attemptOf(test, tools);
		const isLast = attempts > test.retries || tools.now() + test.retry_delay_ms >= until;
		if (attempt.status !== "failed" || isLast || tools.signal?.aborted) return { ...attempt, attempts };
		await tools.pause(test.retry_delay_ms);
	}
}

async function attemptOf(test: ActiveTest, tools: RunTools): Promise<Attempt> {
	const began = performance.now();
	try {
		const { timings, tls, ...seen } = await ask(test, tools);
		const tls_days_left = tls === null ? undefined : (tls.validTo.getTime() - tools.now()) / DAY_MS;
		return judge(test, { ...seen, duration_ms: timings.total_ms, tls_days_left }, timings);
	} catch (error) {
		if (tools.signal?.aborted) throw error;
		// Its messages name scheme and host only.
		const message = error instanceof OutboundError ? error.message : "the run failed within Tidemark";
		if (!(error instanceof OutboundError)) throw error;
		const duration_ms = performance.now() - began;
		return { status: "failed", duration_ms, status_code: null, timings: null, tls_days_left: null, error: message };
	}
}

interface Reply extends Omit<Seen, "duration_ms" | "tls_days_left"> {
	readonly timings: Timings;
	readonly tls: TlsFacts | null;
}

async function ask(test: ActiveTest, { outbound, signal }: RunTools): Promise<Reply> {
	const total_ms = test.timeout_ms;
	const cancel = signal === undefined ? {} : { signal };
	switch (test.type) {
		case "http": {
			const { url, method, headers, body, follow_redirects: redirects, verify_certificate: verifyCertificate } = test;
			const limits = { total_ms, connect_ms: total_ms, headers_ms: total_ms, idle_ms: total_ms, bodyBytes: BODY_BYTES };
			const response = await outbound.request({
				...{ url, method, headers, redirects, verifyCertificate, limits, ...cancel },
				...(body === undefined ? {} : { body }),
			});
			const { status: status_code, truncated, timings, tls } = response;
			return { status_code, headers: response.headers, body: response.body.toString("utf8"), truncated, timings, tls };
		}
		case "tcp": {
			const { host, port, tls, verify_certificate: verify } = test;
			const secure = tls ? { tls: { verify } } : {};
			const connection = await outbound.connect({ host, port, ...secure, total_ms, ...cancel });
			connection.socket.destroy();
			return { timings: connection.timings, tls: connection.tls };
		}
		case "dns": {
			const { host: name, record_type: type, server, port } = test;
			const { records, timings } = await outbound.dns({ name, type, server, port, total_ms, ...cancel });
			return { records, timings, tls: null };
		}
	}
}

/** What an answer is worth: its assertions, then its limits. */
export function judge(test: ActiveTest, seen: Seen, timings: Timings): Attempt {
	const problems = brokenAssertions(test.assertions, seen);
	const { failed_ms, degraded_ms } = test;
	if (failed_ms !== undefined && seen.duration_ms > failed_ms) {
		problems.push(`took ${Math.round(seen.duration_ms)} ms, the limit is ${failed_ms} ms`);
	}
	// Who asserts a status means another one than usual.
	const says = test.assertions.some(({ type }) => type === "status_code");
	if (!says && seen.status_code !== undefined && seen.status_code >= 400)
		problems.push(`status code: ${seen.status_code}`);
	const slow = degraded_ms !== undefined && seen.duration_ms > degraded_ms;
	const { total_ms: _, ...phases } = timings;
	return {
		status: problems.length > 0 ? "failed" : slow ? "degraded" : "passed",
		duration_ms: seen.duration_ms,
		status_code: seen.status_code ?? null,
		timings: phases,
		tls_days_left: seen.tls_days_left ?? null,
		error: problems.length === 0 ? null : problems.join("; ").slice(0, MAX_ERROR),
	};
}

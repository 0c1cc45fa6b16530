// What an application reports about itself: records into the batch, stamped when they happen rather than when they are sent.
import type { BatchRecord, ErrorRecord, EventRecord, LogRecord, MetricPoint } from "../schema/wire/ingest.ts";
import { errorContext, errorRecord } from "./error-record.ts";
import { toJson } from "./json.ts";
import type { Time } from "./options.ts";
import { Profile, type ProfileExtras, whenDone } from "./profile.ts";

/** The same record with a Date allowed as its time. */
type Timed<Record> = Omit<Record, "timestamp"> & { timestamp?: Time | undefined };

export type MetricOptions = Timed<MetricPoint>;
export type EventOptions = Timed<EventRecord>;
export type LogOptions = Timed<LogRecord>;
/** Whom an error met, and where it belongs: the server finds both in the context. */
interface ErrorIds {
	user_id?: string | undefined;
	trace_id?: string | undefined;
}
export type ErrorOptions = Timed<ErrorRecord> & ErrorIds;
/** What goes with a thrown value. */
export type ErrorExtras = Pick<ErrorOptions, "context" | "severity" | "component" | "timestamp" | keyof ErrorIds>;

export class Telemetry {
	readonly #add: (line: string) => void;

	/** @param add takes one line of `POST /v1/ingest/batch` */
	constructor(add: (line: string) => void) {
		this.#add = add;
	}

	/** Records one point of a metric; `kind` is `gauge` unless said otherwise. */
	trackMetric(metric: MetricOptions): void {
		this.#record("metric", metric);
	}

	/** Records one event. */
	trackEvent(event: EventOptions): void {
		this.#record("event", event);
	}

	/** Records one line of a log. */
	log(log: LogOptions): void {
		this.#record("log", log);
	}

	/**
	 * Records an error: whatever was thrown, with its chain of causes and the members of an AggregateError, or the members spelled
	 * out. Errors of one type from the same calls are one issue. It never throws, and a context that the server would refuse is cut
	 * down rather than the report lost.
	 *
	 * @example
	 * try { await infer(); } catch (error) { client.monitoring.reportError(error, { context: { model } }); }
	 */
	reportError(error: unknown, extras: ErrorExtras = {}): void {
		const { user_id, trace_id, ...record }: ErrorOptions = {
			...(isErrorOptions(error) ? error : errorRecord(error)),
			...extras,
		};
		const context = errorContext(record.context, { user_id, trace_id });
		this.#record("error", context === undefined ? record : { ...record, context });
	}

	/**
	 * Measures a run of an operation: of a function, which may be asynchronous, or from here to the end of the block. A function that
	 * throws makes it a failed one, and what it threw goes on. Time on the processor is the whole process's, where there is one.
	 *
	 * @example
	 * const answer = await client.monitoring.profile("inference_pipeline", async (profile) => {
	 *   const tokens = profile.span("tokenize", () => tokenize(text));
	 *   return await profile.span("forward", () => model.run(tokens));
	 * });
	 * @example
	 * using profile = client.monitoring.profile("inference_pipeline");
	 */
	profile<T>(operation: string, fn: (profile: Profile) => T, extras?: ProfileExtras): T;
	profile(operation: string, extras?: ProfileExtras): Profile;
	profile<T>(
		operation: string,
		second: ((profile: Profile) => T) | ProfileExtras = {},
		extras: ProfileExtras = {},
	): T | Profile {
		const record = (profile: object) => this.#record("profile", profile);
		if (typeof second !== "function") return new Profile(operation, second, record);
		const profile = new Profile(operation, extras, record);
		return whenDone(
			() => second(profile),
			(failed) => {
				profile.success ??= !failed;
				profile.end();
			},
		);
	}

	#record(type: BatchRecord["type"], record: object): void {
		this.#add(toJson({ type, timestamp: Date.now(), ...record }));
	}
}

function isErrorOptions(value: unknown): value is ErrorOptions {
	try {
		return typeof value === "object" && value !== null && !(value instanceof Error) && "error_message" in value;
	} catch {
		return false;
	}
}

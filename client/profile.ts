/// <reference lib="esnext.disposable" preserve="true" />
// A run of an operation: the time and the processor it took, and which of its parts took them.
import type { ProfileRecord } from "../schema/wire/ingest.ts";
import { currentSpan } from "./span-context.ts";

/** The server refuses a profile with more of them. */
const MAX_SPANS = 2000;

export type ProfileSpanRecord = NonNullable<ProfileRecord["spans"]>[number];
/** What may be said of a profile beside what is measured. */
export type ProfileExtras = Pick<ProfileRecord, "component" | "user_id" | "trace_id">;

/** Where parts of an operation can be measured: the profile itself, or one of its spans. */
export interface Span {
	/**
	 * Measures a part of it, of a function that may be asynchronous; gives back what the function does, or throws what it throws.
	 * `profile.span` stands below the span whose function is running, `span.span` below that span. Node knows across awaits which
	 * one is running, browsers until the first await of an asynchronous function.
	 */
	span<T>(name: string, fn: (span: Span) => T): T;
}

/**
 * A profile that is under way. It is recorded when it ends: at the end of its block with `using`, or by `end`.
 *
 * `using` is not told of what was thrown; a span that threw makes the profile a failed one, unless `success` says otherwise.
 */
export class Profile implements Span, Disposable, AsyncDisposable {
	/** Whether the operation did what it should; undefined, whether all of its spans did. */
	success: boolean | undefined;
	readonly #operation: string;
	readonly #extras: ProfileExtras;
	readonly #record: (profile: ProfileRecord) => void;
	readonly #started = performance.now();
	readonly #cpu = cpuUsage();
	readonly #spans: ProfileSpanRecord[] = [];
	#spanFailed = false;
	#ended = false;

	/** @param record takes the profile when it ends */
	constructor(operation: string, extras: ProfileExtras, record: (profile: ProfileRecord) => void) {
		this.#operation = operation;
		this.#extras = extras;
		this.#record = record;
	}

	span<T>(name: string, fn: (span: Span) => T): T {
		const running = currentSpan.get();
		const parent = running?.profile === this ? running.name : this.#operation;
		return this.#measure(name, parent, fn);
	}

	/** Ends it; what comes later counts no more. */
	end(): void {
		if (this.#ended) return;
		this.#ended = true;
		const cpu = cpuUsage(this.#cpu);
		this.#record({
			...this.#extras,
			operation: this.#operation,
			wall_ns: this.#elapsedNs(),
			...(cpu && { cpu_ns: (cpu.user + cpu.system) * 1000 }),
			success: this.success ?? !this.#spanFailed,
			spans: this.#spans,
		});
	}

	[Symbol.dispose](): void {
		this.end();
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.end();
	}

	#measure<T>(name: string, parent: string, fn: (span: Span) => T): T {
		const start_ns = this.#elapsedNs();
		const span: Span = { span: (inner, work) => this.#measure(inner, name, work) };
		return whenDone(
			() => currentSpan.run({ profile: this, name }, () => fn(span)),
			(failed) => {
				if (failed) this.#spanFailed = true;
				if (this.#ended || this.#spans.length === MAX_SPANS) return;
				this.#spans.push({ name, parent, start_ns, end_ns: this.#elapsedNs() });
			},
		);
	}

	#elapsedNs(): number {
		return Math.round((performance.now() - this.#started) * 1e6);
	}
}

/** Runs `fn` and tells when it is done, in time for an asynchronous one's promise too. Gives back or throws what it does. */
export function whenDone<T>(fn: () => T, done: (failed: boolean) => void): T {
	let result: T;
	try {
		result = fn();
	} catch (error) {
		done(true);
		throw error;
	}
	if (!isPromise(result)) {
		done(false);
		return result;
	}
	return result.then(
		(value) => {
			done(false);
			return value;
		},
		(error: unknown) => {
			done(true);
			throw error;
		},
	) as T;
}

function isPromise(value: unknown): value is Promise<unknown> {
	return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

interface CpuUsage {
	/** Microseconds. */
	readonly user: number;
	readonly system: number;
}

/** Of the whole process: what runs beside the operation counts with it. Undefined in browsers, which do not tell. */
function cpuUsage(since?: CpuUsage): CpuUsage | undefined {
	const { process } = globalThis as { process?: { cpuUsage?(since?: CpuUsage): CpuUsage } };
	return process?.cpuUsage?.(since);
}

/** A reader of one log stream, and what it has seen. */
import type { LiveLog } from "../../../schema/live/frames.ts";
import { sseEvent } from "../sse.ts";

/** What messages are given to: a `Viewer`. */
export interface Sink {
	send(messages: readonly Buffer[]): void;
}

export interface LineMessage {
	readonly log: LiveLog;
	readonly bytes: Buffer;
}

export class Reader {
	readonly #sink: Sink;
	/** Lines that it was sent before it joined the others; they may come once more, out of ClickHouse. */
	#shown: ReadonlySet<string> | undefined;
	/** Whether a line that is found in ClickHouse later on is new to it. */
	#isNew: ((log: LiveLog) => boolean) | undefined;

	constructor(sink: Sink, shown: ReadonlySet<string>, isNew: (log: LiveLog) => boolean) {
		this.#sink = sink;
		this.#shown = shown;
		this.#isNew = isNew;
	}

	/**
	 * @param messages the same for all readers
	 * @param bytes of all of them
	 * @param found whether they were found in ClickHouse rather than heard of
	 */
	send(messages: readonly LineMessage[], bytes: readonly Buffer[], found: boolean): void {
		const [shown, isNew] = [this.#shown, found ? this.#isNew : undefined];
		if (shown === undefined && isNew === undefined) {
			this.#sink.send(bytes);
			return;
		}
		const wanted = bytes.filter((_, i) => {
			const { log } = messages[i]!;
			return !shown?.has(log.id) && (isNew === undefined || isNew(log));
		});
		if (wanted.length > 0) this.#sink.send(wanted);
	}

	tell(message: Buffer): void {
		this.#sink.send([message]);
	}

	/** It is with the others for so long now that nothing from before can come any more. */
	settle(): void {
		this.#shown = undefined;
		this.#isNew = undefined;
	}
}

/** The event `log`. @param place where a reader is who has it */
export function lineMessage(log: LiveLog, place?: string): Buffer {
	const text = (value: string) => (value === "" ? "null" : JSON.stringify(value));
	// The context is JSON already.
	const body = `{"timestamp":"${new Date(log.ts).toISOString()}","level":${JSON.stringify(log.level)},"component":${text(log.component)},"message":${JSON.stringify(log.message)},"context":${log.context || "{}"},"trace_id":${text(log.trace_id)},"span_id":${text(log.span_id)},"log_id":"${log.id}"}`;
	return sseEvent("log", body, place);
}

/** The event `gap`. */
export function gapMessage(skipped: number | null, reason: string, place?: string): Buffer {
	return sseEvent("gap", JSON.stringify({ skipped, reason }), place);
}

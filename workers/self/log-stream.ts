import { logRecord } from "./log-record.ts";
import type { Outbox } from "./outbox.ts";

/** What pino writes to: each line goes where it went before, and into the outbox as a log record. */
export function ownLogStream(destination: { write(line: string): unknown }, outbox: Outbox) {
	return {
		write(line: string): void {
			destination.write(line);
			const record = logRecord(line);
			if (record) outbox.push("log", record, 2 * line.length);
		},
	};
}

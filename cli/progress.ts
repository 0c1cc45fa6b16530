// How far an import is: a bar on a terminal, nothing in a pipe.
import { SingleBar } from "cli-progress";

export interface Progress {
	/** @param totalBytes undefined when it cannot be known */
	start(totalBytes: number | undefined): void;
	update(bytes: number, counts: { accepted: number; rejected: number }): void;
	/** A line for the user. */
	note(text: string): void;
	stop(): void;
}

/** A bar on `stream` when that is a terminal, else only the notes. */
export function createProgress(stream: NodeJS.WriteStream): Progress {
	return stream.isTTY ? terminalProgress(stream) : quietProgress(stream);
}

function terminalProgress(stream: NodeJS.WriteStream): Progress {
	let bar: SingleBar | undefined;
	return {
		start(totalBytes) {
			const counts = "{accepted} accepted, {rejected} rejected";
			const format =
				totalBytes === undefined
					? `{megabytes} MB | ${counts}`
					: `{bar} {percentage}% | ${counts} | {eta_formatted} left`;
			bar = new SingleBar({ stream, format, hideCursor: true, clearOnComplete: false, barsize: 30 });
			bar.start(totalBytes ?? 1, 0, { accepted: 0, rejected: 0, megabytes: "0.0" });
		},
		update(bytes, { accepted, rejected }) {
			bar?.update(bytes, { accepted, rejected, megabytes: (bytes / 1e6).toFixed(1) });
		},
		note: (text) => stream.write(`\n${text}\n`),
		stop: () => bar?.stop(),
	};
}

function quietProgress(stream: NodeJS.WriteStream): Progress {
	return { start() {}, update() {}, note: (text) => stream.write(`${text}\n`), stop() {} };
}

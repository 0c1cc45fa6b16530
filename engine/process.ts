/** Entry of the engine's child process: takes its settings from the parent by IPC, opens the data folder, serves. */
import type { FromChild, ToChild } from "./messages.ts";
import { type RunningEngine, runEngine } from "./serve.ts";

const send = (message: FromChild): void => {
	process.send?.(message);
};

let engine: RunningEngine | undefined;

// The parent is gone, however it went: an engine nobody supervises would keep the data folder locked.
process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
// A terminal's Ctrl-C reaches the whole group; the parent decides when the engine goes, after it has drained.
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => undefined);

process.on("message", (message: ToChild) => {
	if (message.type === "start") {
		runEngine(message.settings).then(
			(running) => {
				engine = running;
				send({ type: "listening", port: running.port, version: running.version });
			},
			(error: NodeJS.ErrnoException) => {
				send({ type: "failed", code: error.code, message: error.message });
			},
		);
	} else if (message.type === "stop") {
		const stopped = engine?.stop() ?? Promise.resolve();
		// Exit hooks of the library would wait for a query that does not end.
		stopped.then(
			() => process.exit(0),
			() => process.kill(process.pid, "SIGKILL"),
		);
	}
});

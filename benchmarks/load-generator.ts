/** The orchestrator's side of the load generator's process. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Answer, Command, PrepareCommand, Prepared, SendCommand, Sent } from "./generator.ts";
import { tracked } from "./processes.ts";

export class LoadGenerator {
	readonly #child: ChildProcess;

	constructor() {
		const entry = fileURLToPath(new URL("generator.js", import.meta.url));
		this.#child = tracked(fork(entry, { stdio: ["ignore", "inherit", "inherit", "ipc"] }));
	}

	prepare(command: Omit<PrepareCommand, "type">): Promise<Prepared> {
		return this.#ask({ type: "prepare", ...command }) as Promise<Prepared>;
	}

	send(command: Omit<SendCommand, "type">): Promise<Sent> {
		return this.#ask({ type: "send", ...command }) as Promise<Sent>;
	}

	stop(): void {
		this.#child.kill();
	}

	#ask(command: Command): Promise<Answer> {
		return new Promise((resolve, reject) => {
			const child = this.#child;
			const ended = (code: number | null) => reject(new Error(`the load generator ended (${code})`));
			child.once("exit", ended);
			child.once("message", (answer: Answer) => {
				child.off("exit", ended);
				if (answer.type === "failed") reject(new Error(answer.message));
				else resolve(answer);
			});
			child.send(command);
		});
	}
}

/**
 * The load generator, a process of its own so that its CPU is not counted as anybody else's. It renders all bodies when told
 * to, then sends them over a few keep-alive connections as fast as they are answered, once for each `send`.
 */
import { Agent, request } from "node:http";
import { type Protocol, renderBodies } from "./bodies.ts";
import { monotonicMs } from "./processes.ts";
import type { Dataset } from "./workload.ts";

export interface PrepareCommand {
	readonly type: "prepare";
	readonly dataset: Dataset;
	readonly protocol: Protocol;
	readonly rowsPerRequest: number;
}
export interface SendCommand {
	readonly type: "send";
	readonly url: string;
	readonly headers: Readonly<Record<string, string>>;
	readonly connections: number;
	/** No request is started after so long. */
	readonly most_ms: number;
}
export type Command = PrepareCommand | SendCommand;

export interface Prepared {
	readonly type: "prepared";
	readonly requests: number;
	readonly bytes: number;
}
export interface Sent {
	readonly type: "sent";
	/** Rows of the requests that were acknowledged; always the first ones of the dataset. */
	readonly rows: number;
	readonly requests: number;
	/** From the first request to the last answer. */
	readonly elapsed_ms: number;
	/** Of the monotonic clock that all processes of a machine share, milliseconds. */
	readonly started_at: number;
	readonly ack_p50_ms: number;
	readonly ack_p99_ms: number;
	/** Of this process while it sent. */
	readonly cpu_ms: number;
}
export interface Failed {
	readonly type: "failed";
	readonly message: string;
}
export type Answer = Prepared | Sent | Failed;

let bodies: Buffer[] = [];
let rows = 0;
let rowsPerRequest = 1;

process.on("message", (command: Command) => {
	run(command).then(
		(answer) => process.send?.(answer),
		(error: Error) => process.send?.({ type: "failed", message: error.message } satisfies Failed),
	);
});

async function run(command: Command): Promise<Answer> {
	if (command.type === "send") return await sendAll(command);
	({ rowsPerRequest } = command);
	({ rows } = command.dataset);
	bodies = renderBodies(command.dataset, command.protocol, rowsPerRequest);
	return { type: "prepared", requests: bodies.length, bytes: bodies.reduce((sum, body) => sum + body.length, 0) };
}

async function sendAll({ url, headers, connections, most_ms }: SendCommand): Promise<Sent> {
	const agent = new Agent({ keepAlive: true, maxSockets: connections });
	const latencies: number[] = [];
	const cpu = process.cpuUsage();
	const started_at = monotonicMs();
	let next = 0;
	const connection = async () => {
		while (next < bodies.length && monotonicMs() - started_at < most_ms) {
			const body = bodies[next++]!;
			const sent = performance.now();
			await post(agent, url, headers, body);
			latencies.push(performance.now() - sent);
		}
	};
	try {
		await Promise.all(Array.from({ length: connections }, connection));
	} finally {
		agent.destroy();
	}
	const elapsed_ms = monotonicMs() - started_at;
	const used = process.cpuUsage(cpu);
	latencies.sort((a, b) => a - b);
	return {
		type: "sent",
		rows: Math.min(rows, next * rowsPerRequest),
		requests: next,
		...{ elapsed_ms, started_at },
		ack_p50_ms: latencies[Math.floor(latencies.length * 0.5)] ?? 0,
		ack_p99_ms: latencies[Math.floor(latencies.length * 0.99)] ?? 0,
		cpu_ms: (used.user + used.system) / 1_000,
	};
}

/** @throws Error when the answer is not 2xx: a load that is refused in part measures nothing */
function post(agent: Agent, url: string, headers: Readonly<Record<string, string>>, body: Buffer): Promise<void> {
	return new Promise((resolve, reject) => {
		const options = { agent, method: "POST", headers: { ...headers, "content-length": body.length } };
		const sent = request(url, options, (response) => {
			let text = "";
			response.setEncoding("utf8");
			response.on("data", (chunk: string) => {
				text += chunk;
			});
			response.on("error", reject);
			response.on("end", () => {
				const { statusCode = 0 } = response;
				if (statusCode >= 200 && statusCode < 300 && !text.includes('"reason"')) resolve();
				else reject(new Error(`${url} answered ${statusCode}: ${text.slice(0, 300)}`));
			});
		});
		sent.on("error", reject);
		sent.end(body);
	});
}

/** A process for one drawing: it may be killed, and nothing else suffers when it hangs, grows or dies. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { packageRoot } from "../../../schema/paths.ts";
import type { ReportDocument } from "../../../schema/report-document.ts";

/** What the child is told on its standard input; it answers with the file on its standard output. */
export interface Task {
	readonly format: "html" | "pdf";
	readonly report: ReportDocument;
}

export interface SandboxOptions {
	readonly signal?: AbortSignal;
	/** Of wall time. */
	readonly timeoutMs?: number;
	/** Of the child's JavaScript heap. */
	readonly memoryMb?: number;
	/** Of the file. */
	readonly outputBytes?: number;
}

const TIMEOUT_MS = 60_000;
const MEMORY_MB = 512;
const OUTPUT_BYTES = 64 * 1024 * 1024;
const MOST_COMPLAINT = 4000;

/** Why there is no file: `failed` is a bug or a broken installation, the others are limits. */
export class RenderError extends Error {
	override readonly name = "RenderError";
	readonly reason: "timeout" | "memory" | "output" | "aborted" | "failed";

	constructor(reason: RenderError["reason"], message: string, cause?: unknown) {
		super(message, { cause });
		this.reason = reason;
	}
}

export async function renderInChild(task: Task, options: SandboxOptions): Promise<Buffer> {
	const { signal, timeoutMs = TIMEOUT_MS, memoryMb = MEMORY_MB, outputBytes = OUTPUT_BYTES } = options;
	if (signal?.aborted) throw new RenderError("aborted", "rendering was cancelled", signal.reason);
	// No environment: what is drawn comes from anywhere, and the secrets of the server are of no use to it.
	const child = spawn(
		process.execPath,
		[...flags(memoryMb), join(packageRoot(), "dist/workers/reports/render/process.js")],
		{
			stdio: ["pipe", "pipe", "pipe"],
			env: { TZ: "UTC" },
		},
	);
	return await new Promise<Buffer>((resolve, reject) => {
		const chunks: Buffer[] = [];
		let size = 0;
		let complaint = "";
		const end = (error: RenderError) => {
			child.kill("SIGKILL");
			reject(error);
		};
		const cancel = () => end(new RenderError("aborted", "rendering was cancelled", signal?.reason));
		const timer = setTimeout(() => end(new RenderError("timeout", `rendering took over ${timeoutMs} ms`)), timeoutMs);
		signal?.addEventListener("abort", cancel, { once: true });
		child.once("error", (error) => end(new RenderError("failed", "the process that renders did not start", error)));
		child.stdout.on("data", (chunk: Buffer) => {
			size += chunk.length;
			if (size > outputBytes) end(new RenderError("output", `the file is over ${outputBytes} bytes`));
			else chunks.push(chunk);
		});
		child.stderr.on("data", (chunk: Buffer) => {
			complaint = (complaint + chunk.toString()).slice(-MOST_COMPLAINT);
		});
		// A child that died does not read; its end tells why.
		child.stdin.on("error", () => undefined);
		child.once("close", (code, killedBy) => {
			clearTimeout(timer);
			signal?.removeEventListener("abort", cancel);
			if (code === 0) resolve(Buffer.concat(chunks));
			else if (/heap out of memory|Allocation failed/.test(complaint)) {
				reject(new RenderError("memory", `rendering took over ${memoryMb} MB`));
			} else reject(new RenderError("failed", `rendering failed (${killedBy ?? code}): ${complaint.trim()}`));
		});
		child.stdin.end(JSON.stringify(task));
	});
}

/** Node's permissions: it may read (its code, its fonts), but not write, start processes or load native code. */
function flags(memoryMb: number): string[] {
	const known = process.allowedNodeEnvironmentFlags.has("--permission");
	return [
		`--max-old-space-size=${memoryMb}`,
		known ? "--permission" : "--experimental-permission",
		"--allow-fs-read=*",
		"--no-warnings",
	];
}

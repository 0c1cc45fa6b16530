/** What a process used, from /proc: Linux only, like the rest of the benchmark. */
import { type ChildProcess, execFileSync } from "node:child_process";
import { accessSync, constants, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";

const TICKS_PER_SECOND = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

/** CPU time of all threads of a process since its start, user and system, milliseconds (in steps of 10). */
export function cpuMs(pid: number): number {
	const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
	// The name in parentheses may hold spaces; utime and stime are the 12th and 13th field behind it.
	const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
	return ((Number(fields[11]) + Number(fields[12])) * 1_000) / TICKS_PER_SECOND;
}

/** CPU time that the whole machine spent busy since its start, milliseconds. */
export function machineBusyMs(): number {
	// cpu user nice system idle iowait irq softirq steal: all but idle and iowait; guest times are part of user.
	const [user, nice, system, , , irq, softirq, steal] = readFileSync("/proc/stat", "utf8")
		.split(/\s+/)
		.slice(1, 9)
		.map(Number);
	return ((user! + nice! + system! + irq! + softirq! + steal!) * 1_000) / TICKS_PER_SECOND;
}

/** Largest resident memory of a process since its start or the last {@link resetPeak}, bytes. */
export function peakBytes(pid: number): number {
	const status = readFileSync(`/proc/${pid}/status`, "utf8");
	return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)![1]) * 1_024;
}

export function resetPeak(pid: number): void {
	writeFileSync(`/proc/${pid}/clear_refs`, "5");
}

/** The clock that all processes of the machine share, milliseconds. */
export function monotonicMs(): number {
	return Number(process.hrtime.bigint()) / 1e6;
}

/** Bytes of all files below a folder whose path passes the test. */
export function folderBytes(folder: string, counts: (path: string) => boolean = () => true): number {
	let bytes = 0;
	for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
		const path = join(entry.parentPath, entry.name);
		if (entry.isFile() && counts(path)) bytes += statSync(path).size;
	}
	return bytes;
}

const running = new Set<ChildProcess>();

/** Remembers a child until it ends, so that {@link endChildren} can end it. */
export function tracked<C extends ChildProcess>(child: C): C {
	running.add(child);
	child.once("exit", () => running.delete(child));
	return child;
}

/** Asks all children to end, each of which ends its own; kills those that have not within `most_ms`. */
export async function endChildren(most_ms: number): Promise<void> {
	for (const child of running) child.kill("SIGTERM");
	await until("the end of the children", most_ms, 50, () => running.size === 0).catch(() => undefined);
	for (const child of running) child.kill("SIGKILL");
}

/** @returns a loopback port that was free a moment ago */
export function freePort(): Promise<number> {
	return new Promise((resolve, reject) => {
		const server = createServer();
		server.once("error", reject);
		server.listen(0, "127.0.0.1", () => {
			const { port } = server.address() as { port: number };
			server.close(() => resolve(port));
		});
	});
}

export function findOnPath(command: string): string | undefined {
	return (process.env.PATH ?? "")
		.split(delimiter)
		.map((folder) => join(folder, command))
		.find((path) => {
			try {
				accessSync(path, constants.X_OK);
				return true;
			} catch {
				return false;
			}
		});
}

/** Polls a condition. @throws Error naming it when it does not hold by the deadline */
export async function until(what: string, most_ms: number, every_ms: number, holds: () => boolean | Promise<boolean>) {
	const deadline = performance.now() + most_ms;
	while (!(await holds())) {
		if (performance.now() > deadline) throw new Error(`${what}: not within ${most_ms / 1_000} s`);
		await new Promise((resolve) => setTimeout(resolve, every_ms));
	}
}

// A redis-server that outlived its Tidemark: two servers on one append-only file would spoil it, so it is ended first.
import { execFileSync } from "node:child_process";
import { readFile, readlink } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";

const DEADLINE_MS = 10_000;

/** A running process uses the folder. */
export class RedisInUseError extends Error {
	override name = "RedisInUseError";
}

interface Owner {
	redis_pid: number;
	owner_pid: number;
}

interface ProcessInfo {
	command: string;
	parentPid: number;
	/** Where the system tells. */
	cwd: string | undefined;
}

/**
 * Ends the server that `ownerFile` names, if it still runs and works in `dir`; a process that merely got its number
 * is let be.
 *
 * @throws RedisInUseError when its owner lives
 */
export async function endOrphan(ownerFile: string, dir: string, logger: Logger): Promise<void> {
	const owner = await readOwner(ownerFile);
	if (!owner) return;
	const info = await processInfo(owner.redis_pid);
	switch (judge(owner, info, dir)) {
		case "gone":
			return;
		case "owned":
			throw new RedisInUseError(`another Tidemark (process ${owner.owner_pid}) runs Redis in ${dir}`);
		case "orphan":
			logger.warn({ pid: owner.redis_pid }, "ending the redis-server of a Tidemark that was killed");
			await endProcess(owner.redis_pid, dir, owner);
	}
}

/**
 * A child whose parent died is handed to another parent, so the parent it has now tells whether its owner lives; asking
 * whether `owner_pid` runs would not, since in a container every start has the same numbers.
 */
export function judge(owner: Owner, info: ProcessInfo | undefined, dir: string): "gone" | "owned" | "orphan" {
	if (!info || !/redis-server|valkey-server/.test(info.command)) return "gone";
	if (info.cwd !== undefined && info.cwd !== dir) return "gone";
	return info.parentPid === owner.owner_pid ? "owned" : "orphan";
}

async function endProcess(pid: number, dir: string, owner: Owner): Promise<void> {
	const started = performance.now();
	signal(pid, "SIGTERM");
	for (let killed = false; judge(owner, await processInfo(pid), dir) !== "gone"; await sleep(20)) {
		const waited = performance.now() - started;
		if (waited > DEADLINE_MS) throw new RedisInUseError(`redis-server (process ${pid}) in ${dir} does not end`);
		if (waited > DEADLINE_MS / 2 && !killed) {
			signal(pid, "SIGKILL");
			killed = true;
		}
	}
}

function signal(pid: number, name: NodeJS.Signals): void {
	try {
		process.kill(pid, name);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
	}
}

async function readOwner(path: string): Promise<Owner | undefined> {
	try {
		const { redis_pid, owner_pid } = JSON.parse(await readFile(path, "utf8"));
		return Number.isInteger(redis_pid) && Number.isInteger(owner_pid) ? { redis_pid, owner_pid } : undefined;
	} catch (error) {
		// Half-written by a process that was killed: no more trustworthy than none.
		if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
		throw error;
	}
}

async function processInfo(pid: number): Promise<ProcessInfo | undefined> {
	try {
		return process.platform === "linux" ? await fromProc(pid) : fromPs(pid);
	} catch {
		// Gone, or another user's and so not ours.
		return undefined;
	}
}

async function fromProc(pid: number): Promise<ProcessInfo | undefined> {
	const stat = await readFile(`/proc/${pid}/stat`, "utf8");
	// The name in parentheses may itself hold spaces and parentheses.
	const [state, parentPid] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
	if (state === "Z") return undefined;
	const command = (await readFile(`/proc/${pid}/cmdline`, "utf8")).replaceAll("\0", " ");
	return { command, parentPid: Number(parentPid), cwd: await readlink(`/proc/${pid}/cwd`) };
}

function fromPs(pid: number): ProcessInfo | undefined {
	const line = execFileSync("ps", ["-o", "ppid=,args=", "-p", String(pid)], { encoding: "utf8" });
	const match = /^\s*(\d+)\s+(.*)/.exec(line);
	return match ? { parentPid: Number(match[1]), command: match[2]!, cwd: undefined } : undefined;
}

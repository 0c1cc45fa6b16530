import { constants, openSync, read, writeSync } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { createPipes } from "./pipe.ts";
import { ParkedThreads } from "./threads.ts";

/** Of this process: Node's own number. */
const THREADS = 4;

test("there is a thread for each running query and a spare one, and none more awake than twice that", async () => {
	const folder = await mkdtemp(join(tmpdir(), "threads-"));
	const [parking, busy] = [join(folder, "parking"), join(folder, "busy")];
	createPipes([parking, busy]);
	const fd = openSync(busy, constants.O_RDWR);
	const occupy = () => new Promise<void>((done) => read(fd, Buffer.alloc(1), 0, 1, null, () => done()));
	/** Whether a thread is left for a file. */
	const free = (within_ms = 20_000) =>
		Promise.race([stat(folder).then(() => true), sleep(within_ms, false, { ref: false })]);
	const parked = new ParkedThreads(parking, THREADS, 1);
	const queries: Promise<void>[] = [];
	try {
		for (let running = 1; running < THREADS; running++) {
			parked.fit(running);
			queries.push(occupy());
			expect(await free()).toBe(true);
		}
		writeSync(fd, Buffer.alloc(queries.length));
		await Promise.all(queries.splice(0));
		// Two are awake again: two busy ones leave none.
		parked.fit(0);
		queries.push(occupy(), occupy());
		expect(await free(200)).toBe(false);
		parked.fit(2);
		expect(await free()).toBe(true);
	} finally {
		parked.wakeAll();
		writeSync(fd, Buffer.alloc(queries.length));
		await Promise.all(queries);
		await rm(folder, { recursive: true });
	}
});

import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { LocalBus } from "../../../schema/live/bus.ts";
import { LIVE_VERSION, type LiveLog, projectChannel } from "../../../schema/live/frames.ts";
import { until } from "../../../tests/server.ts";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../../tests/support/database.ts";
import { randomFrom } from "../../../tests/support/random.ts";
import { insertLogs } from "../../../tests/support/records.ts";
import { parse } from "../../logs/parser.ts";
import { Queries } from "../../run.ts";
import { LiveFeed } from "../feed.ts";
import { LogHub } from "./hub.ts";
import { LINES_PER_SECOND } from "./project-logs.ts";

let database: TestDatabase;
const ends: (() => void)[] = [];
beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
});
afterEach(() => {
	for (const end of ends.splice(0)) end();
});
afterAll(() => database?.stop());

interface Got {
	readonly event: string;
	readonly id: string | undefined;
	// biome-ignore lint/suspicious/noExplicitAny: whatever the message holds
	readonly body: any;
}

/** A reader that keeps what it is sent. */
class Screen {
	readonly got: Got[] = [];
	send(messages: readonly Buffer[]): void {
		for (const message of messages) {
			const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(message.toString())?.[1];
			const data = field("data");
			this.got.push({
				event: field("event") ?? "",
				id: field("id"),
				body: data === undefined ? undefined : JSON.parse(data),
			});
		}
	}
	get lines(): string[] {
		return this.got.filter(({ event }) => event === "log").map(({ body }) => body.message);
	}
	get gaps(): (number | null)[] {
		return this.got.filter(({ event }) => event === "gap").map(({ body }) => body.skipped);
	}
	get lastEventId(): string | undefined {
		return this.got.findLast(({ id }) => id !== undefined)?.id;
	}
}

/** An ingest process that can be told what to tell and what to store. */
class Source {
	readonly #project: string;
	readonly #bus: LocalBus;
	readonly #name: string;
	#sequence: number;
	#seq = 0;

	constructor(project: string, bus: LocalBus, name = "a", sequence = 1_000) {
		this.#project = project;
		this.#bus = bus;
		this.#name = name;
		this.#sequence = sequence;
	}

	line(message: string, more: Partial<LiveLog> = {}): LiveLog {
		const id = String((BigInt(Math.floor(Date.now() / 1_000)) << 32n) + BigInt(++this.#sequence));
		return {
			ts: Date.now(),
			id,
			level: "info",
			component: "",
			message,
			context: "",
			trace_id: "",
			span_id: "",
			...more,
		};
	}

	/** Tells of lines, unless the frame is `lost` on the way, or had no room for them. */
	tell(logs: readonly LiveLog[], { lost = false, leftOut = 0 } = {}): void {
		const frame = {
			type: "frame",
			v: LIVE_VERSION,
			project: this.#project,
			source: this.#name,
			seq: ++this.#seq,
		} as const;
		if (lost) return;
		this.#bus.publish(projectChannel(this.#project), {
			...frame,
			parts: [],
			logs,
			left_out: { metrics: 0, logs: leftOut },
		});
	}

	async store(logs: readonly LiveLog[]): Promise<void> {
		await insertLogs(
			database.client,
			this.#project,
			logs.map(({ context, ...log }) => ({ ...log, context: context === "" ? {} : JSON.parse(context) })),
		);
	}
}

function hubOn(bus: LocalBus, client = database.client): LogHub {
	const feed = new LiveFeed(bus, "q");
	const hub = new LogHub({ feed, queries: new Queries({ client }), now: Date.now });
	ends.push(() => {
		hub.close();
		feed.close();
	});
	return hub;
}

interface Watching extends Partial<{ query: string; snapshot: number; lastEventId: string | undefined }> {}

async function watch(hub: LogHub, project: string, { query = "", snapshot = 20, lastEventId }: Watching = {}) {
	const screen = new Screen();
	const leave = new AbortController();
	ends.push(() => leave.abort());
	await hub.stream(screen, { project, filter: parse(query), snapshot, lastEventId }, leave.signal);
	return Object.assign(screen, { leave: () => leave.abort() });
}

test("the latest lines come first, in order, then new ones, filtered by the query", async () => {
	const bus = new LocalBus();
	const source = new Source("snapshot", bus);
	const old = ["a", "b", "c", "d"].map((name, i) =>
		source.line(`old ${name}`, { ts: Date.now() - 60_000 + i, level: "error" }),
	);
	await source.store([...old, source.line("quiet", { ts: Date.now() - 50_000 })]);
	const hub = hubOn(bus);
	const screen = await watch(hub, "snapshot", { query: "level:error", snapshot: 3 });
	expect(screen.got.map(({ event }) => event)).toEqual(["log", "log", "log", "live"]);
	expect(screen.got.at(-1)!.body).toEqual({ snapshot: 3 });
	source.tell([source.line("new", { level: "error", component: "api", context: '{"n":1}' }), source.line("info")]);
	expect(screen.lines).toEqual(["old b", "old c", "old d", "new"]);
	expect(screen.got.at(-1)!.body).toMatchObject({
		level: "error",
		component: "api",
		context: { n: 1 },
		trace_id: null,
	});
});

test("a line that is told while the latest ones are looked up, and is among them, is sent once", async () => {
	const bus = new LocalBus();
	const source = new Source("both", bus);
	const both = source.line("both");
	await source.store([both]);
	const hub = hubOn(bus);
	const watching = watch(hub, "both");
	const only = source.line("only told");
	source.tell([both, only]);
	const screen = await watching;
	source.tell([source.line("after")]);
	expect(screen.lines).toEqual(["both", "only told", "after"]);
});

test("lines that were accepted just before, or lost on the way, or had no room, come from ClickHouse, each once", async () => {
	const bus = new LocalBus();
	const source = new Source("missed", bus);
	const hub = hubOn(bus);
	const before = source.line("accepted before anybody watched");
	const screen = await watch(hub, "missed", { query: "NOT skipme" });
	const [told, lost, crowded, last] = ["told", "lost", "no room", "last"].map((text) => source.line(text));
	source.tell([told!]);
	source.tell([lost!], { lost: true });
	source.tell([last!], { leftOut: 1 });
	await source.store([before, told!, lost!, source.line("skipme"), crowded!, last!]);
	await until(() => screen.lines.length === 5);
	expect(screen.lines.slice(0, 2)).toEqual(["told", "last"]);
	expect(new Set(screen.lines)).toEqual(
		new Set(["accepted before anybody watched", "told", "lost", "no room", "last"]),
	);
	await sleep(1_500);
	expect(screen.lines).toHaveLength(5);
	expect(screen.gaps).toEqual([]);
});

test("a query finds its lines among more than can be told or fetched", async () => {
	const bus = new LocalBus();
	const source = new Source("crowd", bus);
	const screen = await watch(hubOn(bus), "crowd", { query: "needle", snapshot: 0 });
	source.tell([source.line("needle told")]);
	const crowd = Array.from({ length: 8_000 }, (_, n) => source.line(n % 4_000 === 0 ? `needle ${n}` : `hay ${n}`));
	source.tell([], { leftOut: crowd.length });
	await source.store(crowd);
	await until(() => screen.lines.length === 3);
	expect(screen.lines).toEqual(["needle told", "needle 0", "needle 4000"]);
	expect(screen.gaps).toEqual([]);
});

test("who asks for no snapshot is sent nothing from before", async () => {
	const bus = new LocalBus();
	const source = new Source("none", bus);
	const old = source.line("old", { id: String((BigInt(Math.floor(Date.now() / 1_000) - 5) << 32n) + 7n) });
	await source.store([old]);
	const hub = hubOn(bus);
	const screen = await watch(hub, "none", { snapshot: 0 });
	const fresh = source.line("found later");
	await source.store([fresh]);
	await until(() => screen.lines.length > 0);
	expect(screen.lines).toEqual(["found later"]);
});

test("who comes back to the same server is sent what it missed, and nothing twice", async () => {
	const bus = new LocalBus();
	const source = new Source("back", bus);
	const hub = hubOn(bus);
	const first = await watch(hub, "back");
	source.tell(["a", "b"].map((text) => source.line(text)));
	first.leave();
	source.tell(["c", "skipme", "d"].map((text) => source.line(text)));
	expect(first.lines).toEqual(["a", "b"]);
	const again = await watch(hub, "back", { query: "NOT skipme", lastEventId: first.lastEventId });
	source.tell([source.line("e")]);
	expect(again.lines).toEqual(["c", "d", "e"]);
	expect(again.gaps).toEqual([]);
});

test("who comes back after a restart of the server goes on from ClickHouse, without a gap or a repetition", async () => {
	const bus = new LocalBus();
	const source = new Source("restart", bus);
	const hub = hubOn(bus);
	const screen = await watch(hub, "restart", { snapshot: 0 });
	const told = ["a", "b"].map((text) => source.line(text));
	source.tell(told);
	const place = () => screen.lastEventId;
	// The look for what was missed at the beginning is over: from then on a place says exactly which line was the last.
	await until(() => {
		source.tell([]);
		return place();
	});
	const afterA = screen.got.find(({ body }) => body?.message === "a")!.id;
	hub.close();
	const meanwhile = ["c", "d"].map((text) => source.line(text));
	await source.store([...told, ...meanwhile]);
	const next = hubOn(bus);
	const again = await watch(next, "restart", { lastEventId: `-0-${told[0]!.id}` });
	source.tell([source.line("e")]);
	expect(again.lines).toEqual(["b", "c", "d", "e"]);
	expect(again.gaps).toEqual([]);
	// Within the first seconds a place lies further back: a line may come twice, none is missed.
	const early = await watch(next, "restart", { lastEventId: afterA });
	expect(early.lines.slice(-4)).toEqual(["b", "c", "d", "e"]);
});

test("a place that nobody gave is as none", async () => {
	const bus = new LocalBus();
	const source = new Source("nonsense", bus);
	await source.store([source.line("old", { ts: Date.now() - 60_000 })]);
	const screen = await watch(hubOn(bus), "nonsense", { lastEventId: "0-18446744073709551616-x" });
	expect(screen.lines).toEqual(["old"]);
});

test("beyond the bound of a stream, lines are left out and counted", async () => {
	const bus = new LocalBus();
	const source = new Source("flood", bus);
	const hub = hubOn(bus);
	const all = await watch(hub, "flood", { snapshot: 0 });
	const few = await watch(hub, "flood", { snapshot: 0, query: '"line 7"' });
	source.tell(Array.from({ length: LINES_PER_SECOND + 50 }, (_, n) => source.line(`line ${n}`)));
	await until(() => all.gaps.length > 0);
	expect(all.gaps).toEqual([50]);
	expect(all.lines).toHaveLength(LINES_PER_SECOND);
	expect(few.gaps).toEqual([]);
	expect(few.lines).toContain("line 7");
});

test("without ClickHouse new lines come, and it is said that the old ones do not", async () => {
	const bus = new LocalBus();
	const source = new Source("away", bus);
	const away = { query: () => Promise.reject(Object.assign(new Error("away"), { code: "ECONNREFUSED" })) };
	const screen = await watch(hubOn(bus, away as unknown as typeof database.client), "away");
	source.tell([source.line("new")]);
	expect(screen.got.map(({ event }) => event)).toEqual(["gap", "live", "log"]);
	expect(screen.gaps).toEqual([null]);
});

test("projects do not see each other", async () => {
	const bus = new LocalBus();
	const [one, other] = [new Source("one", bus), new Source("other", bus, "b", 9_000)];
	const hub = hubOn(bus);
	const screen = await watch(hub, "one");
	const [mine, theirs] = [one.line("mine"), other.line("theirs")];
	await other.store([theirs]);
	await one.store([mine]);
	other.tell([theirs]);
	one.tell([mine]);
	await sleep(3_500);
	expect(screen.lines).toEqual(["mine"]);
});

test("lines of two processes, told, lost and stored in any order, reach every reader exactly once, whenever it came or came back", async () => {
	const random = randomFrom(17);
	const bus = new LocalBus();
	const sources = [new Source("mixed", bus, "a", 1_000), new Source("mixed", bus, "b", 3_000_000_000)];
	const hub = hubOn(bus);
	const readers = [await watch(hub, "mixed", { snapshot: 0 })];
	const seenBy = new Map(readers.map((reader) => [reader, new Set<string>()]));
	const expected = new Map<object, string[]>([[readers[0]!, []]]);
	const storing: Promise<void>[] = [];
	let comeback: Awaited<ReturnType<typeof watch>> | undefined;
	for (let round = 0; round < 60; round++) {
		const source = sources[random() < 0.5 ? 0 : 1]!;
		const lines = Array.from({ length: 1 + Math.floor(random() * 3) }, (_, i) => source.line(`r${round}.${i}`));
		for (const list of expected.values()) list.push(...lines.map(({ message }) => message));
		source.tell(lines, { lost: round < 55 && random() < 0.2 });
		const delay = random() * 700;
		storing.push(sleep(delay).then(() => source.store(lines)));
		await sleep(20);
		if (round === 20) {
			const [first] = readers;
			first!.leave();
			comeback = first;
		}
		if (round === 25) {
			const again = await watch(hub, "mixed", { lastEventId: comeback!.lastEventId });
			seenBy.set(again, new Set());
			expected.set(again, expected.get(comeback!)!);
			expected.delete(comeback!);
			again.got.unshift(...comeback!.got);
		}
	}
	for (const source of sources) source.tell([]);
	await Promise.all(storing);
	for (const [reader, lines] of expected) {
		const screen = reader as Screen;
		await until(() => new Set(screen.lines).size === new Set(lines).size, { what: "all lines" });
		await sleep(1_000);
		expect([...screen.lines].sort()).toEqual([...lines].sort());
		expect(screen.gaps).toEqual([]);
	}
});

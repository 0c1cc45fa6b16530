/** The state machine: every state with every verdict, and what holds however long it runs. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ALERT_STATES, type AlertState, NO_DATA_POLICIES, type NoDataPolicy } from "../../../schema/wire/index.ts";
import { close, type Notice, type Standing, step, type Timing, unseen, type Verdict } from "./machine.ts";

const MINUTE = 60_000;
const VERDICTS: readonly Verdict[] = ["breach", "hold", "clear", "unknown", "failed"];
const timing = (over: Partial<Timing> = {}): Timing => ({
	...{ for_ms: 0, keep_firing_for_ms: 0, no_data: "keep_last", ...over },
});
const seen = (verdict: Verdict, value = verdict === "breach" ? 9 : 1) => ({ verdict, value, threshold: 5 });

/** An instance in a state since minute 0, as the machine itself leaves it there. `no_data!` is one that alerts. */
const STANDING: Readonly<Record<AlertState | "no_data!", Standing>> = {
	ok: { ...unseen(0), state: "ok", value: 1, threshold: 5 },
	pending: { ...unseen(0), state: "pending", breach_since: 0, value: 9, threshold: 5 },
	firing: { ...unseen(0), state: "firing", breach_since: 0, fired_at: 0, value: 9, threshold: 5 },
	recovering: { ...unseen(0), state: "recovering", clear_since: 0, fired_at: 0, value: 1, threshold: 5 },
	no_data: unseen(0),
	"no_data!": { ...unseen(0), unknown_since: 0, fired_at: 0 },
	error: { ...unseen(0), state: "error" },
};

type Row = readonly [from: keyof typeof STANDING, verdict: Verdict, to: AlertState, notice: Notice];
const rows = (from: Row[0], cells: readonly (readonly [Verdict, AlertState, Notice?])[]): Row[] =>
	cells.map(([verdict, to, notice]) => [from, verdict, to, notice ?? null]);

/** One minute later, with nothing to wait for. */
const AT_ONCE: readonly Row[] = [
	...rows("ok", [
		["breach", "firing", "fire"],
		["hold", "ok"],
		["clear", "ok"],
		["unknown", "ok"],
		["failed", "error"],
	]),
	...rows("pending", [
		...([
			["breach", "firing", "fire"],
			["hold", "ok"],
			["clear", "ok"],
		] as const),
		...([
			["unknown", "pending"],
			["failed", "error"],
		] as const),
	]),
	...rows("firing", [
		...([
			["breach", "firing"],
			["hold", "recovering"],
			["clear", "ok", "resolve"],
		] as const),
		...([
			["unknown", "firing"],
			["failed", "firing"],
		] as const),
	]),
	...rows("recovering", [
		...([
			["breach", "firing"],
			["hold", "recovering"],
			["clear", "ok", "resolve"],
		] as const),
		...([
			["unknown", "recovering"],
			["failed", "recovering"],
		] as const),
	]),
	...rows("no_data", [
		...([
			["breach", "firing", "fire"],
			["hold", "ok"],
			["clear", "ok"],
		] as const),
		...([
			["unknown", "no_data"],
			["failed", "error"],
		] as const),
	]),
	...rows("no_data!", [
		...([
			["breach", "firing"],
			["hold", "ok", "resolve"],
			["clear", "ok", "resolve"],
		] as const),
		...([
			["unknown", "no_data"],
			["failed", "no_data"],
		] as const),
	]),
	...rows("error", [
		...([
			["breach", "firing", "fire"],
			["hold", "ok"],
			["clear", "ok"],
		] as const),
		...([
			["unknown", "error"],
			["failed", "error"],
		] as const),
	]),
];
/** One minute later, with two to wait for. */
const PATIENT: readonly Row[] = [
	...rows("ok", [["breach", "pending"]]),
	...rows("pending", [["breach", "pending"]]),
	...rows("firing", [
		["breach", "firing"],
		["clear", "recovering"],
	]),
	...rows("recovering", [
		["breach", "firing"],
		["clear", "recovering"],
	]),
	...rows("no_data", [["breach", "pending"]]),
	...rows("no_data!", [["breach", "pending", "resolve"]]),
	...rows("error", [["breach", "pending"]]),
];
const patient = timing({ for_ms: 2 * MINUTE, keep_firing_for_ms: 2 * MINUTE });

test("the table has every state with every verdict", () => {
	expect(AT_ONCE).toHaveLength(Object.keys(STANDING).length * VERDICTS.length);
	expect(new Set(AT_ONCE.map(([from, verdict]) => `${from} ${verdict}`)).size).toBe(AT_ONCE.length);
	expect(Object.keys(STANDING)).toEqual(expect.arrayContaining([...ALERT_STATES]));
});

describe.each([
	["without for and keep_firing_for", AT_ONCE, timing()],
	["with for and keep_firing_for", PATIENT, patient],
] as const)("%s", (_, table, waits) => {
	test.each(table)("%s and %s is %s, notice %s", (from, verdict, to, notice) => {
		const before = STANDING[from];
		const { after, transition } = step(before, seen(verdict), MINUTE, waits);
		expect(after.state).toBe(to);
		expect(transition?.notice ?? null).toBe(notice);
		if (before.state === to && notice === null) expect(transition).toBeUndefined();
		else expect(transition).toMatchObject({ at: MINUTE, from: before.state, to, value: after.value });
		expect(after.since).toBe(transition ? MINUTE : before.since);
	});
});

describe("without data", () => {
	const states = Object.keys(STANDING) as (keyof typeof STANDING)[];

	test.each(states)("keep_last leaves %s as it is", (from) => {
		expect(step(STANDING[from], seen("unknown"), MINUTE, timing()).after).toMatchObject({
			...STANDING[from],
			unknown_since: STANDING[from].unknown_since ?? MINUTE,
		});
	});

	test.each(states)("ok counts as fine: %s", (from) => {
		for (const waits of [timing({ no_data: "ok" }), { ...patient, no_data: "ok" as const }]) {
			const unknown = step(STANDING[from], seen("unknown"), MINUTE, waits);
			expect(unknown).toEqual(step(STANDING[from], seen("clear"), MINUTE, waits));
		}
	});

	test("alert fires once it has lasted as long as for, and is one firing with a breach that follows at once", () => {
		const waits = { ...timing({ no_data: "alert" }), for_ms: MINUTE };
		const first = step(STANDING.ok, seen("unknown"), MINUTE, waits);
		expect(first.after.state).toBe("ok");
		const second = step(first.after, seen("unknown"), 2 * MINUTE, waits);
		expect(second.transition).toMatchObject({ from: "ok", to: "no_data", notice: "fire", fired_at: 2 * MINUTE });
		const breach = step(second.after, seen("breach"), 3 * MINUTE, timing({ no_data: "alert" }));
		expect(breach.transition).toMatchObject({ to: "firing", notice: null, fired_at: 2 * MINUTE });
	});

	test("a gap under keep_last does not break what is pending, but only a value fires", () => {
		const pending = step(STANDING.ok, seen("breach"), MINUTE, patient).after;
		const gap = step(pending, seen("unknown"), 3 * MINUTE, patient);
		expect(gap.transition).toBeUndefined();
		expect(step(gap.after, seen("breach"), 4 * MINUTE, patient).after.state).toBe("firing");
	});
});

test("for and keep_firing_for count from the first evaluation, not from its neighbour", () => {
	let standing = STANDING.ok;
	const path: AlertState[] = [];
	const verdicts: Verdict[] = ["breach", "breach", "breach", "clear", "clear", "breach", "clear", "hold", "clear"];
	for (const [i, verdict] of [...verdicts, "clear" as const, "clear" as const].entries()) {
		standing = step(standing, seen(verdict), i * MINUTE, patient).after;
		path.push(standing.state);
	}
	expect(path).toEqual([
		...["pending", "pending", "firing", "recovering", "recovering", "firing", "recovering", "recovering"],
		...["recovering", "recovering", "ok"],
	]);
});

test("closing tells that what burns is over, and nothing of what does not", () => {
	expect(close(STANDING.firing, MINUTE, "gone").transition).toMatchObject({ to: "ok", notice: "resolve", fired_at: 0 });
	expect(close(STANDING["no_data!"], MINUTE, "gone").transition?.notice).toBe("resolve");
	expect(close(STANDING.pending, MINUTE, "gone").transition?.notice).toBeNull();
	expect(close(STANDING.ok, MINUTE, "gone").transition).toBeUndefined();
});

describe("however long it runs", () => {
	const runs = fc.record({
		verdicts: fc.array(fc.constantFrom(...VERDICTS), { minLength: 1, maxLength: 60 }),
		for_ms: fc.integer({ min: 0, max: 4 }).map((minutes) => minutes * MINUTE),
		keep_firing_for_ms: fc.integer({ min: 0, max: 4 }).map((minutes) => minutes * MINUTE),
		no_data: fc.constantFrom<NoDataPolicy>(...NO_DATA_POLICIES),
	});
	const check = (assert: (run: { waits: Timing; verdicts: readonly Verdict[] }, steps: Walk) => void) =>
		fc.assert(
			fc.property(runs, ({ verdicts, ...waits }) => assert({ waits, verdicts }, walk(verdicts, waits))),
			{ seed: 5, numRuns: 500 },
		);
	type Walk = { before: Standing; verdict: Verdict; at: number; result: ReturnType<typeof step> }[];

	function walk(verdicts: readonly Verdict[], waits: Timing): Walk {
		let before = unseen(0);
		return verdicts.map((verdict, i) => {
			const at = i * MINUTE;
			const result = step(before, seen(verdict), at, waits);
			const one = { before, verdict, at, result };
			before = result.after;
			return one;
		});
	}

	test("what fires satisfies its operator at the stored value", () =>
		check((_, steps) => {
			for (const { result } of steps)
				if (result.after.state === "firing") expect(result.after.value).toBeGreaterThan(5);
		}));

	test("nothing fires that has not breached at every evaluation with data for so long", () =>
		check(({ waits, verdicts }, steps) => {
			for (const [i, { at, result }] of steps.entries()) {
				if (result.transition?.to !== "firing" || result.transition.notice !== "fire") continue;
				const known = verdicts.slice(0, i + 1).map((verdict, j) => ({ verdict, at: j * MINUTE }));
				const breakAt = known.findLast(({ verdict }) =>
					waits.no_data === "ok" ? verdict !== "breach" : verdict !== "breach" && verdict !== "unknown",
				)?.at;
				const start = known.find((one) => one.verdict === "breach" && one.at > (breakAt ?? -1))!.at;
				expect(at - start).toBeGreaterThanOrEqual(waits.for_ms);
			}
		}));

	test("with for, pending comes before firing", () =>
		check(({ waits }, steps) => {
			for (const { result } of steps) {
				if (waits.for_ms > 0 && result.transition?.to === "firing")
					expect(["pending", "recovering"]).toContain(result.transition.from);
			}
		}));

	test("notices alternate: a firing begins, and is resolved before the next", () =>
		check((_, steps) => {
			const notices = steps.map(({ result }) => result.transition).filter((one) => one?.notice);
			for (const [i, notice] of notices.entries()) {
				expect(notice!.notice).toBe(i % 2 === 0 ? "fire" : "resolve");
				if (i % 2 === 1) expect(notice!.fired_at).toBe(notices[i - 1]!.fired_at);
			}
		}));

	test("transitions are a chain: each begins where the one before ended", () =>
		check((_, steps) => {
			let state: AlertState = "no_data";
			for (const { result, at } of steps) {
				if (!result.transition) continue;
				expect(result.transition).toMatchObject({ from: state, at });
				state = result.transition.to;
			}
			expect(steps.at(-1)!.result.after.state).toBe(state);
		}));

	test("a standing that went through JSON goes on the same", () =>
		check(({ waits }, steps) => {
			for (const { before, verdict, at, result } of steps)
				expect(step(JSON.parse(JSON.stringify(before)), seen(verdict), at, waits)).toEqual(result);
		}));
});

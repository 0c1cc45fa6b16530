import fc from "fast-check";
import { expect, test } from "vitest";
import { GRANULARITIES, type LADDER, tierOf } from "../../schema/granularity.ts";
import { bucketsOver } from "../time/buckets.ts";
import { type Piece, plan, RetentionError } from "./plan.ts";

const reach = { raw_days: 90, logs_days: 90, tier_days: (tier: (typeof LADDER)[number]) => tier.retention_days };
const now = Date.parse("2026-11-18T15:07:23.500Z");
const ms = (text: string) => Date.parse(text);
const show = (pieces: readonly Piece[]) =>
	pieces.map(({ source, from, to }) => [
		source === "raw" ? "raw" : source.name,
		new Date(from).toISOString().slice(5, -1),
		new Date(to).toISOString().slice(5, -1),
	]);

const planOf = (start: string, end: string, granularity: "1m" | "5m" | "15m" | "1h" | "1d" | null, zone = "UTC") =>
	plan({
		start: ms(start),
		end: ms(end),
		buckets: granularity ? bucketsOver(ms(start), ms(end), granularity, zone) : undefined,
		now,
		reach,
	});

test("hours up to now: whole hours from the 1h tier, the last minutes from raw points", () => {
	expect(show(planOf("2026-11-17T15:00:00Z", "2026-11-18T15:07:23.500Z", "1h").pieces)).toEqual([
		["1h", "11-17T15:00:00.000", "11-18T15:00:00.000"],
		["raw", "11-18T15:00:00.000", "11-18T15:07:23.500"],
	]);
});

test("a day is composed from the 15m tier where its zone is not on the hour, from 1h where it is, from 1d in UTC", () => {
	const tierFor = (zone: string, start: string) => {
		const main = planOf(start, "2026-11-18T00:00:00Z", "1d", zone).main;
		return main === "raw" ? main : main.name;
	};
	expect(tierFor("Asia/Kathmandu", "2026-11-09T18:15:00Z")).toBe("15m");
	expect(tierFor("America/New_York", "2026-10-25T04:00:00Z")).toBe("1h");
	expect(tierFor("UTC", "2026-10-25T00:00:00Z")).toBe("1d");
});

test("hours of a zone that is 45 minutes off come from the 15m tier", () => {
	expect(show(planOf("2026-11-17T15:15:00Z", "2026-11-17T18:15:00Z", "1h", "Asia/Kathmandu").pieces)).toEqual([
		["15m", "11-17T15:15:00.000", "11-17T18:15:00.000"],
	]);
});

test("one value over a window takes whole days from the 1d tier", () => {
	expect(show(planOf("2026-10-19T15:00:00Z", "2026-11-18T15:00:00Z", null).pieces)).toEqual([
		["1h", "10-19T15:00:00.000", "10-20T00:00:00.000"],
		["1d", "10-20T00:00:00.000", "11-18T00:00:00.000"],
		["1h", "11-18T00:00:00.000", "11-18T15:00:00.000"],
	]);
});

test("up to now, with nothing behind it, the bucket that has just begun comes from its tier as well", () => {
	const [start, end] = [ms("2026-11-17T15:00:00Z"), now];
	const window = { start, end, buckets: bucketsOver(start, end, "1h", "UTC"), now, reach };
	expect(show(plan({ ...window, newest: end - 1 }).pieces)).toEqual([
		["1h", "11-17T15:00:00.000", "11-18T15:07:23.500"],
	]);
	expect(show(plan({ ...window, newest: end }).pieces)).toEqual(show(plan(window).pieces));
});

test("pieces cover the window exactly, each whole in its tier, and never cross a boundary within a tier's bucket", () => {
	fc.assert(
		fc.property(
			fc.integer({ min: now - 80 * 86_400_000, max: now - 1 }),
			fc.integer({ min: 1, max: 10 * 86_400_000 }),
			fc.constantFrom(...GRANULARITIES, null),
			fc.constantFrom("UTC", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe"),
			fc.boolean(),
			(start, length, granularity, zone, settled) => {
				const end = start + length;
				const buckets = granularity ? bucketsOver(start, end, granularity, zone) : undefined;
				const { pieces } = plan({ start, end, buckets, newest: settled ? end - 1 : end, now, reach });
				expect(pieces[0]?.from).toBe(start);
				expect(pieces.at(-1)?.to).toBe(end);
				for (const [i, piece] of pieces.entries()) {
					expect(piece.from).toBeLessThan(piece.to);
					if (i > 0) expect(piece.from).toBe(pieces[i - 1]!.to);
					if (piece.source === "raw") continue;
					const step = piece.source.step_seconds * 1_000;
					expect(piece.from % step).toBe(0);
					if (!settled || piece.to < end) expect(piece.to % step).toBe(0);
					for (const at of buckets?.starts ?? []) {
						if (at * 1_000 > piece.from && at * 1_000 < piece.to) expect((at * 1_000) % step).toBe(0);
					}
				}
			},
		),
		{ numRuns: 100 },
	);
});

test("the ends of a window whose raw points are gone come from the 1m tier", () => {
	const old = { ...reach, raw_days: 5 };
	const window = { start: ms("2026-11-08T10:30:00Z"), end: ms("2026-11-09T00:00:00Z") };
	expect(show(plan({ ...window, now, reach: old }).pieces)).toEqual([
		["1m", "11-08T10:30:00.000", "11-08T11:00:00.000"],
		["1h", "11-08T11:00:00.000", "11-09T00:00:00.000"],
	]);
});

test("what is no longer kept is refused with the retention, never answered from what is left", () => {
	const old = () => planOf("2026-05-01T00:00:00Z", "2026-05-03T00:00:00Z", "5m");
	expect(old).toThrow(RetentionError);
	expect(old).toThrow(/5m.*180 days/);
	expect(planOf("2026-05-01T00:00:00Z", "2026-05-03T00:00:00Z", "1h").main).toBe(tierOf("1h"));
	expect(() => planOf("2026-05-01T00:00:30Z", "2026-05-03T00:00:00Z", "1h")).toThrow(/90 days/);
	expect(() => plan({ start: ms("2026-05-01"), end: ms("2026-05-03"), rawOnly: true, now, reach })).toThrow(
		/Raw points.*90 days/,
	);
});

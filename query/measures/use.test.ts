/** Segments, retention, features, hours, regions and breakdowns of random people, against the same worked out from their events. */
import fc from "fast-check";
import { Temporal } from "temporal-polyfill";
import { afterAll, beforeAll, expect, test } from "vitest";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { isActive, type Known, knownAt, peopleEvents } from "../../tests/support/people.ts";
import { insertEvents } from "../../tests/support/records.ts";
import { type Asker, Queries } from "../run.ts";
import { breakdown } from "./breakdown.ts";
import { chatsByRole, eventCounts, hoursOfUse } from "./counts.ts";
import { featureAdoption, featureUse, featureUseIn, featureUsers } from "./features.ts";
import { COUNTRY_REGIONS, usersByRegion, usersByRegionOfDays } from "./geography.ts";
import { onboarding } from "./onboarding.ts";
import { RETENTION_DAYS, type RetentionMode, retention } from "./retention.ts";
import {
	everybody,
	type PeriodScope,
	SEGMENT_RULES,
	type Segment,
	type SegmentOptions,
	segmentMembers,
	segmentTotals,
	togetherOf,
	userTotals,
} from "./segments.ts";
import { sessionTotals } from "./sessions.ts";
import { distinctUsers } from "./users.ts";

const ZONES = ["UTC", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe"] as const;
/** Both changes of the clock lie inside. */
const FROM = Date.parse("2026-09-25T00:00:00Z");
const TO = Date.parse("2026-11-10T00:00:00Z");
const DAY_MS = 86_400_000;
const all = peopleEvents({ from: FROM, to: TO, visits: 900, users: 90, sessions: true, seed: 21 });

let database: TestDatabase;
let asker: Asker;
beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
	for (const part of [2, 0, 1]) {
		await insertEvents(
			database.client,
			"p",
			all.filter((_, i) => i % 3 === part),
		);
	}
	await insertEvents(
		database.client,
		"other",
		all.slice(0, 400).map((event) => ({ ...event, ts: event.ts + 5_000_000 })),
	);
	asker = new Queries({ client: database.client, secondLock: false }).of("p");
});
afterAll(() => database?.stop());

/** Some are whole quarters of an hour, some midnights UTC: states are of both. */
const instant = fc.integer({ min: FROM, max: TO }).map((ms) => ms - (ms % ([1, 900_000, DAY_MS][ms % 3] ?? 1)));
/** A window, one of its length before it, and both within what is known at `as_of`. */
const periods = fc.tuple(instant, instant, instant).map((instants): PeriodScope => {
	const [start, end, as_of] = instants.sort((a, b) => a - b) as [number, number, number];
	const before = { start: start - (end - start) - 1, end: start };
	return { start, end: end + 1, as_of: as_of + 1, previous: { ...before, end: start - 1 }, previousWhole: before };
});
const zones = fc.constantFrom(...ZONES);

const dateOf = (ms: number, zone: string) => Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO(zone);
const within = (events: readonly Known[], { start, end }: { start: number; end: number }) =>
	events.filter(({ ts }) => ts >= start && ts < end);

function groupBy<T, K>(list: readonly T[], keyOf: (one: T) => K): Map<K, T[]> {
	const groups = new Map<K, T[]>();
	for (const one of list) {
		const key = keyOf(one);
		const group = groups.get(key);
		if (group) group.push(one);
		else groups.set(key, [one]);
	}
	return groups;
}

/** What is known of each user at the end. */
function usersAt(scope: PeriodScope) {
	const known = knownAt(all, scope.as_of).filter(({ user }) => user !== undefined);
	return [...groupBy(known, ({ user }) => user!)].map(([user, events]) => {
		const active = events.filter(isActive);
		const last = (name: string) =>
			Math.max(0, ...events.filter(({ event, ts }) => event === name && ts < scope.end).map(({ ts }) => ts));
		const is = (span: { start: number; end: number }) => within(active, span).length > 0;
		const [signed, deleted] = [last("user.signed_up"), last("user.deleted")];
		const [current, before] = [is(scope), is({ start: 0, end: scope.start })];
		const gone = deleted > 0 && deleted >= signed;
		return {
			...{ user, active, current, before, gone, existing: signed > deleted, previous: is(scope.previous) },
			churned: is(scope.previousWhole) && (!current || gone),
		};
	});
}

test("users of a period: who exists, is active, new, or lost", async () => {
	await fc.assert(
		fc.asyncProperty(periods, async (scope) => {
			const users = usersAt(scope);
			const count = (is: (user: (typeof users)[number]) => boolean) => users.filter(is).length;
			const some = { start: scope.start - DAY_MS, end: scope.end };
			expect(await asker.ask(userTotals(scope, [some]))).toEqual({
				users: count((user) => user.current || user.before || user.existing || user.gone),
				in: [count(({ active }) => within(active, some).length > 0)],
				seen: count((user) => user.current || user.before),
				existing: count((user) => user.existing),
				active: count((user) => user.current),
				fresh: count((user) => user.current && !user.before),
				churned: count((user) => user.churned),
				previous: count((user) => user.previous),
			});
		}),
		{ numRuns: 30, seed: 1 },
	);
});

/** Segment, sessions and the rest of each user, by sessions of ids. */
function segmentsAt(scope: PeriodScope, zone: string, days: number) {
	const known = knownAt(all, scope.as_of);
	const sessions = [
		...groupBy(
			known.filter((one) => one.session_id !== undefined && one.user !== undefined),
			(one) => one.session_id,
		),
	];
	const started = sessions
		.map(([, events]) => events)
		.filter(([first]) => first!.ts >= scope.start && first!.ts < scope.end);
	const users = usersAt(scope).map((user) => {
		const own = started.filter(([first]) => first!.user === user.user);
		const here = within(user.active, scope);
		const lengths = own.map((events) => events.at(-1)!.ts - events[0]!.ts);
		const features = within(known, scope).filter((one) => one.user === user.user && one.event === "feature.used");
		return {
			...user,
			visits: own.length,
			mean_ms: lengths.reduce((sum, length) => sum + length, 0) / own.length,
			breadth: new Set(features.map(({ properties }) => properties!.feature)).size,
			dates: new Set(here.map(({ ts }) => dateOf(ts, zone).toPlainDate().toString())).size,
		};
	});
	const active = users.filter((user) => user.current);
	const isPower = (user: (typeof users)[number]) =>
		user.visits > 0 &&
		active.filter((other) => other.visits >= user.visits).length <=
			Math.ceil(SEGMENT_RULES.power_share * active.length) &&
		user.dates >= Math.min(SEGMENT_RULES.power_min_days, days);
	return users.map((user) => {
		const of = (): Segment | undefined => {
			if (user.churned) return "churned";
			if (user.current && !user.before) return "new";
			if (user.current) return isPower(user) ? "power" : "active";
			return user.gone || !user.before ? undefined : "dormant";
		};
		return { ...user, segment: of() };
	});
}

/** Interpolated between the two values around it; undefined of none. */
function quantile(values: readonly number[], level: number): number | undefined {
	const sorted = [...values].sort((a, b) => a - b);
	const rank = level * (sorted.length - 1);
	const [low, high] = [sorted[Math.floor(rank)], sorted[Math.ceil(rank)]];
	return low === undefined || high === undefined ? undefined : low + (high - low) * (rank - Math.floor(rank));
}

test("segments are disjoint, in the order of their rules, and members are those that are counted", async () => {
	await fc.assert(
		fc.asyncProperty(periods, zones, async (scope, timezone) => {
			const days = 1 + Math.floor((scope.end - scope.start) / DAY_MS);
			const options: SegmentOptions = { scope, timezone, days, sessions: "client" };
			const expected = groupBy(segmentsAt(scope, timezone, days), ({ segment }) => segment);
			const some = { start: scope.start - DAY_MS, end: scope.end };
			const totals = await asker.ask(segmentTotals(options, [some]));
			expect(togetherOf(totals)).toMatchObject({
				...(await asker.ask(userTotals(scope, [some]))),
				...(await asker.ask(sessionTotals(scope, "client"))),
				in: totals.length === 0 ? [] : [await asker.ask(distinctUsers({ ...some, as_of: scope.as_of }))],
			});
			const found = totals.filter(({ segment }) => segment !== undefined);
			expect(Object.fromEntries(found.map(({ segment, users }) => [segment!, users]))).toEqual(
				Object.fromEntries(
					[...expected].filter(([name]) => name !== undefined).map(([name, users]) => [name, users.length]),
				),
			);
			const actives = [...expected.values()].flat().filter((user) => user.current);
			for (const { segment, sessions, ...is } of found) {
				const own = expected.get(segment!)!;
				expect(sessions).toBe(own.reduce((sum, user) => sum + user.visits, 0));
				const isAbove = (of: "visits" | "mean_ms" | "breadth") => {
					const values = (users: typeof own) =>
						users.filter((user) => of !== "mean_ms" || user.visits > 0).map((user) => user[of]);
					const [median, high] = [quantile(values(own), 0.5), quantile(values(actives), 0.75)];
					return median !== undefined && high !== undefined && median > high;
				};
				expect([is.frequent, is.long, is.broad]).toEqual([isAbove("visits"), isAbove("mean_ms"), isAbove("breadth")]);
			}
			const power = segmentMembers(options, "power");
			const dates = within(knownAt(all, scope.as_of), scope);
			const { byHour } = await asker.ask(hoursOfUse(scope, timezone, power));
			const names = new Set(expected.get("power")?.map(({ user }) => user));
			const own = dates.filter((one) => isActive(one) && names.has(one.user!));
			expect([...byHour.values()].reduce((sum, n) => sum + n, 0)).toBe(own.length);
		}),
		{ numRuns: 12, seed: 2 },
	);
});

test("where nothing is linked and nobody signs up, all of it is the same without looking for that", async () => {
	const kept = all.filter(({ event }) => !["user.signed_up", "user.deleted"].includes(event));
	const plain = kept.map(({ properties: { anonymous_id: _, ...properties } = {}, ...event }) => ({
		...event,
		properties,
	}));
	await insertEvents(database.client, "plain", plain);
	const project = new Queries({ client: database.client, secondLock: false }).of("plain");
	const segments = fc.constantFrom<Segment>("churned", "new", "power", "active", "dormant");
	await fc.assert(
		fc.asyncProperty(periods, zones, segments, async (scope, timezone, segment) => {
			const answers = async (people: PeriodScope) => {
				const days = 1 + Math.floor((scope.end - scope.start) / DAY_MS);
				const options: SegmentOptions = { scope: people, timezone, days, sessions: "client" };
				const members = segmentMembers(options, segment);
				const { as_of, unlinked } = people;
				return await Promise.all([
					project.ask(userTotals(people)),
					project.ask(segmentTotals(options)),
					project.ask(usersByRegion(people)),
					project.ask(usersByRegion(people, members)),
					...(["calendar", "rolling", "24h"] as const).map((mode) =>
						project.ask(retention({ as_of, unlinked, timezone, mode, members })),
					),
				]);
			};
			expect(await answers({ ...scope, unlinked: true, unregistered: true })).toEqual(await answers(scope));
		}),
		{ numRuns: 5, seed: 8 },
	);
});

function retentionOf(as_of: number, zone: string, mode: RetentionMode) {
	const today = dateOf(as_of, zone).toPlainDate();
	const users = [...groupBy(knownAt(all, as_of).filter(isActive), ({ user }) => user).values()];
	return RETENTION_DAYS.map((n) => {
		const backs = users.flatMap((events): boolean[] => {
			if (mode === "24h") {
				const [from, to] = [events[0]!.ts + n * DAY_MS, events[0]!.ts + (n + 1) * DAY_MS];
				return to > as_of ? [] : [events.some(({ ts }) => ts >= from && ts < to)];
			}
			const dates = events.map(({ ts }) => dateOf(ts, zone).toPlainDate());
			const day = dates[0]!.add({ days: n });
			if (Temporal.PlainDate.compare(day, today) >= 0) return [];
			return [
				dates.some((date) => (mode === "rolling" ? Temporal.PlainDate.compare(date, day) >= 0 : date.equals(day))),
			];
		});
		return { users: backs.length, retained: backs.filter(Boolean).length };
	});
}

test("retention of every mode, in every zone, is that of the events", async () => {
	await fc.assert(
		fc.asyncProperty(instant, zones, fc.constantFrom("calendar", "rolling", "24h"), async (as_of, timezone, mode) => {
			expect(await asker.ask(retention({ as_of, timezone, mode }))).toEqual(retentionOf(as_of, timezone, mode));
		}),
		{ numRuns: 30, seed: 3 },
	);
});

test("uses of features, their users, and the time until the first use", async () => {
	await fc.assert(
		fc.asyncProperty(periods, async (scope) => {
			const known = knownAt(all, scope.as_of);
			const uses = within(known, scope).filter(({ event }) => event === "feature.used");
			const byFeature = groupBy(uses, ({ properties }) => properties!.feature as string);
			const users = (events: readonly Known[]) => new Set(events.flatMap(({ user }) => user ?? [])).size;
			const found = await asker.ask(featureUse(scope));
			expect(new Map(found.map((one) => [one.feature, [one.uses, one.users]]))).toEqual(
				new Map([...byFeature].map(([feature, events]) => [feature, [events.length, users(events)]])),
			);
			expect(await asker.ask(featureUsers(scope))).toBe(users(uses));
			expect(await asker.ask(featureUsers(scope, "a/b"))).toBe(users(byFeature.get("a/b") ?? []));
			const adopted = await asker.ask(featureAdoption(scope, everybody));
			for (const { feature, median_ms } of adopted) {
				const hours = [...new Set(byFeature.get(feature)!.flatMap(({ user }) => user ?? []))].map((user) => {
					const own = known.filter((one) => one.user === user);
					const first = own.find((one) => one.event === "feature.used" && one.properties!.feature === feature)!;
					return first.ts - own.find(isActive)!.ts;
				});
				hours.sort((a, b) => a - b);
				const middle = (hours[Math.floor((hours.length - 1) / 2)]! + hours[Math.ceil((hours.length - 1) / 2)]!) / 2;
				expect(median_ms).toBeCloseTo(middle, 3);
			}
			expect(adopted.length).toBe([...byFeature.values()].filter((events) => users(events) > 0).length);
		}),
		{ numRuns: 12, seed: 4 },
	);
	const spans = [
		{ start: TO - 7 * DAY_MS, end: TO },
		{ start: TO - 14 * DAY_MS, end: TO - 7 * DAY_MS },
	];
	const trends = await asker.ask(featureUseIn(spans));
	const chats = knownAt(all, TO).filter(
		({ event, properties }) => event === "feature.used" && properties!.feature === "chat",
	);
	expect(trends.get("chat")).toEqual(spans.map((span) => within(chats, span).length));
});

test("events by name, and events of users by hour and weekday of the zone", async () => {
	await fc.assert(
		fc.asyncProperty(periods, zones, async (scope, timezone) => {
			const known = within(knownAt(all, scope.as_of), scope);
			const names = ["chat.message.sent", "user.signed_up", "never"];
			const counts = await asker.ask(eventCounts(scope, names));
			expect(names.map((name) => counts.get(name) ?? 0)).toEqual(
				names.map((name) => known.filter(({ event }) => event === name).length),
			);
			const identified = known.filter(({ user_id }) => user_id !== undefined);
			const by = (keyOf: (at: Temporal.ZonedDateTime) => number) =>
				new Map(
					[...groupBy(identified, ({ ts }) => keyOf(dateOf(ts, timezone)))].map(([key, events]) => [
						key,
						events.length,
					]),
				);
			const { byHour, byWeekday } = await asker.ask(hoursOfUse(scope, timezone));
			expect(byHour).toEqual(by((at) => at.hour));
			expect(byWeekday).toEqual(by((at) => at.dayOfWeek));
			const roles = await asker.ask(chatsByRole(scope));
			expect(roles.get("unknown") ?? 0).toBe(counts.get("chat.message.sent") ?? 0);
		}),
		{ numRuns: 25, seed: 5 },
	);
});

test("regions are those of the last country of each user in the window", async () => {
	await fc.assert(
		fc.asyncProperty(periods, async (scope) => {
			const known = within(knownAt(all, scope.as_of).filter(isActive), scope);
			const countries = new Map<string, string>();
			for (const { user, properties } of known) {
				const country = properties?.["geo.country.iso_code"];
				if (country !== undefined) countries.set(user!, String(country).toUpperCase());
			}
			const expected = groupBy([...countries.values()], (country) => COUNTRY_REGIONS[country] ?? "other");
			const regions = new Map([...expected].map(([region, users]) => [region, users.length]));
			expect(await asker.ask(usersByRegion(scope))).toEqual(regions);
			// Days tell wherever nobody names a country later on the day of the end.
			const midnight = Math.ceil(scope.end / DAY_MS) * DAY_MS;
			const later = within(knownAt(all, midnight), { start: scope.end, end: midnight });
			const isTold = !later.some(({ properties }) => properties?.["geo.country.iso_code"] !== undefined);
			const ofDays = await asker.ask(usersByRegionOfDays(scope));
			if (isTold || ofDays !== undefined) expect(ofDays).toEqual(regions);
		}),
		{ numRuns: 30, seed: 6 },
	);
});

test("a breakdown counts users by value, and those who have none", async () => {
	await fc.assert(
		fc.asyncProperty(periods, async (scope) => {
			const attribute = "geo.country.iso_code";
			const known = within(knownAt(all, scope.as_of), scope).filter(({ event }) => event !== "user.deleted");
			const calls = "model_inference_completed";
			const found = await asker.ask(
				breakdown(scope, [
					{ attribute, calls },
					{ attribute: "none", calls: undefined },
				]),
			);
			expect(found.has("none")).toBe(false);
			const users = (events: readonly Known[]) => new Set(events.flatMap(({ user }) => user ?? []));
			const isKnown = ({ properties }: Known) => properties?.[attribute] !== undefined;
			const having = users(known.filter(isKnown));
			const expected = [...groupBy(known.filter(isKnown), ({ properties }) => properties![attribute] as string)].map(
				([value, events]) => [value, events.filter(({ event }) => event === calls).length, users(events).size],
			);
			const without = known.filter((one) => !isKnown(one));
			const none = [...users(without)].filter((user) => !having.has(user)).length;
			const silent = without.filter(({ event }) => event === calls);
			expected.push(["", silent.length, none]);
			const values = (found.get(attribute) ?? []).map((one) => [one.value, one.calls, one.users]);
			const listed = having.size === 0 ? [] : expected.filter(([, n, people]) => Number(n) + Number(people) > 0);
			if (known.some((one) => isKnown(one) && one.user === undefined) && having.size === 0) return;
			expect(values.sort()).toEqual(listed.sort());
		}),
		{ numRuns: 20, seed: 7 },
	);
	await insertEvents(
		database.client,
		"many",
		Array.from({ length: 60 }, (_, i) => ({ event: "api.call", ts: FROM, user_id: `u${i % 7}`, properties: { n: i } })),
	);
	const many = new Queries({ client: database.client, secondLock: false }).of("many");
	const rows = (
		await many.ask(breakdown({ start: FROM, end: TO, as_of: TO }, [{ attribute: "n", calls: "api.call" }]))
	).get("n")!;
	expect(rows.filter(({ kind }) => kind === "value")).toHaveLength(50);
	expect(rows.at(-1)).toMatchObject({ kind: "other", calls: 10, users: 6 });
});

test("the funnel in order never grows, and each step by itself is counted within 30 days of the sign-up", async () => {
	const project = new Queries({ client: database.client, secondLock: false }).of("funnel");
	const at = (days: number) => FROM + days * DAY_MS;
	const step = (user_id: string, event: string, days: number) => ({ event, ts: at(days), user_id });
	await insertEvents(database.client, "funnel", [
		...["a", "b", "c", "d"].map((user) => step(user, "user.signed_up", 1)),
		// All steps in order; the third active day is the one of the collaboration, which activity must follow.
		...[step("a", "chat.message.sent", 2), step("a", "collaboration.started", 3), step("a", "view", 4)],
		// Shares before chatting.
		...[step("b", "collaboration.started", 2), step("b", "chat.message.sent", 3)],
		// Comes too late.
		...[step("c", "chat.message.sent", 31.5), step("c", "collaboration.started", 40)],
		step("d", "chat.message.sent", 0.5),
		step("e", "chat.message.sent", 2),
	]);
	const { any, ordered } = await project.ask(onboarding({ start: at(0), end: at(10), as_of: at(45) }, "UTC"));
	expect(any).toEqual({ signup: 4, first_chat: 2, first_collaboration: 2, active_user: 2 });
	expect(ordered).toEqual({ signup: 4, first_chat: 2, first_collaboration: 1, active_user: 1 });
	const early = await project.ask(onboarding({ start: at(0), end: at(10), as_of: at(3.5) }, "UTC"));
	expect(early.ordered).toEqual({ signup: 4, first_chat: 2, first_collaboration: 1, active_user: 0 });
	expect(early.any.active_user).toBe(2);
});

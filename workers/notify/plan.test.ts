// A clock of the test drives firings, acknowledgements, silences, workers and crashes through the plan; each row is one guarantee.
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { type AlertRule, alertRule, type NewAlert } from "../../schema/wire/index.ts";
import { type Firing, FLAPS, type KnownNotice, outdated, plan } from "./plan.ts";
import { type Destination, routesOf } from "./recipients.ts";
import type { ActiveSilence } from "./silence.ts";

const START = Date.parse("2026-03-02T10:00:00Z");
const MINUTE = 60_000;
const at = (minute: number) => new Date(START + minute * MINUTE).toISOString();

interface World {
	readonly rule?: Partial<NewAlert>;
	/** Minutes from the start: [fires, is over, acknowledged, instance]. */
	readonly firings: readonly (readonly [number, number | null, (number | null)?, string?])[];
	readonly silences?: readonly ActiveSilence[];
	readonly minutes: number;
	/** Minutes in which no worker runs. */
	readonly down?: readonly [number, number];
	/** Several workers plan at the same instant, and each claims what it planned. */
	readonly workers?: number;
	/** Whether the channel takes what is sent in this minute. */
	readonly takes?: (minute: number) => boolean;
	/** Whether it refuses for good what is sent in this minute. */
	readonly refuses?: (minute: number) => boolean;
}

const contacts = {
	channels: ["a", "b", "c", "pd"].map((name) =>
		name === "pd"
			? ({ type: "pagerduty", name, default: false, integration_key: "k" } as const)
			: ({ type: "webhook", name, default: name === "a", url: "https://example.org/" } as const),
	),
	contacts: {},
};
const level = (delay_minutes: number, ...notify: string[]) => ({ delay_minutes, notify });
const contact = (name: string) => ({ type: "contact", contact: name }) as const;

function ruleOf(given: Partial<NewAlert> = {}): AlertRule {
	const conditions = [{ metric: "cpu", operator: ">", value: 1, timeframe: "5m" }] as const;
	return alertRule.parse({ name: "CPU", conditions, ...given });
}

/** What was told, as `minute kind level destination [number of instances]`. */
function simulate(world: World): string[] {
	const rule = ruleOf(world.rule);
	const routes = new Map([["alert", { ...routesOf(rule, contacts), rule }]]);
	const notices = new Map<string, KnownNotice>();
	const told: string[] = [];
	for (let minute = 0; minute <= world.minutes; minute++) {
		if (world.down && minute >= world.down[0] && minute < world.down[1]) continue;
		const now = START + minute * MINUTE;
		const firings = world.firings.flatMap((one, i) => firingOf(one, i, minute));
		for (const one of outdated([...notices.values()], firings))
			notices.set(one.delivery_id, { ...one, status: "cancelled" });
		const standing = { firings, rules: routes, notices: [...notices.values()], silences: world.silences ?? [] };
		for (let worker = 0; worker < (world.workers ?? 1); worker++)
			for (const notice of plan(standing, now)) notices.set(notice.delivery_id, { ...notice, status: "planned" });
		if (world.takes?.(minute) === false) continue;
		const messages = new Map<string, KnownNotice[]>();
		for (const notice of notices.values())
			if (notice.status === "planned")
				messages.set(notice.message_id, [...(messages.get(notice.message_id) ?? []), notice]);
		for (const of of messages.values()) {
			const [{ kind, level: step, destination }] = of as [KnownNotice];
			const status = world.refuses?.(minute) ? "failed" : "told";
			if (status === "told")
				told.push(`${minute} ${kind} ${step} ${destination.label}${of.length > 1 ? ` ${of.length}` : ""}`);
			for (const notice of of) notices.set(notice.delivery_id, { ...notice, status });
		}
	}
	return told;
}

function firingOf(
	[from, to, acknowledged = null, instance = "all"]: World["firings"][number],
	i: number,
	minute: number,
) {
	if (from > minute) return [];
	const past = (given: number | null) => (given !== null && given <= minute ? START + given * MINUTE : null);
	const firing: Firing = {
		...{ alert_id: "alert", firing_id: `firing_${i}`, instance, labels: { host: instance }, severity: "high" },
		...{ fired_at: START + from * MINUTE, recorded_at: START + from * MINUTE },
		...{ resolved_at: past(to), acknowledged_at: past(acknowledged) },
	};
	return [firing];
}

const silence = (from: number, to: number, more: Partial<ActiveSilence> = {}): ActiveSilence => ({
	...{ starts_at: at(from), ends_at: at(to), matchers: [{ name: "severity", operator: "=", value: "high" }] },
	...more,
});
const escalation = { levels: [level(0, "a"), level(15, "b"), level(30, "c")] };

const TABLE: readonly (readonly [string, World, string[]])[] = [
	[
		"a rule that names nobody is told on the default channels",
		{ firings: [[0, 5]], minutes: 9 },
		["0 fire 0 a", "5 resolve 0 a"],
	],
	[
		"whom the rule names is told that it fires and that it is over, once each",
		{ rule: { notifications: [contact("b")] }, firings: [[1, 4]], minutes: 60 },
		["1 fire 0 b", "4 resolve 0 b"],
	],
	[
		"levels are told when their delay has passed, and all of them of the end",
		{ rule: { escalation_policy: escalation }, firings: [[0, 40]], minutes: 60 },
		["0 fire 1 a", "15 fire 2 b", "30 fire 3 c", "40 resolve 0 a", "40 resolve 0 b", "40 resolve 0 c"],
	],
	[
		"an acknowledgement ends the levels; those who were told hear of the end",
		{ rule: { escalation_policy: escalation }, firings: [[0, 40, 16]], minutes: 60 },
		["0 fire 1 a", "15 fire 2 b", "40 resolve 0 a", "40 resolve 0 b"],
	],
	[
		"an acknowledgement in the minute of a level comes before it",
		{ rule: { escalation_policy: escalation }, firings: [[0, null, 15]], minutes: 60 },
		["0 fire 1 a"],
	],
	[
		"the end in the minute of a level comes before it",
		{ rule: { escalation_policy: escalation }, firings: [[0, 15]], minutes: 60 },
		["0 fire 1 a", "15 resolve 0 a"],
	],
	[
		"an acknowledgement holds for its firing only",
		{
			rule: { notifications: [contact("b")] },
			firings: [
				[0, 3, 1],
				[6, 8],
			],
			minutes: 20,
		},
		["0 fire 0 b", "3 resolve 0 b", "6 fire 0 b", "8 resolve 0 b"],
	],
	[
		"who is named twice for one moment is told once, for another moment again",
		{
			rule: { notifications: [contact("a")], escalation_policy: { levels: [level(0, "a"), level(5, "a")] } },
			firings: [[0, 9]],
			minutes: 20,
		},
		["0 fire 0 a", "5 fire 2 a", "9 resolve 0 a"],
	],
	[
		"a level whose contact nobody knows is told on the default channels",
		{ rule: { escalation_policy: { levels: [level(2, "nobody")] } }, firings: [[0, null]], minutes: 9 },
		["2 fire 1 a"],
	],
	[
		"PagerDuty hears of the acknowledgement, webhooks do not",
		{ rule: { notifications: [contact("pd"), contact("a")] }, firings: [[0, 5, 2]], minutes: 9 },
		["0 fire 0 pd", "0 fire 0 a", "2 acknowledge 0 pd", "5 resolve 0 pd", "5 resolve 0 a"],
	],
	[
		"a repetition comes every interval until it is acknowledged",
		{ rule: { notifications: [contact("b")], repeat_interval: "10m" }, firings: [[0, null, 25]], minutes: 60 },
		["0 fire 0 b", "10 repeat 0 b", "20 repeat 0 b"],
	],
	[
		"a repetition that is given up ends no others",
		{
			rule: { notifications: [contact("b")], repeat_interval: "10m" },
			...{ firings: [[0, null]], refuses: (minute) => minute >= 20 && minute < 40, minutes: 60 },
		},
		["0 fire 0 b", "10 repeat 0 b", "40 repeat 0 b", "50 repeat 0 b", "60 repeat 0 b"],
	],
	[
		"who could not be told that it fires is told when it is repeated, and of the end",
		{
			rule: { notifications: [contact("b")], repeat_interval: "10m" },
			...{ firings: [[0, 15]], refuses: (minute) => minute < 5, minutes: 30 },
		},
		["10 repeat 0 b", "15 resolve 0 b"],
	],
	[
		"workers that were down catch up with levels that are due, once each",
		{ rule: { escalation_policy: escalation }, firings: [[0, null]], down: [10, 40], minutes: 60 },
		["0 fire 1 a", "40 fire 2 b", "40 fire 3 c"],
	],
	[
		"what fired and was over while all workers were down is told to nobody",
		{ rule: { notifications: [contact("b")] }, firings: [[5, 8]], down: [1, 20], minutes: 30 },
		[],
	],
	[
		"several workers at one instant tell it once",
		{ rule: { escalation_policy: escalation }, firings: [[0, 40]], workers: 3, minutes: 60 },
		["0 fire 1 a", "15 fire 2 b", "30 fire 3 c", "40 resolve 0 a", "40 resolve 0 b", "40 resolve 0 c"],
	],
	[
		"a channel that takes nothing gets it later; what is over by then is not told",
		{
			rule: { notifications: [contact("b")] },
			firings: [
				[0, 4],
				[10, 30],
			],
			takes: (minute) => minute > 15,
			minutes: 40,
		},
		["16 fire 0 b", "30 resolve 0 b"],
	],
	[
		"a silence holds back what fires in it, and what still burns is told at its end; delays count from there",
		{ rule: { escalation_policy: escalation }, firings: [[5, null]], silences: [silence(0, 60)], minutes: 80 },
		["60 fire 1 a", "75 fire 2 b"],
	],
	[
		"what was over before the end of a silence is told to nobody",
		{ rule: { notifications: [contact("b")] }, firings: [[5, 20]], silences: [silence(0, 60)], minutes: 80 },
		[],
	],
	[
		"a silence that comes later holds back levels, and the end of what was told comes through",
		{ rule: { escalation_policy: escalation }, firings: [[0, 20]], silences: [silence(10, 60)], minutes: 80 },
		["0 fire 1 a", "20 resolve 0 a"],
	],
	[
		"a silence that was ended early lets through at once",
		{
			rule: { notifications: [contact("b")] },
			firings: [[5, null]],
			silences: [silence(0, 60, { deleted_at: at(30) })],
			minutes: 80,
		},
		["30 fire 0 b"],
	],
	[
		"silences that follow each other are one",
		{
			rule: { notifications: [contact("b")] },
			firings: [[5, null]],
			silences: [silence(0, 20), silence(20, 40)],
			minutes: 80,
		},
		["40 fire 0 b"],
	],
	[
		"a silence of other labels holds nothing back",
		{
			rule: { notifications: [contact("b")] },
			...{
				firings: [[5, null]],
				silences: [silence(0, 60, { matchers: [{ name: "host", operator: "=~", value: "db-(1|2)" }] })],
			},
			minutes: 80,
		},
		["5 fire 0 b"],
	],
	[
		"a silence by regular expressions holds back the instances whose labels they match as a whole",
		{
			rule: { notifications: [contact("b")], group_by: ["host"] },
			firings: [
				[0, null, null, "db-1"],
				[0, null, null, "old-db-1"],
				[0, null, null, "db-x"],
			],
			silences: [
				silence(0, 60, {
					matchers: [
						{ name: "host", operator: "=~", value: "db-.*" },
						{ name: "host", operator: "!~", value: ".*[a-z]" },
					],
				}),
			],
			minutes: 80,
		},
		["1 fire 0 b 2", "60 fire 0 b"],
	],
	[
		"instances that fire in one minute are one message, those that fire later another",
		{
			rule: { notifications: [contact("b")], group_by: ["host"] },
			firings: [
				[0, 9, null, "x"],
				[0, 9, null, "y"],
				[2, 9, null, "z"],
			],
			minutes: 20,
		},
		// The wait for others ends between two minutes of this clock.
		["1 fire 0 b 2", "3 fire 0 b", "9 resolve 0 b 3"],
	],
	[
		"PagerDuty has one incident for one instance",
		{
			rule: { notifications: [contact("pd")] },
			firings: [
				[0, 9, null, "x"],
				[0, null, null, "y"],
			],
			minutes: 20,
		},
		["0 fire 0 pd", "0 fire 0 pd", "9 resolve 0 pd"],
	],
	...(
		[
			["once, and that it is over when it has been for a while", {}, 16],
			["when the channel takes it, which it did not when it began to flap", { takes: (m) => m < 16 || m > 19 }, 20],
			["after a silence in which it began to flap", { silences: [silence(15, 19)] }, 20],
		] as const satisfies readonly (readonly [string, Partial<World>, number])[]
	).map(([how, more, minute]): (typeof TABLE)[number] => [
		`an instance that flaps is told ${how}`,
		{
			rule: { notifications: [contact("b")] },
			firings: Array.from({ length: 9 }, (_, i) => [i * 4, i * 4 + 2] as const),
			minutes: 90,
			...more,
		},
		[
			...[0, 4, 8, 12].flatMap((fires) => [`${fires} fire 0 b`, `${fires + 2} resolve 0 b`]),
			...[`${minute} flapping 0 b`, "49 resolve 0 b"],
		],
	]),
	[
		"an instance that flapped and then burns on is told as any other",
		{
			rule: { notifications: [contact("b")] },
			firings: [...Array.from({ length: 5 }, (_, i) => [i * 4, i * 4 + 2] as const), [20, null]],
			minutes: 60,
		},
		[
			...[0, 4, 8, 12].flatMap((minute) => [`${minute} fire 0 b`, `${minute + 2} resolve 0 b`]),
			...["16 flapping 0 b", "35 fire 0 b"],
		],
	],
];

describe("the plan", () => {
	it.each(TABLE)("%s", (_, world, expected) => {
		expect(simulate(world)).toEqual(expected);
	});

	it("flaps at a number that the table knows", () => expect(FLAPS).toBe(5));
});

test("hours of a silence are those of its zone, over both changes of the clocks", () => {
	// Berlin: 02:00 becomes 03:00 on 2026-03-29 at 01:00Z; 03:00 becomes 02:00 on 2026-10-25 at 01:00Z.
	const recurrence = { days: ["sun"], from: "01:30", to: "04:00", timezone: "Europe/Berlin" } as const;
	for (const [night, first, last] of [
		["2026-03-29", "00:30", "02:00"],
		["2026-10-25", "23:30", "03:00"],
	] as const) {
		const end = Date.parse(`${night}T${last}:00Z`);
		const start = first > last ? Date.parse(`${night}T${first}:00Z`) - 86_400_000 : Date.parse(`${night}T${first}:00Z`);
		const silences = [
			silence(0, 0, {
				starts_at: "2026-01-01T00:00:00Z",
				ends_at: "2027-01-01T00:00:00Z",
				recurrence: { ...recurrence, days: ["sun"] },
			}),
		];
		const rule = ruleOf({ notifications: [contact("b")] });
		const rules = new Map([["alert", { ...routesOf(rule, contacts), rule }]]);
		const isTold = (now: number) => {
			const [firing] = firingOf([0, null], 0, 0) as [Firing];
			const firings = [{ ...firing, fired_at: now, recorded_at: now }];
			return plan({ firings, rules, notices: [], silences }, now).length > 0;
		};
		expect([start - 1, start, end - 1, end].map(isTold), night).toEqual([true, false, false, true]);
	}
});

test("whatever happens, nobody is told twice of one thing, nobody of an end without a beginning, and nobody after the acknowledgement", () => {
	const minute = fc.integer({ min: 0, max: 60 });
	const firing = fc
		.tuple(minute, fc.option(minute), fc.option(minute))
		.map(
			([from, lasts, acknowledged]) =>
				[from, lasts === null ? null : from + lasts, acknowledged === null ? null : from + acknowledged] as const,
		);
	const world = fc.record({
		firings: fc
			.array(firing, { minLength: 1, maxLength: 3 })
			.map((all) => all.map((one, i) => [...one, `host-${i}`] as const)),
		silences: fc.array(
			fc.tuple(minute, minute).map(([from, lasts]) => silence(from, from + lasts + 1)),
			{ maxLength: 2 },
		),
		down: fc.tuple(minute, minute).map(([from, lasts]) => [from, from + lasts] as const),
		workers: fc.integer({ min: 1, max: 3 }),
	});
	fc.assert(
		fc.property(world, (given) => {
			for (const [i, one] of given.firings.entries()) {
				const rule = { escalation_policy: escalation };
				const told = simulate({ ...given, down: [...given.down], rule, firings: [one], minutes: 130 });
				expect(new Set(told.map((line) => line.replace(/^\d+ /, ""))).size, `${i}`).toBe(told.length);
				const fires = told.filter((line) => line.includes("fire"));
				for (const line of told.filter((text) => text.includes("resolve")))
					expect(fires.some((fire) => fire.split(" ")[3] === line.split(" ")[3])).toBe(true);
				const quietFrom = Math.min(one[1] ?? 999, one[2] ?? 999);
				expect(fires.every((fire) => Number(fire.split(" ")[0]) < quietFrom)).toBe(true);
				const asleep = (at: number) =>
					given.silences.some(({ starts_at, ends_at }) => Date.parse(starts_at) <= at && at < Date.parse(ends_at));
				expect(fires.some((fire) => asleep(START + Number(fire.split(" ")[0]) * MINUTE))).toBe(false);
			}
		}),
		{ seed: 5, numRuns: 150 },
	);
});

test("the same place is one destination, whoever names it, and no key holds a secret", () => {
	const url = "https://example.org/secret";
	const { told } = routesOf(
		ruleOf({ notifications: [contact("a"), contact("a"), { type: "webhook", url }] }),
		contacts,
	);
	const keys = told.map(({ key }: Destination) => key);
	expect(keys).toEqual(["channel:a", "rule:webhook:2"]);
});

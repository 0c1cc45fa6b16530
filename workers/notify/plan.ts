/**
 * Decides what is due: who has to be told of what, given how things stand and what was planned before. Pure: nothing is remembered
 * between two plans but what was planned, so a restart, a lost queue or a second worker changes nothing.
 *
 * - `fire` goes to those whom the rule names (level 0) when it fires, and to each level of the escalation when its delay has passed,
 *   unless it was acknowledged or is over. While a silence holds it back nothing is due; where it was silent from the start, delays
 *   count from the end of the silence.
 * - `repeat` goes to everyone who was told, or should have been, each `repeat_interval`, until it is acknowledged or over.
 * - `resolve` and `acknowledge` go to everyone who was told of the firing, once, silence or not.
 * - An instance that begins to fire FLAPS times in FLAP_WINDOW_MS is flapping: that is told once, instead of each firing and its end.
 *   Once it burns for STABLE_MS it is told as any other; once it has been over for so long, the flapping is resolved.
 */
import { createHash } from "node:crypto";
import { durationSeconds } from "../../schema/duration.ts";
import type { AlertRule, Severity } from "../../schema/wire/index.ts";
import { CHANNELS } from "./channels/index.ts";
import type { NoticeKind } from "./message.ts";
import type { Destination } from "./recipients.ts";
import { type ActiveSilence, firstLoud, matches } from "./silence.ts";

/** One stretch from firing to ok of an instance. Milliseconds since the epoch. */
export interface Firing {
	readonly alert_id: string;
	readonly firing_id: string;
	readonly instance: string;
	readonly labels: Readonly<Record<string, string>>;
	readonly severity: Severity;
	readonly fired_at: number;
	/** When that was stored. */
	readonly recorded_at: number;
	readonly resolved_at: number | null;
	readonly acknowledged_at: number | null;
}

export type PlannedRule = Pick<AlertRule, "name" | "labels" | "escalation_policy" | "repeat_interval" | "group_by">;

/** A rule with the destinations that its names stand for. */
export interface RuleRoutes {
	readonly rule: PlannedRule;
	/** Whom the rule itself names. */
	readonly told: readonly Destination[];
	/** Whom the levels of the escalation name, one list a level. */
	readonly levels: readonly (readonly Destination[])[];
}

/** `planned` is due or under way, `told` reached the other side or may have. */
export type NoticeStatus = "planned" | "told" | "failed" | "cancelled";

/** Somebody to be told of one firing for one reason. */
export interface Notice {
	/** Says all of this, so that what is planned twice is the same. */
	readonly delivery_id: string;
	readonly message_id: string;
	readonly alert_id: string;
	readonly firing_id: string;
	readonly instance: string;
	readonly kind: NoticeKind;
	readonly level: number;
	readonly destination: Destination;
	/** Milliseconds since the epoch. */
	readonly created_at: number;
}
export interface KnownNotice extends Notice {
	readonly status: NoticeStatus;
}

export interface Standing {
	/** Those that burn, and those that were over not long ago. */
	readonly firings: readonly Firing[];
	/** By alert; a deleted rule is not there. */
	readonly rules: ReadonlyMap<string, RuleRoutes>;
	readonly notices: readonly KnownNotice[];
	readonly silences: readonly ActiveSilence[];
}

/** Instances that begin to fire one after the other become one message. */
export const GROUP_WAIT_MS = 10_000;
export const FLAPS = 5;
export const FLAP_WINDOW_MS = 3_600_000;
export const STABLE_MS = 900_000;

export function plan(standing: Standing, now: number): Notice[] {
	const { firings, rules, silences } = standing;
	const known = groupBy(standing.notices, ({ firing_id }) => firing_id);
	const byInstance = groupBy(firings, ({ alert_id, instance }) => `${alert_id} ${instance}`);
	const due: Due[] = [];
	for (const firing of firings) {
		const history = byInstance.get(`${firing.alert_id} ${firing.instance}`)!;
		const before = known.get(firing.firing_id) ?? [];
		if (firing.resolved_at === null && firing.acknowledged_at === null) {
			const routes = rules.get(firing.alert_id);
			if (routes) due.push(...dueOfFiring(firing, { routes, silences, history, before, known, now }));
		}
		due.push(...dueAfterwards(firing, { history, before, now }));
	}
	return toMessages(
		due.filter(({ notice }) => !isKnown(notice, known)),
		rules,
		now,
	);
}

/** What was planned before, by firing. */
type Known = ReadonlyMap<string, readonly KnownNotice[]>;
type Unsent = Omit<Notice, "message_id">;
interface Due {
	readonly notice: Unsent;
	/** Until then others may join its message. */
	readonly joinable_until: number;
}

interface Of {
	readonly history: readonly Firing[];
	readonly before: readonly KnownNotice[];
	readonly now: number;
}

interface OfBurning extends Of {
	readonly routes: RuleRoutes;
	readonly silences: readonly ActiveSilence[];
	readonly known: Known;
}

/** What is due of a firing that burns and nobody has acknowledged. */
function dueOfFiring(firing: Firing, { routes, silences, history, before, known, now }: OfBurning): Due[] {
	const { rule, told, levels } = routes;
	const matched = { ...firing, name: rule.name, labels: { ...rule.labels, ...firing.labels } };
	const holding = silences.filter(({ matchers }) => matches(matchers, matched));
	if (firstLoud(holding, now) > now) return [];
	const start = firstLoud(holding, firing.fired_at);
	const wait = rule.group_by.length > 0 ? firing.recorded_at + GROUP_WAIT_MS : 0;
	const make = (kind: NoticeKind, level: number, destination: Destination, count = 0): Due => ({
		notice: noticeOf(firing, { kind, level, destination, now, count }),
		joinable_until: kind === "repeat" ? 0 : wait,
	});
	const flapping = isFlapping(firing, history);
	const burns_from = flapping ? firing.fired_at + STABLE_MS : start;
	const due: Due[] = [];
	if (flapping) {
		// A rule that names nobody itself has a first level.
		for (const to of told.length > 0 ? told : (levels[0] ?? []))
			if (!knowsItFlaps(to, firing, history, known)) due.push(make("flapping", 0, to));
	}
	const policy = rule.escalation_policy?.levels ?? [];
	const steps = [
		{ level: 0, delay_ms: 0, to: told },
		...levels.map((to, i) => ({ level: i + 1, delay_ms: policy[i]!.delay_minutes * 60_000, to })),
	].filter(({ delay_ms }) => Math.max(start, burns_from) + delay_ms <= now);
	for (const [i, { level, delay_ms, to }] of steps.entries()) {
		// Who is named twice for one moment is told once.
		const already = steps
			.slice(0, i)
			.flatMap((step) => (step.delay_ms === delay_ms ? step.to.map(({ key }) => key) : []));
		for (const destination of to) if (!already.includes(destination.key)) due.push(make("fire", level, destination));
	}
	if (rule.repeat_interval === null) return due;
	const interval = durationSeconds(rule.repeat_interval) * 1_000;
	// Also of what was given up: a channel that took nothing may take the next one.
	for (const of of groupBy(before.filter(saysItBurns), ({ destination }) => destination.key).values()) {
		const last = of.reduce((a, b) => (b.created_at > a.created_at ? b : a));
		// While one is under way the next is not due, however late it is.
		const isUnderWay = of.some(({ status }) => status === "planned");
		const count = of.filter(({ kind }) => kind === "repeat").length + 1;
		if (!isUnderWay && now >= last.created_at + interval) due.push(make("repeat", last.level, last.destination, count));
	}
	return due;
}

/** What those are told who were told before: that somebody takes care of it, that it is over. */
function dueAfterwards(firing: Firing, { history, before, now }: Of): Due[] {
	const told = [...groupBy(before.filter(isTold), ({ destination }) => destination.key).values()];
	const kinds: NoticeKind[] = [];
	if (firing.acknowledged_at !== null && firing.resolved_at === null) kinds.push("acknowledge");
	if (firing.resolved_at !== null) kinds.push("resolve");
	return kinds.flatMap((kind) =>
		told.flatMap((of) => {
			const { destination } = of[0]!;
			const isUnderWay = before.some((one) => one.status === "planned" && one.destination.key === destination.key);
			const isQuiet = kind === "resolve" && of.some((one) => one.kind === "flapping") && !isStable(history, now);
			const isWanted = (CHANNELS[destination.type].kinds as readonly NoticeKind[]).includes(kind);
			if (!isWanted || isUnderWay || isQuiet) return [];
			return [{ notice: noticeOf(firing, { kind, level: 0, destination, now }), joinable_until: 0 }];
		}),
	);
}

/** Notices that are planned, and that nobody needs any more: what they say is not so now, or nobody is to hear it. */
export function outdated(notices: readonly KnownNotice[], firings: readonly Firing[]): KnownNotice[] {
	const byId = new Map(firings.map((firing) => [firing.firing_id, firing]));
	return notices.filter(({ status, kind, firing_id }) => {
		const firing = byId.get(firing_id);
		if (status !== "planned" || kind === "resolve") return false;
		if (!firing || firing.resolved_at !== null) return true;
		return kind !== "acknowledge" && firing.acknowledged_at !== null;
	});
}

function saysItBurns({ kind }: KnownNotice): boolean {
	return kind !== "resolve" && kind !== "acknowledge";
}

function isTold(notice: KnownNotice): boolean {
	return notice.status === "told" && saysItBurns(notice);
}

const begunBefore = (history: readonly Firing[], { fired_at }: Firing) =>
	history.filter((one) => one.fired_at <= fired_at && one.fired_at > fired_at - FLAP_WINDOW_MS).length;

export function isFlapping(firing: Firing, history: readonly Firing[]): boolean {
	return begunBefore(history, firing) >= FLAPS;
}

/** Whether an earlier firing told it, since it flaps: what was silenced or not taken was not told. */
function knowsItFlaps({ key }: Destination, firing: Firing, history: readonly Firing[], known: Known): boolean {
	const earlier = history.filter(({ fired_at }) => fired_at < firing.fired_at).sort((a, b) => b.fired_at - a.fired_at);
	const calm = earlier.findIndex((one) => !isFlapping(one, history));
	return earlier
		.slice(0, calm)
		.flatMap(({ firing_id }) => known.get(firing_id) ?? [])
		.some(({ kind, status, destination }) => kind === "flapping" && status !== "cancelled" && destination.key === key);
}

function isStable(history: readonly Firing[], now: number): boolean {
	return history.every(({ resolved_at }) => resolved_at !== null && resolved_at + STABLE_MS <= now);
}

function isKnown({ delivery_id, firing_id }: Unsent, known: Known): boolean {
	return known.get(firing_id)?.some((one) => one.delivery_id === delivery_id) ?? false;
}

function noticeOf(
	{ alert_id, firing_id, instance }: Firing,
	{ kind, level, destination, now, count = 0 }: NoticeParts,
): Unsent {
	const delivery_id = `dlv_${digest([alert_id, firing_id, level, destination.key, kind, count])}`;
	return { delivery_id, alert_id, firing_id, instance, kind, level, destination, created_at: now };
}
interface NoticeParts {
	readonly kind: NoticeKind;
	readonly level: number;
	readonly destination: Destination;
	readonly now: number;
	/** Of repetitions. */
	readonly count?: number;
}

/** Notices of one rule to one destination for one reason are one message, where the channel has such. */
function toMessages(due: readonly Due[], rules: ReadonlyMap<string, RuleRoutes>, now: number): Notice[] {
	const groups = groupBy(due, ({ notice: { alert_id, kind, level, destination, firing_id } }) => {
		const groups = CHANNELS[destination.type].groups && rules.has(alert_id);
		return JSON.stringify([alert_id, kind, level, destination.key, groups ? "" : firing_id]);
	});
	return [...groups.values()].flatMap((group) => {
		// As long as one may be joined, but never longer than the first has waited.
		if (Math.min(...group.map(({ joinable_until }) => joinable_until)) > now) return [];
		const message_id = `msg_${digest(group.map(({ notice }) => notice.delivery_id).sort())}`;
		return group.map(({ notice }) => ({ ...notice, message_id }));
	});
}

function digest(parts: readonly unknown[]): string {
	return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 24);
}

function groupBy<T>(all: readonly T[], keyOf: (one: T) => string): Map<string, T[]> {
	const groups = new Map<string, T[]>();
	for (const one of all) {
		const key = keyOf(one);
		const group = groups.get(key);
		if (group) group.push(one);
		else groups.set(key, [one]);
	}
	return groups;
}

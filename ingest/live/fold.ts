/** Folds what became durable into the frames that viewers are told. */
import type { LeftOut, LiveLog, LivePart } from "../../schema/live/frames.ts";
import { KEPT_ATTRIBUTES, KEPT_TAGS, keptValue } from "../../schema/live/kept-tags.ts";
import type { MetricKind } from "../../schema/wire/ingest.ts";
import { decodeBlock } from "../native/decode.ts";
import type { Tags } from "../series.ts";
import { type PointColumns, readEventNames } from "./block.ts";
import type { Running } from "./running.ts";
import type { WatchedProjects } from "./watched.ts";

/** Records further than this from now, in their own time, are history that is being filled in, not what is going on. */
export const LIVE_SPAN_MS = 5 * 60_000;
/** Different parts and lines in a frame; what is over that is counted. */
const MAX_PARTS = 20_000;
const MAX_LOGS = 200;
const EVENT_COLUMNS = new Set(["project", "event", "ts", "strings", "numbers"]);

class Part {
	readonly signal: LivePart["signal"];
	readonly name: string;
	readonly kind: MetricKind;
	readonly tags: Readonly<Record<string, string>>;
	n = 0;
	sum = 0;
	min = Number.POSITIVE_INFINITY;
	max = Number.NEGATIVE_INFINITY;
	last = 0;
	last_at = Number.NEGATIVE_INFINITY;

	constructor(signal: LivePart["signal"], name: string, kind: MetricKind, tags: Readonly<Record<string, string>>) {
		this.signal = signal;
		this.name = name;
		this.kind = kind;
		this.tags = tags;
	}

	add(value: number, ts: number): void {
		this.n++;
		this.sum += value;
		if (value < this.min) this.min = value;
		if (value > this.max) this.max = value;
		if (ts >= this.last_at) {
			this.last_at = ts;
			this.last = value;
		}
	}
}

/** What a frame of one project will say. */
export interface Folded {
	readonly parts: readonly LivePart[];
	readonly logs: readonly LiveLog[];
	readonly left_out: LeftOut;
}

interface Pile {
	readonly parts: Map<string, Part>;
	/** Parts of series that are told by tag, by kind and by the tags that the registry holds: most points find theirs here. */
	readonly bySeries: Map<MetricKind, Map<Tags, Part>>;
	readonly logs: LiveLog[];
	readonly left_out: { metrics: number; logs: number };
}

export interface FoldOptions {
	readonly watched: WatchedProjects;
	/** Tags of a series by the halves of its id; undefined when they are not known any more. */
	readonly tagsOf: (high: number, low: number) => Tags | undefined;
	readonly running: Running;
}

/** Gathers parts and lines by project until they are taken. */
export class Fold {
	readonly #options: FoldOptions;
	#piles = new Map<string, Pile>();

	constructor(options: FoldOptions) {
		this.#options = options;
	}

	get isEmpty(): boolean {
		return this.#piles.size === 0;
	}

	/** What was gathered, by project; gathering begins anew. */
	take(): Map<string, Folded> {
		const piles = this.#piles;
		this.#piles = new Map();
		return new Map(
			[...piles].map(([project, { parts, logs, left_out }]) => [
				project,
				{ logs, left_out, parts: [...parts.values()] },
			]),
		);
	}

	/** @param now milliseconds since the epoch */
	points(block: PointColumns, now: number): void {
		const { count, project, name, kind, ids, times, values } = block;
		const { running } = this.#options;
		const names = name.keys.length;
		const kinds = kind?.keys.length ?? 1;
		// What a combination of project, name and kind is folded into: nothing when nobody watches, a part when it is told by no tag.
		const plans: (Plan | null | undefined)[] = new Array(project.keys.length * names * kinds);
		for (let row = 0; row < count; row++) {
			const p = project.rows[row]!;
			const k = kind?.rows[row] ?? 0;
			// The high half is signed, for times before 1970.
			const ts = (times[2 * row + 1]! | 0) * 2 ** 32 + times[2 * row]!;
			let value: number | undefined = values[row]!;
			// Of all series, also of those that nobody watches: who does later must not see as one what grew until then.
			if (kind === undefined) value = running.increase(ids[2 * row + 1]!, ids[2 * row]!, ts, value);
			const place = (p * names + name.rows[row]!) * kinds + k;
			let plan = plans[place];
			if (plan === undefined) {
				const kindOf = kind === undefined ? "cumulative" : (kind.keys[k] as MetricKind);
				plan = this.#plan(project.keys[p]!, name.keys[name.rows[row]!]!, kindOf);
				plans[place] = plan;
			}
			if (plan === null || value === undefined || ts < now - LIVE_SPAN_MS || ts > now + LIVE_SPAN_MS) continue;
			const part = plan.kept === undefined ? plan.part() : plan.partOf(ids[2 * row + 1]!, ids[2 * row]!);
			if (part) part.add(value, ts);
			else plan.pile.left_out.metrics++;
		}
	}

	/** Lines of watched projects. @param block of the table `logs` */
	logs(block: Buffer): void {
		const { rows, columns } = decodeBlock(block);
		const text = (name: string, row: number) => columns.get(name)![row] as string;
		for (let row = 0; row < rows; row++) {
			const project = text("project", row);
			if (!this.#options.watched.get(project)?.logs) continue;
			const pile = this.#pile(project);
			if (pile.logs.length === MAX_LOGS) {
				pile.left_out.logs++;
				continue;
			}
			pile.logs.push({
				ts: columns.get("ts")![row] as number,
				id: String(columns.get("id")![row]),
				...{ level: text("level", row), component: text("component", row), message: text("message", row) },
				...{ context: text("context", row), trace_id: text("trace_id", row), span_id: text("span_id", row) },
			});
		}
	}

	/** Events of watched names. @param block of the table `events` @param now milliseconds since the epoch */
	events(block: Buffer, now: number): void {
		const { watched } = this.#options;
		const names = readEventNames(block);
		const isWatched = names.project.keys.some((project) =>
			names.event.keys.some((event) => watched.get(project)?.matches(event)),
		);
		if (!isWatched) return;
		const { rows, columns } = decodeBlock(block, EVENT_COLUMNS);
		for (let row = 0; row < rows; row++) {
			const project = columns.get("project")![row] as string;
			const name = columns.get("event")![row] as string;
			const ts = columns.get("ts")![row] as number;
			if (!watched.get(project)?.matches(name) || Math.abs(ts - now) > LIVE_SPAN_MS) continue;
			const keep = Object.hasOwn(KEPT_ATTRIBUTES, name) ? KEPT_ATTRIBUTES[name] : undefined;
			const { tags, value } = keep?.({
				strings: columns.get("strings")![row] as ReadonlyMap<string, string>,
				numbers: columns.get("numbers")![row] as ReadonlyMap<string, number>,
			}) ?? { tags: {}, value: 0 };
			const pile = this.#pile(project);
			const part = partIn(
				pile,
				`event\0${name}\0${JSON.stringify(tags)}`,
				() => new Part("event", name, "counter", tags),
			);
			if (part) part.add(value, ts);
			else pile.left_out.metrics++;
		}
	}

	#plan(project: string, name: string, kind: MetricKind): Plan | null {
		if (!this.#options.watched.get(project)?.matches(name)) return null;
		return new Plan(this.#pile(project), name, kind, this.#options.tagsOf);
	}

	#pile(project: string): Pile {
		let pile = this.#piles.get(project);
		if (!pile) {
			pile = { parts: new Map(), bySeries: new Map(), logs: [], left_out: { metrics: 0, logs: 0 } };
			this.#piles.set(project, pile);
		}
		return pile;
	}
}

/** How points of one name and kind find their part. */
class Plan {
	readonly pile: Pile;
	readonly kept: readonly string[] | undefined;
	readonly #name: string;
	readonly #kind: MetricKind;
	readonly #tagsOf: FoldOptions["tagsOf"];
	readonly #bySeries: Map<Tags, Part>;
	/** Of the one that is told by no tag. */
	#only: Part | undefined;

	constructor(pile: Pile, name: string, kind: MetricKind, tagsOf: FoldOptions["tagsOf"]) {
		this.pile = pile;
		this.kept = Object.hasOwn(KEPT_TAGS, name) ? KEPT_TAGS[name] : undefined;
		this.#name = name;
		this.#kind = kind;
		this.#tagsOf = tagsOf;
		let bySeries = pile.bySeries.get(kind);
		if (!bySeries) {
			bySeries = new Map();
			pile.bySeries.set(kind, bySeries);
		}
		this.#bySeries = bySeries;
	}

	part(): Part | undefined {
		this.#only ??= this.#find("", () => ({}));
		return this.#only;
	}

	/** Undefined when the frame is full, or the series is not known any more: its number would be one of something else. */
	partOf(high: number, low: number): Part | undefined {
		const tags = this.#tagsOf(high, low);
		if (tags === undefined) return undefined;
		const known = this.#bySeries.get(tags);
		if (known) return known;
		const kept = this.kept!;
		let key = "";
		for (const [tag, value] of tags) if (kept.includes(tag)) key += `${tag}\0${keptValue(tag, value)}\0`;
		const part = this.#find(key, () =>
			Object.fromEntries(
				tags.filter(([tag]) => kept.includes(tag)).map(([tag, value]) => [tag, keptValue(tag, value)]),
			),
		);
		if (part) this.#bySeries.set(tags, part);
		return part;
	}

	#find(key: string, tags: () => Readonly<Record<string, string>>): Part | undefined {
		const whole = `${this.#kind}\0${this.#name}\0${key}`;
		return partIn(this.pile, whole, () => new Part("metric", this.#name, this.#kind, tags()));
	}
}

/** Undefined when the frame is full. */
function partIn({ parts }: Pile, key: string, make: () => Part): Part | undefined {
	let part = parts.get(key);
	if (!part && parts.size < MAX_PARTS) {
		part = make();
		parts.set(key, part);
	}
	return part;
}

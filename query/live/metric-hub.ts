import type { LiveFrame, LivePart } from "../../schema/live/frames.ts";
import type { LiveAggregation } from "./catalogue.ts";
import type { LiveFeed, Watcher } from "./feed.ts";
import { Gathered } from "./gathered.ts";
import { interestOf, type Output, Outputs, type Subscription } from "./subscription.ts";
import type { Viewer } from "./viewer.ts";

export interface LiveValue {
	readonly metric: string;
	readonly value: number;
	readonly aggregation: LiveAggregation;
	/** Milliseconds since the epoch, of the newest record in it. */
	readonly at: number;
}

/** How the messages of a kind of stream look. */
export interface Shape {
	/** Whether all metrics go into one message, which is then sent in every interval, or each into one of its own, when it has data. */
	readonly together: boolean;
	/** @param values in the order of their metrics; @param now milliseconds since the epoch */
	readonly encode: (
		values: readonly LiveValue[],
		about: { interval_seconds: number; snapshot: boolean; now: number },
	) => Buffer;
	readonly encodeGap: (gap: Gap) => Buffer;
}

/** What viewers do not see. */
export interface Gap {
	/** Messages between processes that did not arrive. */
	readonly missed_frames: number;
	/** Records that ingest left out, because there were too many to tell of. */
	readonly left_out: number;
	/** Milliseconds in which nothing of other processes was heard. */
	readonly interrupted_ms: number;
}

const NO_GAP: Gap = { missed_frames: 0, left_out: 0, interrupted_ms: 0 };

export interface HubOptions {
	readonly project: string;
	readonly subscription: Subscription;
	readonly shape: Shape;
	readonly feed: LiveFeed;
	/** What was stored lately; nothing when that cannot be told. Never rejects. */
	readonly recent: (subscription: Subscription, now: number) => Promise<readonly LivePart[]>;
	/** Milliseconds since the epoch. */
	readonly now: () => number;
}

/** Metrics of one hub; a pattern may fit more than anybody can look at. */
const MAX_METRICS = 5_000;
/** The group of everything. */
const ALL = "";
/** Who sends once an interval may be this late before viewers are told that there is nothing. */
const PATIENCE_MS = 1_000;

/** What is sent together, at most once an interval. */
interface Group {
	readonly outputs: Map<string, { readonly output: Output; gathered: Gathered }>;
	/** When data may go out; what comes later than that goes at once. */
	due: number;
	/** When viewers are told that there is none. */
	empty_due: number;
	hasData: boolean;
}

/**
 * One subscription of one project, whoever watches it: it gathers what ingest tells, and once an interval works out every value and
 * writes one message, the same bytes for all viewers.
 */
export class MetricHub implements Watcher {
	readonly #options: HubOptions;
	readonly #outputs: Outputs;
	readonly #interval_ms: number;
	readonly #viewers = new Set<Viewer>();
	readonly #groups = new Map<string, Group>();
	/** The last message of each group, for those who come later. */
	readonly #latest = new Map<string, Buffer>();
	readonly #end: () => void;
	#metrics = 0;
	#timer: NodeJS.Timeout | undefined;
	#timer_at = Number.POSITIVE_INFINITY;
	#gap = { ...NO_GAP };
	#hasGap = false;
	/** What comes before the snapshot is there waits for it. */
	#hasBegun = false;
	#isClosed = false;

	constructor(options: HubOptions) {
		const { feed, project, subscription, shape, now } = options;
		this.#options = options;
		this.#outputs = new Outputs(subscription);
		this.#interval_ms = subscription.interval_seconds * 1_000;
		this.#end = feed.watch(project, { names: interestOf(subscription), logs: false }, this);
		if (shape.together) this.#groups.set(ALL, newGroup(now() + this.#interval_ms));
		void this.#begin();
	}

	get size(): number {
		return this.#viewers.size;
	}

	add(viewer: Viewer): void {
		this.#viewers.add(viewer);
		// The others still wait for the snapshot, and so does this one.
		if (this.#hasBegun) viewer.send([...this.#latest.values()]);
	}

	delete(viewer: Viewer): void {
		this.#viewers.delete(viewer);
	}

	close(): void {
		this.#isClosed = true;
		this.#end();
		clearTimeout(this.#timer);
	}

	frame({ parts, left_out }: LiveFrame, missed: number): void {
		this.#addGap({ missed_frames: missed, left_out: left_out.metrics });
		for (const part of parts) this.#gather(part);
		if (this.#hasBegun) this.#send();
	}

	interrupted(away_ms: number): void {
		this.#addGap({ interrupted_ms: Math.round(away_ms) });
		if (this.#hasBegun) this.#send();
	}

	#addGap({ missed_frames = 0, left_out = 0, interrupted_ms = 0 }: Partial<Gap>): void {
		if (missed_frames + left_out + interrupted_ms === 0) return;
		this.#hasGap = true;
		this.#gap = {
			missed_frames: this.#gap.missed_frames + missed_frames,
			left_out: this.#gap.left_out + left_out,
			interrupted_ms: this.#gap.interrupted_ms + interrupted_ms,
		};
	}

	/** The snapshot: what was stored in the last interval, and the last values of gauges. */
	async #begin(): Promise<void> {
		const { recent, subscription, now, shape } = this.#options;
		const at = now();
		const parts = await recent(subscription, at);
		const outputs = new Map<Output, Gathered>();
		for (const part of parts) {
			for (const output of this.#outputs.of(part.name)) {
				const gathered = outputs.get(output) ?? new Gathered();
				gathered.add(part);
				outputs.set(output, gathered);
			}
		}
		const values = valuesOf(
			[...outputs].map(([output, gathered]) => ({ output, gathered })),
			subscription,
		);
		if (this.#isClosed) return;
		const about = { interval_seconds: subscription.interval_seconds, snapshot: true, now: at };
		for (const [group, of] of shape.together ? [[ALL, values] as const] : values.map((v) => [v.metric, [v]] as const)) {
			this.#latest.set(group, shape.encode(of, about));
		}
		this.#hasBegun = true;
		this.#broadcast([...this.#latest.values()]);
		this.#send();
	}

	#gather(part: LivePart): void {
		for (const output of this.#outputs.of(part.name)) {
			const key = this.#options.shape.together ? ALL : output.metric;
			let group = this.#groups.get(key);
			if (!group) {
				group = newGroup(Number.POSITIVE_INFINITY);
				this.#groups.set(key, group);
			}
			let place = group.outputs.get(output.metric);
			if (!place) {
				if (this.#metrics === MAX_METRICS) {
					this.#addGap({ left_out: part.n });
					continue;
				}
				this.#metrics++;
				place = { output, gathered: new Gathered() };
				group.outputs.set(output.metric, place);
			}
			place.gathered.add(part);
			group.hasData = true;
		}
	}

	/** Sends what is due, and sees to it that what is not yet due will be. */
	#send(): void {
		const { now, shape, subscription } = this.#options;
		const at = now();
		const messages: Buffer[] = [];
		if (this.#hasGap) {
			messages.push(shape.encodeGap(this.#gap));
			this.#gap = NO_GAP;
			this.#hasGap = false;
		}
		for (const [key, group] of this.#groups) {
			if (!group.hasData && !shape.together) continue;
			const due = group.hasData ? group.due : group.empty_due;
			if (due > at) {
				this.#plan(due);
				continue;
			}
			const values = valuesOf([...group.outputs.values()], subscription);
			const message = shape.encode(values, {
				...{ interval_seconds: subscription.interval_seconds, snapshot: false, now: at },
			});
			messages.push(message);
			this.#latest.set(key, message);
			this.#next(group, at);
			if (shape.together) this.#plan(group.empty_due);
		}
		this.#broadcast(messages);
	}

	#next(group: Group, at: number): void {
		if (group.hasData) {
			// On its own beat while data comes, so that no interval is longer than it says.
			group.due = (at - group.due < this.#interval_ms ? group.due : at) + this.#interval_ms;
			group.empty_due = group.due + PATIENCE_MS;
			for (const place of group.outputs.values()) if (!place.gathered.isEmpty) place.gathered = new Gathered();
		} else group.empty_due = at + this.#interval_ms;
		group.hasData = false;
	}

	#plan(at: number): void {
		if (at >= this.#timer_at) return;
		clearTimeout(this.#timer);
		this.#timer_at = at;
		this.#timer = setTimeout(
			() => {
				this.#timer_at = Number.POSITIVE_INFINITY;
				this.#send();
			},
			Math.max(0, at - this.#options.now()),
		);
	}

	#broadcast(messages: readonly Buffer[]): void {
		if (messages.length === 0) return;
		for (const viewer of this.#viewers) viewer.send(messages);
	}
}

function newGroup(empty_due: number): Group {
	return { outputs: new Map(), due: Number.NEGATIVE_INFINITY, empty_due, hasData: false };
}

function valuesOf(
	places: readonly { readonly output: Output; readonly gathered: Gathered }[],
	{ interval_seconds }: Subscription,
): LiveValue[] {
	return places.flatMap(({ output: { metric, value: of }, gathered }) => {
		const parts = gathered.all();
		if (parts.length === 0) return [];
		const { value, aggregation } = of(parts, interval_seconds);
		if (value === null || !Number.isFinite(value)) return [];
		return [{ metric, value, aggregation, at: parts.reduce((max, part) => Math.max(max, part.last_at), 0) }];
	});
}

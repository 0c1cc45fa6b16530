/** One connection of `WS /ws/analytics/realtime`: what it subscribes to, and what it is told. */
import { ApiError, badParameter, toApiError } from "../../http/errors.ts";
import { realtimeRequest } from "../../schema/wire/index.ts";
import type { Hubs } from "./hubs.ts";
import { MESSAGE_SHAPE } from "./shapes.ts";
import { assertNames, MAX_NAMES, subscriptionOf } from "./subscription.ts";
import type { Viewer } from "./viewer.ts";

export interface RealtimeOptions {
	readonly project: string;
	readonly viewer: Viewer;
	readonly hubs: Hubs;
	/** Refuses names that nothing is known of. @throws ApiError 400 */
	readonly assertKnown: (names: readonly string[]) => Promise<void>;
	/** Milliseconds of a clock that only moves forward. */
	readonly clock: () => number;
}

/** A client that says more than this in a second is not one that changes its mind. */
const MAX_REQUESTS_PER_SECOND = 20;

export class Realtime {
	readonly #options: RealtimeOptions;
	/** Interval by name or pattern. */
	#names = new Map<string, number>();
	#ends: (() => void)[] = [];
	/** Until the client says what it wants. */
	#isDefault = true;
	/** One request after the other: looking up names takes its time. */
	#last: Promise<void> = Promise.resolve();
	#second = 0;
	#requests = 0;
	#isClosed = false;

	constructor(options: RealtimeOptions) {
		this.#options = options;
	}

	/** What the connection begins with; the first request of the client takes its place. */
	begin(names: readonly string[], interval_seconds: number): void {
		for (const name of names) this.#names.set(name, interval_seconds);
		this.#apply();
	}

	hear(text: string): void {
		const { viewer, clock } = this.#options;
		const second = Math.floor(clock() / 1_000);
		if (second !== this.#second) this.#requests = 0;
		this.#second = second;
		if (++this.#requests > MAX_REQUESTS_PER_SECOND) {
			viewer.end({ code: 1008, reason: `more than ${MAX_REQUESTS_PER_SECOND} messages in a second` });
			return;
		}
		this.#last = this.#last.then(() => this.#answer(text)).catch((error: unknown) => this.#refuse(error));
	}

	close(): void {
		this.#isClosed = true;
		this.#leave();
	}

	async #answer(text: string): Promise<void> {
		const request = parse(text);
		if (request.type === "unsubscribe") {
			const names = request.metrics ?? [...this.#names.keys()];
			for (const name of names) this.#names.delete(name);
			this.#isDefault = false;
			this.#apply();
			this.#options.viewer.tell("unsubscribed", { metrics: names });
			return;
		}
		const { metrics, interval_seconds } = request;
		assertNames(metrics);
		await this.#options.assertKnown(metrics);
		const names = new Map(this.#isDefault ? [] : this.#names);
		for (const name of metrics) names.set(name, interval_seconds);
		assertNames([...names.keys()]);
		this.#names = names;
		this.#isDefault = false;
		this.#options.viewer.tell("subscribed", { metrics, interval_seconds });
		this.#apply();
	}

	#refuse(error: unknown): void {
		const { message, status, extra } = toApiError(error);
		this.#options.viewer.tell("error", { error: message, code: status, ...extra });
	}

	/** Joins the hubs of what is subscribed to now, one for each interval. */
	#apply(): void {
		this.#leave();
		if (this.#isClosed || this.#names.size === 0) return;
		const { project, viewer, hubs } = this.#options;
		const intervals = new Set(this.#names.values());
		this.#ends = [...intervals].map((interval_seconds) => {
			const names = [...this.#names].filter(([, of]) => of === interval_seconds).map(([name]) => name);
			return hubs.joinMetrics(project, subscriptionOf(names, interval_seconds), MESSAGE_SHAPE, viewer);
		});
		this.#ends.push(hubs.joinAlerts(project, (alert) => viewer.wire.encode("alert", alert), viewer));
	}

	#leave(): void {
		for (const end of this.#ends) end();
		this.#ends = [];
	}
}

function parse(text: string) {
	let input: unknown;
	try {
		input = JSON.parse(text);
	} catch {
		throw new ApiError(400, "The message is not JSON");
	}
	const parsed = realtimeRequest.safeParse(input);
	if (parsed.success) return parsed.data;
	const issue = parsed.error.issues[0]!;
	throw badParameter({
		parameter: issue.path.join(".") || "type",
		provided: issue.code === "unrecognized_keys" ? issue.keys[0] : ((input as { type?: unknown } | null)?.type ?? null),
		valid_options: ["subscribe", "unsubscribe"],
		message: `The message is neither a subscribe nor an unsubscribe of at most ${MAX_NAMES} names`,
		reason: issue.message,
	});
}

/** What the families of a report's metrics find. */
import type { ReportPeriod } from "../../schema/reports/period.ts";
import type { Signals } from "../measures/signals.ts";
import { isOfEvents } from "../meta.ts";
import { assertEventsKept, RetentionError } from "../plan/plan.ts";
import type { Buckets } from "../time/buckets.ts";
import type { Asked, Kind, Part, ReportMetric } from "./catalogue.ts";

type Family = ReportMetric["family"];

/** Of each family its parts. */
export type Found = ReadonlyMap<Family, readonly Part<unknown>[]>;

export interface Cut {
	/** None: the span in one. */
	readonly buckets?: Buckets | undefined;
	readonly by?: readonly Kind[];
}

export class FamilyParts {
	readonly #around: Omit<Asked, "scope">;

	constructor(around: Omit<Asked, "scope">) {
		this.#around = around;
	}

	/** @throws RetentionError when one of them counts what is not kept any longer */
	async of(metrics: readonly ReportMetric[], span: ReportPeriod, cut: Cut = {}): Promise<Found> {
		return new Map(await Promise.all(familiesOf(metrics).map((family) => this.#ask(family, span, cut))));
	}

	/** Those that are kept: the window before may reach further back. */
	async ifKept(metrics: readonly ReportMetric[], span: ReportPeriod, cut: Cut = {}): Promise<Found> {
		const found = familiesOf(metrics).map((family) => this.#ask(family, span, cut).catch(ifGone));
		return new Map((await Promise.all(found)).filter((one) => one !== undefined));
	}

	async #ask(family: Family, { start, end }: ReportPeriod, { buckets, by = [] }: Cut) {
		const { asking } = this.#around;
		if (isOfEvents(family.needs)) assertEventsKept(start, asking);
		const scope = { start, end, buckets, now: asking.now, reach: asking.reach };
		return [family, await family.parts({ ...this.#around, scope }, by)] as const;
	}
}

function familiesOf(metrics: readonly ReportMetric[]): Family[] {
	return [...new Set(metrics.map(({ family }) => family))];
}

function ifGone(error: unknown): undefined {
	if (!(error instanceof RetentionError)) throw error;
}

/** Of the bucket that begins at `t` (epoch seconds), or of the whole at 0. */
export function valueAt(found: Found, metric: ReportMetric, t: number): number | null {
	const part = found.get(metric.family)?.find((one) => one.t === t);
	return part === undefined ? null : metric.value(part.value as never);
}

export function wholeOf(found: Found, metric: ReportMetric, sent: Signals): number | null {
	return found.has(metric.family) ? (valueAt(found, metric, 0) ?? (metric.isSent?.(sent) ? 0 : null)) : null;
}

/** By the start of the bucket; those without any are absent. */
export function valuesOf(found: Found, metric: ReportMetric): Map<number, number> {
	const parts = found.get(metric.family) ?? [];
	return new Map(parts.map(({ t, value }) => [t, metric.value(value as never) ?? 0]));
}

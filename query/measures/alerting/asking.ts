import { DefinitionError } from "../../../schema/definitions.ts";
import type { Kpi } from "../../../schema/wire/index.ts";
import { type Reach, RetentionError } from "../../plan/plan.ts";
import type { Question } from "../../sql.ts";

/** Of a measure; for those who may not look further than measures. */
export type AskedQuestion<T> = Question<T>;

/** What conditions are asked with: one project, and what is not a measure's to know. */
export interface AlertAsking {
	/** @throws ApiError 422 over a limit, 503 when ClickHouse is away */
	ask<T>(question: Question<T>): Promise<T>;
	/** The real clock, milliseconds since the epoch: retention does not wait. */
	readonly now: number;
	readonly reach: Reach;
	readonly kpi: (id: string) => Promise<Kpi | undefined>;
	/** State of all components at an instant, 0 to 100; null without one. */
	readonly healthScore: (at_ms: number) => Promise<number | null>;
}

/** A value of a label set at an instant; null says that there is no evidence. */
export interface Point {
	readonly group: readonly string[];
	/** The instant, epoch seconds: the end of the window that it is of. */
	readonly t: number;
	readonly value: number | null;
}

/** By label set (its values as JSON), then by instant in epoch seconds. */
export type Values = ReadonlyMap<string, ReadonlyMap<number, number>>;

export interface Found {
	readonly values: Values;
	/** What a label set without a value stands for at an instant: 0 where things are counted that were sent before, else unknown. */
	readonly missing: (t: number) => number | null;
}

/** A condition that cannot be evaluated, whatever the data: a KPI that is gone, a question that is too big. */
export class ConditionError extends Error {
	override readonly name = "ConditionError";
}

const unknown = () => null;

export function foundOf(points: readonly Point[], missing: Found["missing"] = unknown): Found {
	const values = new Map<string, Map<number, number>>();
	for (const { group, t, value } of points) {
		if (value === null || !Number.isFinite(value)) continue;
		const key = JSON.stringify(group);
		const of = values.get(key) ?? new Map<number, number>();
		values.set(key, of.set(t, value));
	}
	return { values, missing };
}

/** Whether an evaluation that failed like this would fail again: the question is refused, not the engine away. */
export function isLasting(error: unknown): error is Error {
	if (error instanceof ConditionError || error instanceof RetentionError || error instanceof DefinitionError)
		return true;
	const status = error instanceof Error ? (error as { status?: unknown }).status : undefined;
	return typeof status === "number" && status >= 400 && status < 500;
}

/** Stretches of a load test with equally many virtual users. */
import type { LoadMark } from "./samples.ts";

export interface Step {
	readonly vus: number;
	/** Parts `[from, to)` of the window. */
	readonly from: number;
	readonly to: number;
}

/** More are ramps: then levels are told apart by tenths of the highest. */
const MAX_STEPS = 20;

/** Virtual users by part as marks tell them: each start holds until the next mark. */
export function usersByMarks(
	marks: readonly LoadMark[],
	{ start, part_ms, parts }: { readonly start: number; readonly part_ms: number; readonly parts: number },
): Map<number, number> {
	const users = new Map<number, number>();
	for (let part = 0; part < parts; part++) {
		const middle = start + (part + 0.5) * part_ms;
		const last = marks.findLast(({ ts }) => ts <= middle);
		if (last?.event === "load_test.started" && last.vus !== null) users.set(part, last.vus);
	}
	return users;
}

/** Neighbouring parts of one level; a part nobody knows of ends a step. */
export function stepsOf(users: ReadonlyMap<number, number>): Step[] {
	const exact = merged(users, (vus) => Math.round(vus));
	if (exact.length <= MAX_STEPS) return exact;
	const tenth = Math.max(...users.values()) / 10;
	return merged(users, (vus) => Math.round(Math.ceil(vus / tenth) * tenth));
}

function merged(users: ReadonlyMap<number, number>, levelOf: (vus: number) => number): Step[] {
	const steps: Step[] = [];
	for (const [part, vus] of [...users].sort(([a], [b]) => a - b)) {
		const level = levelOf(vus);
		const last = steps.at(-1);
		if (last?.vus === level && last.to === part) steps[steps.length - 1] = { ...last, to: part + 1 };
		else steps.push({ vus: level, from: part, to: part + 1 });
	}
	return steps;
}

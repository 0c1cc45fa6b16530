import { describe, expect, test } from "vitest";
import { convergenceOf, roundsOf, statusOf } from "./convergence.ts";
import type { RoundReport, TrainingSession } from "./training.ts";

const MINUTE = 60_000;
const SESSION: TrainingSession = {
	session_id: "s",
	model: "m",
	target_metric: "accuracy",
	target_value: 0.9,
	baseline_value: 0.8,
	started: 0,
	ended: null,
	end_status: "",
};
const report = (round: number, numbers: Record<string, number>, some: Partial<RoundReport> = {}): RoundReport => ({
	session_id: "s",
	round,
	at: round * MINUTE,
	central: false,
	numbers,
	...some,
});
const of = (reports: readonly RoundReport[], session: Partial<TrainingSession> = {}) =>
	convergenceOf({ ...SESSION, ...session }, roundsOf(reports));

describe("a training has converged", () => {
	test("when the metric of its last round reaches the target, not when an earlier one did", () => {
		const [below, above] = [report(1, { accuracy: 0.89 }), report(2, { accuracy: 0.9 })];
		expect(of([below, above])).toMatchObject({ achieved: true, reason: "target_reached", final_accuracy: 0.9 });
		expect(of([{ ...below, round: 3 }, above])).toMatchObject({ achieved: false, reason: "not_yet" });
	});

	test("when its loss has not changed by a thousandth over five rounds", () => {
		const flat = [2, 1, 0.9999, 0.9997, 0.9995, 0.9992].map((loss, i) => report(i + 1, { loss, accuracy: 0.5 }));
		expect(of(flat)).toMatchObject({ achieved: true, reason: "plateau" });
		expect(of(flat.slice(0, 5))).toMatchObject({ achieved: false, reason: "not_yet" });
		expect(of(flat.slice(1, 5))).toMatchObject({ achieved: false });
		const steps = [1, 0.9997, 0.9994, 0.9991, 0.9988].map((loss, i) => report(i, { loss, accuracy: 0.5 }));
		expect(of(steps)).toMatchObject({ achieved: false });
	});

	test("by a loss as its target when it is as low", () => {
		const session = { target_metric: "loss", target_value: 0.5, baseline_value: 2 };
		expect(of([report(1, { loss: 0.4 })], session)).toMatchObject({ achieved: true, improvement: 1.6 });
		expect(of([report(1, { loss: 0.6 })], session)).toMatchObject({ achieved: false, final_accuracy: null });
	});

	test("or nobody knows: no round, no metric, a target without its metric", () => {
		expect(of([])).toEqual({ achieved: null, reason: null, final_accuracy: null, improvement: null });
		expect(of([report(1, {})])).toMatchObject({ achieved: null });
		expect(of([report(1, { loss: 1 })])).toMatchObject({ achieved: null });
		expect(of([report(1, { loss: 1 })], { target_value: null })).toMatchObject({ achieved: false });
	});
});

test("a central evaluation goes before federated ones, whichever came last; those are weighted by their examples", () => {
	const federated = [
		report(1, { accuracy: 0.5, num_examples: 100 }),
		report(1, { accuracy: 0.8, num_examples: 300 }, { at: 9 * MINUTE }),
	];
	expect(of(federated).final_accuracy).toBeCloseTo(0.725, 12);
	expect(of([report(1, { accuracy: 0.6 }, { central: true }), ...federated]).final_accuracy).toBe(0.6);
	// A central report of an earlier round is not of the last one.
	expect(of([report(0, { accuracy: 0.6 }, { central: true }), ...federated]).final_accuracy).toBeCloseTo(0.725, 12);
	// A central report without the metric says nothing of it.
	expect(of([report(1, { loss: 1 }, { central: true }), ...federated]).final_accuracy).toBeCloseTo(0.725, 12);
});

test("improvement is over the baseline, or over round 0 where the start names none", () => {
	const rounds = [report(0, { accuracy: 0.5 }), report(1, { accuracy: 0.7 })];
	expect(of(rounds).improvement).toBeCloseTo(-0.1, 12);
	expect(of(rounds, { baseline_value: null }).improvement).toBeCloseTo(0.2, 12);
	expect(of(rounds.slice(1), { baseline_value: null }).improvement).toBeNull();
});

describe("a session without an end", () => {
	const status = (as_of: number, reports: readonly RoundReport[], session: Partial<TrainingSession> = {}) =>
		statusOf({ ...SESSION, ...session }, roundsOf(reports), as_of);

	test("runs for an hour after its start or its last round", () => {
		expect(status(60 * MINUTE - 1, [])).toBe("running");
		expect(status(60 * MINUTE, [])).toBe("stalled");
		expect(status(61 * MINUTE - 1, [report(1, {})])).toBe("running");
		expect(status(61 * MINUTE, [report(1, {})])).toBe("stalled");
	});

	test("runs for six of its median round times when those are longer", () => {
		const slow = [20, 60, 100, 190].map((minutes, i) => report(i + 1, {}, { at: minutes * MINUTE }));
		// 20, 40, 40 and 90 minutes: their median is 40.
		expect(status((190 + 240) * MINUTE - 1, slow)).toBe("running");
		expect(status((190 + 240) * MINUTE, slow)).toBe("stalled");
	});

	test("is what its end says once there is one", () => {
		expect(status(999 * MINUTE, [], { ended: 5, end_status: "failed" })).toBe("failed");
		expect(status(999 * MINUTE, [], { ended: 5 })).toBe("ended");
	});
});

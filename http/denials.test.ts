import { expect, test } from "vitest";
import type { AuditEntry } from "../schema/audit.ts";
import type { AnsweredRequest } from "./app.ts";
import { Denials } from "./denials.ts";

const START = Date.UTC(2026, 10, 22);
const counts = (rows: readonly AuditEntry[]) => rows.map(({ detail }) => detail!.count as number);
const request = (n: number, changes: Partial<AnsweredRequest> = {}): AnsweredRequest => ({
	...{ method: "POST", route: "/v1/keys", status: 403, duration_s: 0, requestId: `r${n}`, project: "p" },
	denial: { key_id: "key_a", project: "p", reason: "role", required_role: "admin" },
	...changes,
});

function told(maxKinds?: number) {
	const rows: AuditEntry[] = [];
	let now = START;
	let isAway = false;
	const denials = new Denials({
		append: async (entry) => {
			if (isAway) throw new Error("away");
			rows.push(entry);
		},
		now: () => now,
		...(maxKinds === undefined ? {} : { maxKinds }),
	});
	return {
		...{ rows, denials },
		later: (ms: number) => {
			now += ms;
		},
		away: (is: boolean) => {
			isAway = is;
		},
	};
}

test("the first is told at once, a flood after it is one row a minute that says how many, and none is lost", async () => {
	const { rows, denials, later } = told();
	denials.note(request(0));
	await denials.flush();
	expect(rows).toEqual([
		{
			...{ project: "p", actor: "key_a", action: "access.denied", target: "POST /v1/keys", request_id: "r0" },
			detail: {
				...{ status: 403, reason: "role", required_role: "admin", count: 1 },
				...{ first_at: "2026-11-22T00:00:00.000Z", last_at: "2026-11-22T00:00:00.000Z" },
			},
		},
	]);
	for (let i = 1; i <= 59_999; i++) {
		later(1);
		denials.note(request(i));
		if (i % 1_000 === 0) await denials.flush();
	}
	expect(rows).toHaveLength(1);
	later(1);
	await denials.flush();
	expect(counts(rows)).toEqual([1, 59_999]);
	expect(rows[1]!.detail).toMatchObject({ first_at: "2026-11-22T00:00:00.001Z", last_at: "2026-11-22T00:00:59.999Z" });
});

test("requests that were let in, and those of nobody known, are none", async () => {
	const { rows, denials } = told();
	denials.note(request(0, { denial: undefined, status: 401 }));
	await denials.flush(true);
	expect(rows).toEqual([]);
});

test("what cannot be stored is told later, with what came since", async () => {
	const { rows, denials, away } = told();
	away(true);
	denials.note(request(0));
	await expect(denials.flush()).rejects.toThrow("away");
	denials.note(request(1));
	away(false);
	await denials.flush();
	expect(counts(rows)).toEqual([2]);
});

test("the end tells what is not due yet", async () => {
	const { rows, denials } = told();
	denials.note(request(0));
	await denials.flush();
	denials.note(request(1));
	await denials.flush(true);
	expect(counts(rows)).toEqual([1, 1]);
});

test("however many routes are tried, memory is bounded and the sum is right", async () => {
	const { rows, denials, later } = told(10);
	for (let i = 0; i < 500; i++) denials.note(request(i, { route: `/r${i}` }));
	await denials.flush();
	expect(rows).toHaveLength(11);
	expect(rows.at(-1)).toMatchObject({ target: "*" });
	expect(counts(rows).reduce((a, b) => a + b)).toBe(500);
	later(60_000);
	await denials.flush();
	denials.note(request(1, { route: "/again" }));
	await denials.flush();
	expect(rows.at(-1)).toMatchObject({ target: "POST /again" });
});

import { expect, test } from "vitest";
import { KnownIssues } from "./known-issues.ts";

test("an issue is new once, when all others are known", () => {
	const issues = new KnownIssues({ alone: true });
	issues.know("p", "1");
	expect(issues.meet("p", "1").isNew).toBe(false);
	expect(issues.meet("p", "2").isNew).toBeNull();
	issues.complete();
	expect(issues.meet("p", "2").isNew).toBe(false);
	expect(issues.meet("p", "3").isNew).toBe(true);
	expect(issues.meet("p", "3").isNew).toBe(false);
	expect(issues.meet("q", "3").isNew).toBe(true);
});

test("where other processes take in errors too, one is known or nobody can tell", () => {
	const issues = new KnownIssues({ alone: false });
	issues.complete();
	expect(issues.meet("p", "1").isNew).toBeNull();
	expect(issues.meet("p", "1").isNew).toBe(false);
});

test("an issue whose first error may be lost is neither new nor known", () => {
	const issues = new KnownIssues({ alone: true });
	issues.complete();
	issues.meet("p", "1").made!.doubtful = true;
	expect(issues.meet("p", "1").isNew).toBeNull();
});

test("of issues beyond the capacity nothing is said", () => {
	const issues = new KnownIssues({ alone: true, capacity: 2 });
	issues.complete();
	expect(["1", "2", "3", "3", "1"].map((id) => issues.meet("p", id).isNew)).toEqual([true, true, null, null, false]);
	const full = new KnownIssues({ alone: true, capacity: 1 });
	full.know("p", "1");
	full.know("p", "2");
	full.complete();
	expect(full.meet("p", "2").isNew).toBeNull();
});

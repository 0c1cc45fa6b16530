import { expect, test } from "vitest";
import { nearMatches } from "./near.ts";

test("near names come nearest first, far ones not at all", () => {
	const known = ["api_requests", "error_rate", "custom.queue_depth", "custom.orders", "http.server.request.duration"];
	expect(nearMatches("custom.queue_dept", known)[0]).toBe("custom.queue_depth");
	expect(nearMatches("queue_depth", known)[0]).toBe("custom.queue_depth");
	expect(nearMatches("eror_rate", known)[0]).toBe("error_rate");
	expect(nearMatches("zzz", known)).toEqual([]);
	expect(nearMatches("custom", known, 1)).toHaveLength(1);
});

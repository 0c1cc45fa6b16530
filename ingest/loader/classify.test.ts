import { describe, expect, it } from "vitest";
import { ClickHouseError } from "../../schema/clickhouse.ts";
import { classify, errorCode } from "./classify.ts";

const answered = (code: number) => new ClickHouseError({ message: "no", code: String(code), type: "ANY" });

describe("a failed insert", () => {
	it.each([
		[159, "retry"],
		[202, "retry"],
		[241, "retry"],
		[242, "retry"],
		[252, "retry"],
		[319, "retry"],
		[425, "retry"],
		[27, "row"],
		[6, "row"],
		[26, "row"],
		[53, "row"],
		[117, "row"],
		[469, "row"],
		[60, "stop"],
		[81, "stop"],
		[16, "stop"],
		[516, "stop"],
		[62, "stop"],
		[424_242, "stop"],
	])("of code %d is a case of %s", (code, failure) => {
		expect(classify(answered(code))).toBe(failure);
		expect(errorCode(answered(code))).toBe(code);
	});

	it("that ClickHouse never answered is tried again", () => {
		for (const error of [new Error("socket hang up"), Object.assign(new Error("x"), { code: "ECONNREFUSED" }), "odd"]) {
			expect(classify(error)).toBe("retry");
		}
	});
});

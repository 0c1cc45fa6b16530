import { describe, expect, test } from "vitest";
import { parseJsonPath, valueAt } from "../../schema/json-path.ts";
import { assertion } from "../../schema/wire/index.ts";
import { brokenAssertions, type Seen } from "./assertions.ts";

const seen: Seen = {
	duration_ms: 120.4,
	status_code: 200,
	headers: { "content-type": "application/json; charset=utf-8", "x-count": "12" },
	body: '{"status":"ok","list":[{"n":1},{"n":2.5}],"none":null,"odd name":"ü","deep":{"a":[1,2]},"flag":true,"text":"10"}',
	tls_days_left: 13.9,
	records: ["10 mail.example.com", "20 backup.example.com"],
};

describe("an assertion holds, or says what was expected and what came", () => {
	test.each<[object, string | undefined]>([
		[{ type: "status_code", value: 200 }, undefined],
		[{ type: "status_code", operator: "<", value: 300 }, undefined],
		[{ type: "status_code", operator: "!=", value: 200 }, "status code: expected not 200, got 200"],
		[
			{ type: "status_code", operator: "greater_than_or_equal", value: 201 },
			"status code: expected at least 201, got 200",
		],
		[{ type: "response_time", value: 1000 }, undefined],
		[{ type: "response_time", operator: "<", value: 120 }, "response time in ms: expected less than 120, got 120"],
		[{ type: "response_time", operator: "<=", value: 120 }, undefined],
		[{ type: "header", name: "Content-Type", operator: "contains", value: "json" }, undefined],
		[{ type: "header", name: "content-type", operator: "starts_with", value: "text/" }, "starts with"],
		[{ type: "header", name: "x-count", operator: ">", value: 11 }, undefined],
		[{ type: "header", name: "x-count", value: 12 }, undefined],
		[{ type: "header", name: "x-none", operator: "exists" }, "header x-none: expected anything, got nothing"],
		[{ type: "header", name: "x-none", operator: "not_exists" }, undefined],
		[{ type: "header", name: "x-none", operator: "!=", value: "a" }, undefined],
		[{ type: "header", name: "x-none", value: "a" }, 'header x-none: expected "a", got nothing'],
		[{ type: "body", value: '"ok"' }, undefined],
		[{ type: "body", operator: "not_contains", value: "error" }, undefined],
		[{ type: "body", operator: "contains", value: "error" }, 'body: expected something with "error"'],
		[{ type: "json_path", path: "$.status", value: "ok" }, undefined],
		[{ type: "json_path", path: "$.list[1].n", operator: ">=", value: 2.5 }, undefined],
		[{ type: "json_path", path: "$.list[-1].n", value: 2.5 }, undefined],
		[{ type: "json_path", path: "$.list[2].n", value: 1 }, "$.list[2].n: expected 1, got nothing"],
		[{ type: "json_path", path: "$['odd name']", value: "ü" }, undefined],
		[{ type: "json_path", path: "$.none", value: null }, undefined],
		[{ type: "json_path", path: "$.none", operator: "exists" }, undefined],
		[{ type: "json_path", path: "$.constructor", operator: "exists" }, "got nothing"],
		[{ type: "json_path", path: "$.deep", value: '{"a":[1,2]}' }, undefined],
		[{ type: "json_path", path: "$.flag", value: true }, undefined],
		[{ type: "json_path", path: "$.flag", value: "true" }, 'expected "true", got true'],
		[{ type: "json_path", path: "$.status", operator: ">", value: 1 }, 'expected more than 1, got "ok"'],
		[{ type: "tls_days_left", value: 7 }, undefined],
		[{ type: "tls_days_left", value: 14 }, "days left of the certificate: expected at least 14, got 13"],
		[{ type: "dns_record", value: "20 backup.example.com" }, undefined],
		[{ type: "dns_record", operator: "contains", value: "mail." }, undefined],
		[{ type: "dns_record", value: "mail.example.com" }, "dns record: expected"],
		[{ type: "dns_record", operator: "not_contains", value: "backup" }, "something without"],
	])("%j", (given, problem) => {
		const found = brokenAssertions([assertion.parse(given)], seen);
		if (problem === undefined) expect(found).toEqual([]);
		else expect(found).toEqual([expect.stringContaining(problem)]);
	});

	test("what a body that was cut off may hide is not vouched for", () => {
		const cut = { ...seen, body: "abc", truncated: true };
		const broken = (given: object) => brokenAssertions([assertion.parse(given)], cut).length > 0;
		expect(broken({ type: "body", value: "b" })).toBe(false);
		expect(broken({ type: "body", operator: "not_contains", value: "z" })).toBe(true);
		expect(broken({ type: "body", operator: "equal", value: "abc" })).toBe(true);
		expect(broken({ type: "json_path", path: "$", operator: "exists" })).toBe(true);
	});

	test("without TLS no certificate has days left", () => {
		const { tls_days_left: _, ...plain } = seen;
		expect(brokenAssertions([assertion.parse({ type: "tls_days_left", value: 0 })], plain)).toEqual([
			"the connection has no TLS",
		]);
	});
});

describe("a path leads to one value or is none", () => {
	test.each(["", "a", "$.", "$..a", "$.a.*", "$[?(@.a)]", "$[a]", "$['a", "$.a[", "$.a b"])("%s is none", (text) => {
		expect(parseJsonPath(text)).toBeUndefined();
	});
	test.each<[string, unknown]>([
		["$", { a: [{ "b'c": 1 }] }],
		["$.a[0]['b\\'c']", 1],
		['$["a"][-1]["b\'c"]', 1],
		["$.a.length", undefined],
		["$.a[1]", undefined],
	])("%s", (text, value) => {
		expect(valueAt({ a: [{ "b'c": 1 }] }, parseJsonPath(text)!)).toEqual(value);
	});
});

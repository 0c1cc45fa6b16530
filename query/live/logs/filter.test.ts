import { expect, test } from "vitest";
import { ApiError } from "../../../http/errors.ts";
import { logStreamQuery } from "../../../schema/wire/index.ts";
import { print } from "../../logs/ast.ts";
import { filterOf } from "./filter.ts";

const filter = (query: object) => {
	const node = filterOf(logStreamQuery.parse(query));
	return node && print(node);
};

test.each([
	[{}, undefined],
	[{ filters: "", components: " , ", query: "" }, undefined],
	[{ filters: "level:ERROR,level:WARN" }, "level:ERROR OR level:WARN"],
	[{ components: "api, p2p" }, 'component:"api" OR component:"p2p"'],
	[
		{ filters: "level:ERROR,level:WARN", components: "api,inference" },
		'(level:ERROR OR level:WARN) AND (component:"api" OR component:"inference")',
	],
	[{ filters: 'a AND b,c OR d,"x, y"' }, 'message:a AND message:b OR message:c OR message:d OR message:"x, y"'],
	[{ filters: "a\\,b" }, "message:a,b"],
	[{ query: "a OR b", level: "WARN" }, 'level:"warning" AND (message:a OR message:b)'],
	[{ components: "component:x OR a" }, 'component:"component:x OR a"'],
])("%o asks for %s", (query, text) => {
	expect(filter(query)).toBe(text);
});

test.each([
	[{ filters: 'ok,"open' }, "filters", 0],
	[{ filters: "ok,(a" }, "filters", 0],
	[{ filters: "a\\" }, "filters", 1],
	[{ query: "a OR" }, "query", 4],
	[{ level: "loud" }, "level", undefined],
])("%o is refused with the place", (query, parameter, position) => {
	try {
		filter(query);
		expect.unreachable();
	} catch (error) {
		expect(error).toBeInstanceOf(ApiError);
		const { details } = (error as ApiError).extra as { details: Record<string, unknown> };
		expect(details.parameter).toBe(parameter);
		expect(details.position).toBe(position);
	}
});

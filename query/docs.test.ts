import { expect, test } from "vitest";
import { z } from "zod";
import { READS } from "./index.ts";

interface Schema {
	readonly type?: string | readonly string[];
	readonly description?: string;
	readonly properties?: Readonly<Record<string, Schema>>;
	readonly items?: Schema;
	readonly additionalProperties?: Schema | boolean;
	readonly anyOf?: readonly Schema[];
}

test.each(READS.map((read) => [read.path, read] as const))(
	"every number of %s says its unit or what it counts",
	(_, { answer }) => {
		const { properties = {}, additionalProperties } = z.toJSONSchema(answer, { unrepresentable: "any" }) as Schema;
		const { meta: _meta, explain: _explain, ...own } = properties;
		expect(silentNumbers({ properties: own, ...(additionalProperties ? { additionalProperties } : {}) }, "")).toEqual(
			[],
		);
	},
);

/** Paths of numbers that neither have a description nor stand in something that has one. */
function silentNumbers(schema: Schema, path: string): string[] {
	if (schema.description !== undefined) return [];
	const { properties = {}, items, additionalProperties, anyOf = [], type = [] } = schema;
	const own = [type].flat().some((one) => one === "number" || one === "integer") ? [path] : [];
	const below = [
		...Object.entries(properties).map(([name, member]) => [member, `${path}.${name}`] as const),
		...(items ? [[items, `${path}[]`] as const] : []),
		...(typeof additionalProperties === "object" ? [[additionalProperties, `${path}.*`] as const] : []),
		...anyOf.map((one) => [one, path] as const),
	];
	return [...own, ...below.flatMap(([member, at]) => silentNumbers(member, at))];
}

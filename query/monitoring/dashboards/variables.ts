/** Variables of dashboards: what is chosen of them, and what that makes of filters and log queries. Nothing here is SQL. */
import { badParameter } from "../../../http/errors.ts";
import type { DashboardVariable } from "../../../schema/wire/index.ts";
import { join, type Node, print } from "../../logs/ast.ts";
import { parse } from "../../logs/parser.ts";
import type { Filter } from "../../measures/among.ts";
import { nearMatches } from "../../near.ts";

const PREFIX = "var-";
const MAX_CHOSEN = 100;
const MAX_LENGTH = 1_000;
export const ALL_VALUES = "*";

/** By name the values that are chosen; undefined is all of them. */
export type Chosen = ReadonlyMap<string, readonly string[] | undefined>;

/** Parameters of a request that choose values, by the name of the variable. */
export function givenVariables(
	parameters: Readonly<Record<string, readonly string[]>>,
): Map<string, readonly string[]> {
	const given = Object.entries(parameters).filter(([name]) => name.startsWith(PREFIX));
	return new Map(given.map(([name, values]) => [name.slice(PREFIX.length), values]));
}

/**
 * What is chosen of each variable.
 * @param options values of those that are tags
 * @throws ApiError 400
 */
export function choose(
	variables: readonly DashboardVariable[],
	given: ReadonlyMap<string, readonly string[]>,
	options: ReadonlyMap<string, readonly string[]>,
): Chosen {
	const names = variables.map(({ name }) => name);
	for (const [name, values] of given) {
		if (names.includes(name)) continue;
		throw badParameter({
			message: `Unknown variable ${name}`,
			parameter: PREFIX + name,
			provided: values[0] ?? null,
			valid_options: names.map((known) => PREFIX + known),
		});
	}
	return new Map(
		variables.map((variable) => {
			const asked = given.get(variable.name);
			return [variable.name, asked === undefined ? usual(variable, options) : checked(variable, asked)];
		}),
	);
}

function usual(variable: DashboardVariable, options: ReadonlyMap<string, readonly string[]>) {
	if (variable.type === "text") return variable.default === "" ? undefined : [variable.default];
	if (variable.default !== undefined) return allOr(variable, [variable.default].flat());
	if (variable.include_all) return undefined;
	return (variable.type === "values" ? variable.values : (options.get(variable.name) ?? [])).slice(0, 1);
}

/** Whether nothing can be chosen of some variable without knowing its options. */
export function needsOptions(
	variables: readonly DashboardVariable[],
	given: ReadonlyMap<string, readonly string[]>,
): boolean {
	return variables.some(
		(one) => one.type === "tag" && !given.has(one.name) && one.default === undefined && !one.include_all,
	);
}

function checked(variable: DashboardVariable, values: readonly string[]): readonly string[] | undefined {
	const refuse = (provided: unknown, valid_options: readonly string[], reason?: string) => {
		const parameter = PREFIX + variable.name;
		return badParameter({ parameter, provided, valid_options, ...(reason === undefined ? {} : { reason }) });
	};
	const tooLong = values.find((value) => value.length > MAX_LENGTH);
	if (tooLong !== undefined) throw refuse(`${tooLong.slice(0, 50)}…`, [], `has more than ${MAX_LENGTH} characters`);
	const most = variable.type !== "text" && variable.multi ? MAX_CHOSEN : 1;
	if (values.length > most) throw refuse(values.slice(0, MAX_CHOSEN), [], `at most ${most} may be chosen`);
	if (variable.type === "text") return values[0] === "" ? undefined : values;
	const offered = variable.type === "values" ? variable.values : undefined;
	const unknown = offered && values.find((value) => value !== ALL_VALUES && !offered.includes(value));
	if (unknown !== undefined) throw refuse(unknown, offered!);
	if (values.includes(ALL_VALUES) && !variable.include_all)
		throw refuse(ALL_VALUES, offered ?? [], "all may not be chosen");
	return allOr(variable, values);
}

function allOr(variable: Exclude<DashboardVariable, { type: "text" }>, values: readonly string[]) {
	return variable.include_all && values.includes(ALL_VALUES) ? undefined : values;
}

const REFERENCE = /^\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})$/;

/** The variable that a whole text stands for. A dollar elsewhere is a dollar, and `$$` at the start is one. */
function referenceOf(text: string): string | undefined {
	const found = REFERENCE.exec(text);
	return found?.[1] ?? found?.[2];
}

/** A filter with the chosen values; a member falls away where all are chosen. */
export function boundFilter(filter: Filter | undefined, chosen: Chosen): Filter | undefined {
	if (filter === undefined) return undefined;
	const bound: Record<string, string | readonly string[]> = {};
	for (const [member, asked] of Object.entries(filter)) {
		const values: string[] = [];
		let isAny = false;
		for (const text of [asked].flat()) {
			const name = referenceOf(text);
			if (name === undefined) values.push(text.startsWith("$$") ? text.slice(1) : text);
			else if (chosen.get(name) === undefined) isAny = true;
			else values.push(...chosen.get(name)!);
		}
		if (!isAny) bound[member] = values.length === 1 ? values[0]! : values;
	}
	return bound;
}

/**
 * A log query with the chosen values. They take places in its tree, never in its text: whatever stands in one, it is a value. In the
 * message they are phrases.
 * @throws LogQueryError
 */
export function boundQuery(query: string, chosen: Chosen): string {
	const tree = parse(query);
	const bound = tree && substitute(tree, chosen);
	return bound === undefined ? "" : print(bound);
}

/** Every message matches the pattern: what is not everything is nothing. */
const NOTHING: Node = {
	...{ type: "not", child: { type: "match", field: "message", value: { type: "pattern", parts: ["*"] } } },
};

/** Undefined matches everything. */
function substitute(node: Node, chosen: Chosen): Node | undefined {
	switch (node.type) {
		case "and": {
			const children = node.children.map((child) => substitute(child, chosen)).filter((child) => child !== undefined);
			return children.length === 0 ? undefined : join("and", children);
		}
		case "or": {
			const children = node.children.map((child) => substitute(child, chosen));
			return children.every((child) => child !== undefined) ? join("or", children) : undefined;
		}
		case "not": {
			const child = substitute(node.child, chosen);
			return child ? { type: "not", child } : NOTHING;
		}
		case "match": {
			const { value, field } = node;
			const name = value.type === "word" || value.type === "phrase" ? referenceOf(value.text) : undefined;
			if (name === undefined) return node;
			const values = chosen.get(name);
			if (values === undefined) return undefined;
			if (values.length === 0) return NOTHING;
			return join(
				"or",
				values.map((text): Node => ({ type: "match", field, value: { type: "phrase", text } })),
			);
		}
	}
}

/** Variables that a filter or a log query refers to. @throws LogQueryError */
export function referencesIn({ filter, query }: { filter?: Filter | undefined; query?: string | undefined }): string[] {
	const inFilter = Object.values(filter ?? {})
		.flat()
		.map(referenceOf);
	const tree = query === undefined ? undefined : parse(query);
	return [...inFilter, ...(tree ? referencesOf(tree) : [])].filter((name) => name !== undefined);
}

function referencesOf(node: Node): (string | undefined)[] {
	if ("children" in node) return node.children.flatMap(referencesOf);
	if (node.type === "not") return referencesOf(node.child);
	return [node.value.type === "word" || node.value.type === "phrase" ? referenceOf(node.value.text) : undefined];
}

/** @throws ApiError 400 that names what refers to nothing */
export function checkReferences(
	parameter: string,
	references: readonly string[],
	variables: readonly DashboardVariable[],
): void {
	const names = variables.map(({ name }) => name);
	const unknown = references.find((name) => !names.includes(name));
	if (unknown === undefined) return;
	throw badParameter({
		...{ message: `Unknown variable ${unknown}`, parameter, provided: `$${unknown}` },
		valid_options: (names.length > 5 ? nearMatches(unknown, names) : names).map((name) => `$${name}`),
	});
}

/** What a log stream asks for, as one query tree. */
import type { z } from "zod";
import { badParameter } from "../../../http/errors.ts";
import { LOG_LEVELS, type logStreamQuery, parseLevel } from "../../../schema/wire/index.ts";
import { parseLogQuery } from "../../common/logs.ts";
import { join, type Node } from "../../logs/ast.ts";
import { listOf } from "../../route.ts";

/**
 * All of filters (any of them), components (any of them), level and query; undefined for everything.
 * @throws ApiError 400 that says where a query cannot be understood
 */
export function filterOf(asked: z.infer<typeof logStreamQuery>): Node | undefined {
	const any = (nodes: readonly Node[]) => (nodes.length === 0 ? [] : [join("or", nodes)]);
	const filters = divided(asked.filters ?? "").flatMap((text) => parseLogQuery(text, "filters") ?? []);
	const components = listOf(asked.components).map((text) => equals("component", text));
	const query = parseLogQuery(asked.query);
	const parts = [
		...any(filters),
		...any(components),
		...(asked.level === undefined ? [] : [equals("level", levelOf(asked.level))]),
		...(query === undefined ? [] : [query]),
	];
	return parts.length === 0 ? undefined : join("and", parts);
}

function equals(field: string, text: string): Node {
	return { type: "match", field, value: { type: "phrase", text } };
}

function levelOf(text: string): string {
	const level = parseLevel(text);
	if (level === undefined) throw badParameter({ parameter: "level", provided: text, valid_options: [...LOG_LEVELS] });
	return level;
}

/** The items of a list in which a comma may stand within quotes. */
function divided(text: string): string[] {
	const items = text.match(/(?:\\.?|"(?:\\.|[^"\\])*"?|[^,"\\])+/gs) ?? [];
	return items.map((item) => item.trim()).filter((item) => item !== "");
}

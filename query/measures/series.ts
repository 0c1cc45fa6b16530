/** Which series belong to what; the tags live in `series` alone, points carry only the id. */
import { from, type Params } from "../sql.ts";

/** `name IN (…)`. */
export function named(params: Params, names: readonly string[]): string {
	return `name IN ${params.add("Array(String)", names)}`;
}

/** `series_id IN (…)`: the series of these names for which a predicate on `tags` and `component` holds. */
export function seriesWhere(params: Params, names: readonly string[], predicate: string): string {
	return `series_id IN (SELECT series_id ${from("series", `${named(params, names)} AND (${predicate})`)})`;
}

/** Tags that name the host of a series, the id before the name. */
export const HOST = "if(tags['host.id'] != '', tags['host.id'], tags['host.name'])";

/**
 * Series of a component: those that carry it, and those without one of a host that some series says is of the component.
 * A predicate on `series`.
 */
export function ofComponent(params: Params, component: string): string {
	const name = params.add("String", component);
	const hosts = `SELECT ${HOST} ${from("series", `component = ${name} AND ${HOST} != ''`)}`;
	return `component = ${name} OR (component = '' AND ${HOST} IN (${hosts}))`;
}

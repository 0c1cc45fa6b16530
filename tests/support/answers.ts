/** Answers compared by the paths of their members: `a.b[].c`, with `*` for members that are named by data. */

/** Paths at which two answers differ; of a list of another length its own. */
export function differences(a: unknown, b: unknown, path = ""): string[] {
	if (same(a, b)) return [];
	if (Array.isArray(a) && Array.isArray(b)) {
		return a.length === b.length ? a.flatMap((member, i) => differences(member, b[i], `${path}[]`)) : [path];
	}
	if (!isObject(a) || !isObject(b)) return [path];
	return [...new Set([...Object.keys(a), ...Object.keys(b)])].flatMap((name) =>
		differences(a[name], b[name], path === "" ? name : `${path}.${name}`),
	);
}

/** Sums in another order differ in their last bit, which may be what rounds the last decimal up or down. */
function same(a: unknown, b: unknown): boolean {
	if (typeof a !== "number" || typeof b !== "number") return a === b;
	const decimals = Math.max(...[a, b].map((value) => String(value).split(".")[1]?.length ?? 0));
	return a === b || (decimals > 0 && Math.abs(a - b) < 1.01 * 10 ** -decimals);
}

/** Whether one path leads to the other's value, or into it, or the other way round. */
export function overlap(one: string, other: string): boolean {
	const [a, b] = [segmentsOf(one), segmentsOf(other)];
	const length = Math.min(a.length, b.length);
	return Array.from({ length }, (_, i) => i).every((i) => a[i] === b[i] || a[i] === "*" || b[i] === "*");
}

/** Whether nothing is there: null, absent, an empty list or object, or that in every member of a list. */
export function isEmptyAt(value: unknown, path: string): boolean {
	const found = segmentsOf(path).reduce<unknown[]>(
		(values, segment) =>
			values.flatMap((one) => {
				if (segment === "[]") return Array.isArray(one) ? one : [];
				if (!isObject(one)) return [];
				return segment === "*" ? Object.values(one) : [one[segment]];
			}),
		[value],
	);
	return found.every(
		(one) => one === null || one === undefined || (typeof one === "object" && Object.keys(one).length === 0),
	);
}

function segmentsOf(path: string): string[] {
	return path.replaceAll("[]", ".[]").split(".");
}

function isObject(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

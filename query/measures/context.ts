import type { Params } from "../sql.ts";

/** JSON text of a member of the column `context`, by path or by a name with dots in it; a null is none. */
export function contextMember(params: Params, path: string): string {
	const nested = path
		.split(".")
		.map((name) => params.add("String", name))
		.join(", ");
	const flat = params.add("String", path);
	const raw = `if(JSONHas(context, ${nested}), JSONExtractRaw(context, ${nested}), JSONExtractRaw(context, ${flat}))`;
	return `if(${raw} = 'null', '', ${raw})`;
}

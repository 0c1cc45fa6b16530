/** Which fields of which routes each record of the conventions fills: what the routes say that they need, the other way round. */
import { acceptedNames, FAMILIES, type RecordConvention, recordKey } from "../schema/conventions/index.ts";
import type { ConventionsAnswer } from "../schema/wire/index.ts";
import { partsOf } from "./meta.ts";
import type { Read } from "./route.ts";

/** The conventions with the fields that each record fills in these routes. */
export function conventions(reads: readonly Pick<Read, "path" | "needs">[]): ConventionsAnswer {
	return {
		families: FAMILIES.map(({ family, title, records }) => ({
			...{ family, title },
			records: records.map((record) => ({
				signal: record.signal,
				name: record.name === "" ? null : record.name,
				description: record.text,
				kind: record.kind ?? null,
				unit: record.unit ?? null,
				attributes: record.attributes.map(({ name, type, text, required, unit, values }) => ({
					...{ name, type, required: required ?? false, unit: unit ?? null },
					...{ values: values === undefined ? null : [...values], description: text },
				})),
				compatible: (record.compatible ?? []).map(({ name, text, accepted }) => ({
					...{ name, accepted: accepted !== undefined, description: text },
				})),
				fills: reads.flatMap(({ path, needs }) => {
					const fields = Object.entries(needs ?? {})
						.filter(([, need]) => partsOf(need).some((part) => fills(record, part)))
						.map(([field]) => field);
					return fields.length === 0 ? [] : [{ route: path, fields }];
				}),
				fills_nothing: record.fills_nothing ?? null,
			})),
		})),
	};
}

/** Where a field can be made of any metric or event, those count that carry the attribute it is made of. */
function fills(record: RecordConvention, need: ReturnType<typeof partsOf>[number]): boolean {
	const key = recordKey(record);
	const names = [key, ...acceptedNames(key).map((name) => recordKey({ signal: record.signal, name }))];
	if (need.records.some((needed) => names.includes(needed))) return true;
	return (
		need.attribute !== undefined &&
		need.records.includes(record.signal) &&
		record.attributes.some(({ name }) => mentions(need.attribute!, name))
	);
}

/** Whether what a record must carry is, among others, this attribute. */
export function mentions(attributes: string, name: string): boolean {
	return attributes.split(/[^\w.]+/).includes(name);
}

import type { Meta } from "../schema/wire/index.ts";
import type { Signals } from "./measures/signals.ts";
import type { Source } from "./plan/plan.ts";
import { SKETCH_ERROR } from "./plan/scan.ts";

export interface MetaParts {
	readonly window: { readonly start: number; readonly end: number; readonly timezone: string };
	readonly data_through: number | null;
	readonly coverage?: number | null;
	/** What is missed beyond the table of needs, where members are named by data. */
	readonly missing?: Meta["missing"];
	readonly methods?: Readonly<Record<string, string>>;
	/** Fields that come from percentile sketches. */
	readonly sketched?: readonly string[];
	readonly source?: Source | undefined;
}

/** Where an answer's null fields are filled from. */
export interface Evidence {
	readonly needs: Needs;
	readonly sent: Signals;
}

/**
 * Records that fill a field; any of them will do. Each is `metric NAME`, `event NAME`, `log`, `error` or `profile`, as the conventions
 * name them, or `metric` or `event` alone for any. `with` names the attribute that the record must carry, where the record alone
 * does not fill the field.
 */
type Records = string | readonly string[] | { readonly any: readonly string[]; readonly with: string };

/** What fills a field: some records, or records of several kinds, all of which it takes, as a share takes both its numbers. */
export type NeededRecords = Records | { readonly all: readonly Records[] };

/** By the dotted path of the field in the answer, `[]` for the members of a list, `*` for members that are named by data. */
export type Needs = Readonly<Record<string, NeededRecords>>;

/**
 * The answer with its provenance. A field of `needs` that is null (or empty, or null in every member of its list) is listed in
 * `meta.missing` when none of its records was ever sent, or when they lack the attribute that it is made of.
 */
export function withMeta<T extends object>(answer: T, parts: MetaParts, { needs, sent }: Evidence): T & { meta: Meta } {
	const meta = metaOf(parts);
	return { ...answer, meta: { ...meta, missing: [...meta.missing, ...missingOf(answer, needs, sent)] } };
}

/** @see withMeta */
export function missingOf(answer: object, needs: Needs, sent: Signals): Meta["missing"] {
	return Object.entries(needs).flatMap(([field, need]) => {
		if (!isEmptyAt(answer, field.split("."))) return [];
		const parts = partsOf(need);
		const unsent = parts.filter(({ records }) => !records.some((record) => wasSent(sent, record)));
		// Where all was sent, it can only be an attribute.
		const lacking = unsent.length > 0 ? unsent : parts.filter(({ attribute }) => attribute !== undefined);
		return lacking.length === 0 ? [] : [{ field, needs: lacking.map(inWords).join(" and ") }];
	});
}

function inWords({ records, attribute }: Part): string {
	return records.join(" or ") + (attribute === undefined ? "" : ` with ${attribute}`);
}

interface Part {
	readonly records: readonly string[];
	readonly attribute?: string;
}

/** A need in its long form: of each part any record. */
export function partsOf(need: NeededRecords): readonly Part[] {
	if (typeof need === "string") return [{ records: [need] }];
	if ("all" in need) return need.all.flatMap(partsOf);
	return "any" in need ? [{ records: need.any, attribute: need.with }] : [{ records: need }];
}

/** Whether events fill any of it, which are not kept for ever. */
export function isOfEvents(need: NeededRecords): boolean {
	return partsOf(need).some(({ records }) => records.some((record) => /^event( |$)/.test(record)));
}

/** The first part of a need; most have no other. */
export function recordsOf(need: NeededRecords): Part {
	return partsOf(need)[0]!;
}

function wasSent(sent: Signals, record: string): boolean {
	return sent.of(record).length > 0;
}

/** Whether nothing is known there. A part that was not asked for is not in the answer, and not missed. */
function isEmptyAt(value: unknown, path: readonly string[]): boolean {
	const [head, ...rest] = path;
	if (head === undefined) {
		return value === null || (typeof value === "object" && value !== null && Object.keys(value).length === 0);
	}
	if (value === null) return true;
	if (typeof value !== "object") return false;
	const name = head.replace(/\[\]$/, "");
	if (!(name in value)) return false;
	const member = (value as Record<string, unknown>)[name];
	if (name === head) return isEmptyAt(member, rest);
	return !Array.isArray(member) || member.every((item) => isEmptyAt(item, rest));
}

/** The provenance block of an answer. */
function metaOf(parts: MetaParts): Meta {
	return {
		window: {
			start: new Date(parts.window.start).toISOString(),
			end: new Date(parts.window.end).toISOString(),
			timezone: parts.window.timezone,
		},
		data_through: parts.data_through === null ? null : new Date(parts.data_through).toISOString(),
		coverage: parts.coverage === undefined || parts.coverage === null ? null : Number(parts.coverage.toFixed(4)),
		missing: [...(parts.missing ?? [])],
		methods: { ...parts.methods },
		approximations: Object.fromEntries((parts.sketched ?? []).map((field) => [field, SKETCH_ERROR])),
		tier: parts.source === undefined ? null : parts.source === "raw" ? "raw" : parts.source.name,
	};
}

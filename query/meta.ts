import type { Meta } from "../schema/wire/index.ts";
import type { Source } from "./plan/plan.ts";
import { SKETCH_ERROR } from "./plan/scan.ts";

/** What a null field would need, for the fields that nothing was ever sent for. */
export interface Need {
	readonly field: string;
	readonly needs: string;
	/** Whether it was ever sent. */
	readonly sent: boolean;
}

export interface MetaParts {
	readonly window: { readonly start: number; readonly end: number; readonly timezone: string };
	readonly data_through: number | null;
	readonly coverage?: number | null;
	readonly needs?: readonly Need[];
	readonly methods?: Readonly<Record<string, string>>;
	/** Fields that come from percentile sketches. */
	readonly sketched?: readonly string[];
	readonly source?: Source | undefined;
}

/** The provenance block of an answer. */
export function metaOf(parts: MetaParts): Meta {
	return {
		window: {
			start: new Date(parts.window.start).toISOString(),
			end: new Date(parts.window.end).toISOString(),
			timezone: parts.window.timezone,
		},
		data_through: parts.data_through === null ? null : new Date(parts.data_through).toISOString(),
		coverage: parts.coverage === undefined || parts.coverage === null ? null : Number(parts.coverage.toFixed(4)),
		missing: (parts.needs ?? []).filter((need) => !need.sent).map(({ field, needs }) => ({ field, needs })),
		methods: { ...parts.methods },
		approximations: Object.fromEntries((parts.sketched ?? []).map((field) => [field, SKETCH_ERROR])),
		tier: parts.source === undefined ? null : parts.source === "raw" ? "raw" : parts.source.name,
	};
}

/** What a record of the conventions is made of. */
import type { MetricKind } from "../wire/ingest.ts";

export type SignalKind = "metric" | "event" | "log" | "error" | "profile";

/** A tag of a metric, a property of an event, a member of the other records. */
export interface Attribute {
	readonly name: string;
	readonly type: "text" | "number" | "boolean" | "object" | "list";
	readonly text: string;
	/** Of a number. */
	readonly unit?: string;
	/** Without it the record cannot be used. */
	readonly required?: true;
	/** The only values that mean something. */
	readonly values?: readonly string[];
}

/** Another name under which the same record may come. */
export interface Compatible {
	readonly name: string;
	readonly text: string;
	/** For metrics that are stored under this name and read like the record itself. */
	readonly accepted?: { readonly kind: MetricKind; readonly unit: string };
}

/** A record that fills fields of answers. */
export interface RecordConvention {
	readonly signal: SignalKind;
	/** Empty for signals without names: log, error, profile. */
	readonly name: string;
	readonly text: string;
	/** Of a metric. */
	readonly kind?: MetricKind;
	readonly unit?: string;
	readonly attributes: readonly Attribute[];
	readonly compatible?: readonly Compatible[];
	/** Why no field of a reading route needs it. */
	readonly fills_nothing?: string;
}

/** Records that are sent together, by one kind of instrumentation. */
export interface Family {
	readonly family: string;
	readonly title: string;
	readonly records: readonly RecordConvention[];
}

type AttributeOptions = Omit<Attribute, "name" | "type" | "text">;

export const needed = { required: true } as const;

export const text = (name: string, about: string, options: AttributeOptions = {}): Attribute => ({
	...{ name, type: "text", text: about },
	...options,
});

export const number = (name: string, about: string, options: AttributeOptions = {}): Attribute => ({
	...{ name, type: "number", text: about },
	...options,
});

export const boolean = (name: string, about: string, options: AttributeOptions = {}): Attribute => ({
	...{ name, type: "boolean", text: about },
	...options,
});

export const metric = (
	name: string,
	kind: MetricKind,
	unit: string,
	about: string,
	attributes: readonly Attribute[],
	more: Partial<RecordConvention> = {},
): RecordConvention => ({ signal: "metric", name, kind, unit, text: about, attributes, ...more });

export const event = (
	name: string,
	about: string,
	attributes: readonly Attribute[],
	more: Partial<RecordConvention> = {},
): RecordConvention => ({ signal: "event", name, text: about, attributes, ...more });

/** The part of the system that a record belongs to. */
export const COMPONENT = text("component", "Part of the system, such as api_gateway");

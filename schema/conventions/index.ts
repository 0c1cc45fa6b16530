/**
 * The conventions: names of records that Tidemark gives a meaning to, with the attributes that it reads. Anything else is stored and
 * can be asked for too, but fills no field of the documents. Data only: the kinds that ingest assumes, the list at
 * `/v1/monitoring/conventions`, `/docs/conventions` and the tests are made of it.
 */
import type { MetricKind } from "../wire/ingest.ts";
import { APPLICATION } from "./application.ts";
import { BUSINESS } from "./business.ts";
import { FEDERATED } from "./federated.ts";
import { INFRASTRUCTURE } from "./infrastructure.ts";
import { PRODUCT } from "./product.ts";
import type { Family, RecordConvention } from "./record.ts";

export type { RecordConvention } from "./record.ts";

export const FAMILIES: readonly Family[] = [...INFRASTRUCTURE, ...PRODUCT, ...FEDERATED, ...BUSINESS, ...APPLICATION];

/** How a record is named where fields say what they need: `metric NAME`, `event NAME`, `log`, `error`, `profile`. */
export function recordKey({ signal, name }: Pick<RecordConvention, "signal" | "name">): string {
	return name === "" ? signal : `${signal} ${name}`;
}

const RECORDS = FAMILIES.flatMap(({ records }) => records);

/** Other names under which a record is stored and read like itself, by its key. */
const ACCEPTED: ReadonlyMap<string, readonly string[]> = new Map(
	RECORDS.map((record) => [
		recordKey(record),
		(record.compatible ?? []).filter(({ accepted }) => accepted).map(({ name }) => name),
	]),
);

/** @param key as {@link recordKey} gives it */
export function acceptedNames(key: string): readonly string[] {
	return ACCEPTED.get(key) ?? [];
}

/** Kinds of the metrics that the conventions name; what a client leaves out is taken from here. */
const KINDS: Readonly<Record<string, MetricKind>> = Object.fromEntries(
	RECORDS.flatMap((record) => [
		...(record.kind === undefined ? [] : [[record.name, record.kind] as const]),
		...(record.compatible ?? []).flatMap(({ name, accepted }) => (accepted ? [[name, accepted.kind] as const] : [])),
	]),
);

/** The kind of a metric whose record does not say it: the convention's, else gauge. */
export function conventionKind(name: string): MetricKind {
	return Object.hasOwn(KINDS, name) ? KINDS[name]! : "gauge";
}

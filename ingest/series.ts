import { hash } from "node:crypto";
import { isFailed } from "../schema/failed-requests.ts";
import { KEPT_TAGS } from "../schema/live/kept-tags.ts";
import type { MetricKind } from "../schema/wire/ingest.ts";

/** Sorted by key. */
export type Tags = readonly (readonly [key: string, value: string])[];

/**
 * A series as the open batch needs it. Its id is made of project, name and sorted tags; one that is sent with two kinds or
 * units is two of these with one id, and the series table keeps what was announced last.
 */
/** What points repeat of their series in every row; few families have many series. */
export class Family {
	readonly project: string;
	readonly name: string;
	readonly component: string;
	readonly kind: MetricKind;
	/** Of requests that failed. */
	readonly failed: boolean;
	/** Batch in which `ref` is its place. */
	generation = -1;
	ref = 0;

	constructor(project: string, name: string, component: string, kind: MetricKind, failed: boolean) {
		this.project = project;
		this.name = name;
		this.component = component;
		this.kind = kind;
		this.failed = failed;
	}
}

// A class, not a literal made of spreads: those are dictionaries to V8, and reading one costs more than the whole point.
export class Series {
	readonly family: Family;
	readonly tags: Tags;
	/** The two halves of the 64-bit id, as signed integers. */
	readonly idHigh: number;
	readonly idLow: number;
	readonly unit: string;
	readonly isCumulative: boolean;
	/** The round of announcements (`OpenBatch.announceAgain`) in which a batch that holds its row of the series table was opened. */
	announced = -1;

	constructor(family: Family, tags: Tags, unit: string) {
		const { high, low } = seriesId(family.project, family.name, tags);
		this.family = family;
		this.tags = tags;
		// Signed: of a larger number the object would hold a pointer, and every point pay for following it.
		this.idHigh = high | 0;
		this.idLow = low | 0;
		this.unit = unit;
		this.isCumulative = family.kind === "cumulative";
	}
}

/**
 * Series id: the first 64 bits of SHA-256 over project, name and sorted tags, each with its length so that no two different
 * series have the same text. It is stored with every point: never change it.
 */
export function seriesId(project: string, name: string, tags: Tags): { high: number; low: number } {
	const parts = [project, name, ...tags.flat()];
	const digest = hash("sha256", parts.map((part) => `${part.length}:${part}`).join(""), "buffer");
	return { high: digest.readUInt32BE(0), low: digest.readUInt32BE(4) };
}

/** Distinct 64-bit ids in typed arrays: 16 bytes an id where a Set of texts takes two hundred. */
export class IdSet {
	#slots = new Uint32Array(2 * 1_024);
	#size = 0;

	get size(): number {
		return this.#size;
	}

	/** @returns true when the id was not there */
	add(high: number, low: number): boolean {
		if (this.#size * 10 >= this.#slots.length * 3) this.#grow();
		// 0,0 marks an empty slot; moving that one id to 0,1 costs nobody anything.
		return this.#insert(this.#slots, high, high === 0 && low === 0 ? 1 : low);
	}

	has(high: number, low: number): boolean {
		const slots = this.#slots;
		const wanted = high === 0 && low === 0 ? 1 : low;
		const mask = slots.length / 2 - 1;
		for (let slot = low & mask; ; slot = (slot + 1) & mask) {
			const foundLow = slots[slot * 2 + 1];
			const foundHigh = slots[slot * 2];
			if (foundHigh === high && foundLow === wanted) return true;
			if (foundHigh === 0 && foundLow === 0) return false;
		}
	}

	#insert(slots: Uint32Array, high: number, low: number): boolean {
		const mask = slots.length / 2 - 1;
		for (let slot = low & mask; ; slot = (slot + 1) & mask) {
			if (slots[slot * 2] === 0 && slots[slot * 2 + 1] === 0) {
				slots[slot * 2] = high;
				slots[slot * 2 + 1] = low;
				this.#size++;
				return true;
			}
			if (slots[slot * 2] === high && slots[slot * 2 + 1] === low) return false;
		}
	}

	#grow(): void {
		const old = this.#slots;
		this.#slots = new Uint32Array(old.length * 2);
		this.#size = 0;
		for (let i = 0; i < old.length; i += 2) {
			if (old[i] !== 0 || old[i + 1] !== 0) this.#insert(this.#slots, old[i]!, old[i + 1]!);
		}
	}
}

export interface SeriesRegistryOptions {
	/** Series a project may have. */
	readonly perProject: number;
	/** Series whose tags are held in memory, at most twice that; others are hashed again when they come back. */
	readonly cached?: number;
}

/** The series this process has seen lately, and how many each project has. */
export class SeriesRegistry {
	readonly #options: Required<SeriesRegistryOptions>;
	readonly #ids = new Map<string, IdSet>();
	// Two generations instead of an LRU list: what was not asked for during a whole generation is forgotten.
	#young = new Map<string, Series>();
	#old = new Map<string, Series>();
	readonly #families = new Map<string, Family>();
	/** Series of names that viewers are told by tag, by their id; in two generations as well. */
	#kept = new Map<number, Series>();
	#keptOld = new Map<number, Series>();

	constructor(options: SeriesRegistryOptions) {
		this.#options = { cached: 200_000, ...options };
	}

	/** Tells of a series that is stored already, so that it counts and is known. */
	know(project: string, high: number, low: number): void {
		this.#idsOf(project).add(high, low);
	}

	count(project: string): number {
		return this.#ids.get(project)?.size ?? 0;
	}

	/** @returns undefined when the series is new and the project has used up its budget */
	resolve(project: string, name: string, tags: Tags, kind: MetricKind, unit: string): Series | undefined {
		// Units and values may have any character in them, so each is told apart by its length.
		let key = `${project}\0${name}\0${kind}\0${unit.length}\0${unit}`;
		for (const [tag, value] of tags) key += `\0${tag}\0${value.length}\0${value}`;
		let series = this.#young.get(key);
		if (!series) {
			series = this.#old.get(key) ?? this.#create(project, name, tags, kind, unit);
			if (!series) return undefined;
			this.#young.set(key, series);
			if (this.#young.size > this.#options.cached) {
				this.#old = this.#young;
				this.#young = new Map();
			}
		}
		return series;
	}

	/** Tags of a series whose name is told by tag (`KEPT_TAGS`), by the halves of its id; undefined when it is not known any more. */
	tagsOf(high: number, low: number): Tags | undefined {
		const place = placeOf(high, low);
		let series = this.#kept.get(place);
		if (!series) {
			series = this.#keptOld.get(place);
			if (series) this.#keep(series);
		}
		return series?.idHigh === (high | 0) && series.idLow === (low | 0) ? series.tags : undefined;
	}

	#keep(series: Series): void {
		this.#kept.set(placeOf(series.idHigh, series.idLow), series);
		if (this.#kept.size <= this.#options.cached) return;
		this.#keptOld = this.#kept;
		this.#kept = new Map();
	}

	#create(project: string, name: string, tags: Tags, kind: MetricKind, unit: string): Series | undefined {
		const component = tags.find(([tag]) => tag === "component")?.[1] ?? "";
		const failed = isFailed(name, Object.fromEntries(tags));
		const series = new Series(this.#family(project, name, component, kind, failed), tags, unit);
		if (Object.hasOwn(KEPT_TAGS, name)) this.#keep(series);
		const ids = this.#idsOf(project);
		if (!ids.has(series.idHigh >>> 0, series.idLow >>> 0)) {
			if (ids.size >= this.#options.perProject) return undefined;
			ids.add(series.idHigh >>> 0, series.idLow >>> 0);
		}
		return series;
	}

	#family(project: string, name: string, component: string, kind: MetricKind, failed: boolean): Family {
		const key = `${project}\0${name}\0${component}\0${kind}\0${failed}`;
		let family = this.#families.get(key);
		if (!family) {
			family = new Family(project, name, component, kind, failed);
			// Series hold theirs; starting anew makes at most a few families stand twice in a batch.
			if (this.#families.size >= this.#options.cached) this.#families.clear();
			this.#families.set(key, family);
		}
		return family;
	}

	#idsOf(project: string): IdSet {
		let ids = this.#ids.get(project);
		if (!ids) {
			ids = new IdSet();
			this.#ids.set(project, ids);
		}
		return ids;
	}
}

/** 53 of the 64 bits of an id: a number where the whole would be an object. */
function placeOf(high: number, low: number): number {
	return (high >>> 0) * 2 ** 21 + (low >>> 11);
}

import type { LivePart } from "../../schema/live/frames.ts";

type Mutable = { -readonly [K in keyof LivePart]: LivePart[K] };

/** Parts of many frames, of several processes, merged into one of each kind. */
export class Gathered {
	readonly #parts = new Map<string, Mutable>();

	get isEmpty(): boolean {
		return this.#parts.size === 0;
	}

	add(part: LivePart): void {
		const key = keyOf(part);
		const before = this.#parts.get(key);
		if (before) merge(before, part);
		else this.#parts.set(key, { ...part });
	}

	all(): readonly LivePart[] {
		return [...this.#parts.values()];
	}
}

function keyOf({ signal, name, kind, tags }: LivePart): string {
	const sorted = Object.entries(tags).sort(([a], [b]) => (a < b ? -1 : 1));
	return `${signal} ${kind} ${JSON.stringify([name, ...sorted])}`;
}

function merge(into: Mutable, part: LivePart): void {
	into.n += part.n;
	into.sum += part.sum;
	into.min = Math.min(into.min, part.min);
	into.max = Math.max(into.max, part.max);
	if (part.last_at < into.last_at) return;
	into.last = part.last;
	into.last_at = part.last_at;
}

// Byte sizes and durations as people write them in settings: "20MiB", "1.5 GB", "90d", "10s".

const BYTES: Record<string, number> = {
	b: 1,
	kb: 1e3,
	mb: 1e6,
	gb: 1e9,
	tb: 1e12,
	kib: 2 ** 10,
	mib: 2 ** 20,
	gib: 2 ** 30,
	tib: 2 ** 40,
};

const MILLISECONDS: Record<string, number> = {
	ms: 1,
	s: 1000,
	m: 60_000,
	h: 3_600_000,
	d: 86_400_000,
	w: 7 * 86_400_000,
	y: 365 * 86_400_000,
};

/** Bytes in a size such as `20MiB` (binary), `20MB` (decimal) or `1048576`; undefined when it is none. */
export function parseBytes(text: string): number | undefined {
	return parseQuantity(text, { ...BYTES, "": 1 });
}

/** Milliseconds in a duration such as `90d`, `1.5h` or `250ms`; undefined when it is none. A unit is required. */
export function parseDuration(text: string): number | undefined {
	return parseQuantity(text, MILLISECONDS);
}

function parseQuantity(text: string, units: Record<string, number>): number | undefined {
	const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
	const unit = units[match?.[2]?.toLowerCase() ?? "none"];
	if (!match || unit === undefined) return undefined;
	const quantity = Math.round(Number(match[1]) * unit);
	return Number.isSafeInteger(quantity) ? quantity : undefined;
}

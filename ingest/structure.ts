import { ApiError } from "../http/errors.ts";

/** Smaller bodies cannot hold enough of it to matter. */
const MIN_BYTES = 2 * 1024 * 1024;
/** Objects, arrays and members of a body: ten thousand records of a hundred each, and some. */
const MAX_PARTS = 1_100_000;

/**
 * Refuses a large body that is little but structure, before it is parsed: 20 MB of brackets become objects of more than a
 * gigabyte, and seconds in which nobody else is served.
 * @throws ApiError 413
 */
export function assertModest(body: Uint8Array): void {
	if (body.length < MIN_BYTES) return;
	let parts = 0;
	let inString = false;
	for (let at = 0; at < body.length; at++) {
		const byte = body[at]!;
		if (byte === 0x22) inString = !inString;
		else if (inString) {
			if (byte === 0x5c) at++;
		} else if (byte === 0x5b || byte === 0x7b || byte === 0x3a) parts++;
	}
	if (parts <= MAX_PARTS) return;
	throw new ApiError(
		413,
		`The body has more than ${MAX_PARTS} objects, arrays and members; send fewer records at once`,
		{
			extra: { limit: MAX_PARTS },
		},
	);
}

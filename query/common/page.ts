import { badParameter } from "../../http/errors.ts";

/** Where the next page begins: whole numbers, such as a place in a list and the instant that the list is of. */
export function encodePlace(place: readonly number[]): string {
	return Buffer.from(place.join(".")).toString("base64url");
}

/**
 * @param size how many numbers there are
 * @throws ApiError 400
 */
export function decodePlace(text: string | undefined, size: number): number[] | undefined {
	if (text === undefined) return undefined;
	const decoded = Buffer.from(text, "base64url").toString("latin1");
	const place = /^\d{1,15}(\.\d{1,15})*$/.test(decoded) ? decoded.split(".").map(Number) : [];
	if (place.length === size) return place;
	throw badParameter({ parameter: "cursor", provided: text, valid_options: ["next_cursor of the page before"] });
}

import { badParameter } from "../../http/errors.ts";
import type { Position } from "../measures/logs.ts";

/** The opaque text of a place between two logs. */
export function encodeCursor(position: Position | undefined): string | null {
	return position === undefined ? null : Buffer.from(`${position.ts}.${position.id}`).toString("base64url");
}

/** @throws ApiError 400 */
export function decodeCursor(text: string | undefined): Position | undefined {
	if (text === undefined) return undefined;
	const [, ts, id] = /^(\d{1,15})\.(\d{1,20})$/.exec(Buffer.from(text, "base64url").toString("latin1")) ?? [];
	if (ts === undefined || id === undefined || BigInt(id) >= 2n ** 64n) {
		throw badParameter({ parameter: "cursor", provided: text, valid_options: ["next_cursor of the page before"] });
	}
	return { ts: Number(ts), id };
}

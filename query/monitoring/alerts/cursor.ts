import { badParameter } from "../../../http/errors.ts";

/** A row of the history: instants have several. */
export interface HistoryPlace {
	/** Milliseconds since the epoch. */
	readonly ts: number;
	readonly kind: string;
	readonly instance: string;
}

export function encodeHistoryPlace({ ts, kind, instance }: HistoryPlace): string {
	return Buffer.from(`${ts}.${kind}.${instance}`).toString("base64url");
}

/** @throws ApiError 400 */
export function decodeHistoryPlace(text: string | undefined): HistoryPlace | undefined {
	if (text === undefined) return undefined;
	const [, ts, kind, instance] =
		/^(\d{1,15})\.([a-z_]{1,20})\.([0-9a-z]{0,32})$/.exec(Buffer.from(text, "base64url").toString("latin1")) ?? [];
	if (ts !== undefined) return { ts: Number(ts), kind: kind!, instance: instance! };
	throw badParameter({ parameter: "cursor", provided: text, valid_options: ["next_cursor of the page before"] });
}

/** Where a reader of lines is: the id of a server-sent event, which comes back as `Last-Event-ID`. */

export interface Place {
	/** Whose count `seq` is: of one run of one server. Empty when it is nobody's. */
	readonly run: string;
	readonly seq: number;
	/** Id of a line, decimal: of all that were received up to it the reader has those that it wants. */
	readonly received: string;
}

export function encodePlace({ run, seq, received }: Place): string {
	return `${run}-${seq}-${received}`;
}

/** Undefined for what no server of ours sent. */
export function decodePlace(text: string | undefined): Place | undefined {
	const [, run, seq, received] = /^([0-9a-z]{0,16})-(\d{1,15})-(\d{1,20})$/.exec(text ?? "") ?? [];
	if (run === undefined || seq === undefined || received === undefined || BigInt(received) >= 2n ** 64n)
		return undefined;
	return { run, seq: Number(seq), received };
}

/** The smallest id of a second of receipt. @param ms milliseconds since the epoch */
export function idAt(ms: number): bigint {
	return BigInt(Math.max(0, Math.floor(ms / 1_000))) << 32n;
}

/** Milliseconds since the epoch of the second in which the line of this id was received. */
export function receivedAt(id: string): number {
	return Number(BigInt(id) >> 32n) * 1_000;
}

/** Of several lines the one that was received first; undefined of none. */
export function leastId(ids: readonly bigint[]): bigint | undefined {
	return ids.reduce<bigint | undefined>((least, id) => (least === undefined || id < least ? id : least), undefined);
}

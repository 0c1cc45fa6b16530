// Sends the demonstration through the ingest routes, as any client would.
import { setTimeout as sleep } from "node:timers/promises";
import { TidemarkError } from "../../client/errors.ts";
import { mayRetry, retryDelayMs } from "../../client/retry.ts";
import { Transport } from "../../client/transport.ts";
import type { BatchRecord, IngestAnswer } from "../../schema/wire/index.ts";
import { demoDays } from "./days.ts";

/** Points of series count one by one here: they are what the server has to store. */
const REQUEST_POINTS = 40_000;
const REQUEST_RECORDS = 5_000;
const TIMEOUT_MS = 120_000;
/** About five minutes of a server that is away. */
const TRIES = 12;

export interface FillOptions {
	readonly baseUrl: string;
	readonly apiKey: string;
	readonly seed: number;
	/** Milliseconds since the epoch. */
	readonly now: number;
	/** As far back as the server keeps what it is sent. */
	readonly days: number;
	/** Told after each day: how many are done, and points and other records so far. */
	readonly onDay: (done: number, records: number) => void;
}

/** @throws Error when a record is refused or the server stays away @returns points and other records stored */
export async function fillDemo({ baseUrl, apiKey, seed, now, days, onDay }: FillOptions): Promise<number> {
	const transport = new Transport({ apiKey, baseUrl, timeoutMs: TIMEOUT_MS, fetch: globalThis.fetch });
	let sent = 0;
	let requests = 0;
	let done = 0;
	const send = async (records: readonly BatchRecord[], wait = false) => {
		const body = records.map((record) => JSON.stringify(record)).join("\n");
		const idempotencyKey = `demo-${seed}-${now}-${requests++}`;
		for (let tried = 1; ; tried++) {
			try {
				const path = `/v1/ingest/batch${wait ? "?wait=true" : ""}`;
				const answer = await transport.post<IngestAnswer>(path, body, {
					contentType: "application/x-ndjson",
					idempotencyKey,
				});
				const refused = answer.rejected[0];
				if (refused) throw new Error(`a record of the demonstration was refused: ${refused.field}: ${refused.reason}`);
				return;
			} catch (error) {
				if (tried >= TRIES || !(error instanceof TidemarkError) || !mayRetry(error, tried)) throw error;
				await sleep(retryDelayMs(tried, error.retryAfter, Math.random()));
			}
		}
	};
	// One request is stored while the next is made.
	let sending: Promise<void> = Promise.resolve();
	for (const records of demoDays({ seed, now, days })) {
		for (const batch of batchesOf(records)) {
			await sending;
			sending = send(batch);
			// It is awaited in the next round.
			sending.catch(() => {});
		}
		sent += records.reduce((sum, record) => sum + pointsOf(record), 0);
		onDay(++done, sent);
	}
	await sending;
	// What is durable is stored in order: when this one can be queried, all can.
	await send(
		[{ type: "log", message: "The demonstration is filled", level: "info", component: "demo", timestamp: now - 1 }],
		true,
	);
	return sent + 1;
}

function* batchesOf(records: readonly BatchRecord[]): Iterable<BatchRecord[]> {
	let batch: BatchRecord[] = [];
	let points = 0;
	for (const record of records) {
		batch.push(record);
		points += pointsOf(record);
		if (points < REQUEST_POINTS && batch.length < REQUEST_RECORDS) continue;
		yield batch;
		[batch, points] = [[], 0];
	}
	if (batch.length > 0) yield batch;
}

function pointsOf(record: BatchRecord): number {
	return "timestamps" in record ? record.timestamps.length : 1;
}

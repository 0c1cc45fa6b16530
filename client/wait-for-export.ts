import type { ExportAnswer } from "../schema/wire/index.ts";
import { TidemarkError } from "./errors.ts";

export interface WaitOptions {
	/** Told how far it is, each time it was asked for. */
	onProgress?: (seen: ExportAnswer) => void;
	/** Between two times of asking, milliseconds; default 1,000. */
	intervalMs?: number;
	/** Ends the waiting; the export goes on. */
	signal?: AbortSignal;
}

/** @throws TidemarkError when the export failed or was cancelled, and the reason of the signal */
export async function waitForExport(
	ask: (signal: AbortSignal | undefined) => Promise<ExportAnswer>,
	{ onProgress, intervalMs = 1_000, signal }: WaitOptions,
): Promise<ExportAnswer> {
	for (;;) {
		const seen = await ask(signal);
		onProgress?.(seen);
		if (seen.status === "completed") return seen;
		if (seen.status === "failed" || seen.status === "cancelled") {
			throw new TidemarkError(`the export ${seen.export_id} ${seen.status}: ${seen.error ?? "somebody gave it up"}`, {
				code: seen.status,
				body: seen,
			});
		}
		await pause(intervalMs, signal);
	}
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
	return new Promise((resolve, reject) => {
		const end = () => {
			clearTimeout(timer);
			reject(signal?.reason);
		};
		const timer = setTimeout(() => {
			signal?.removeEventListener("abort", end);
			resolve();
		}, ms);
		if (signal?.aborted) end();
		else signal?.addEventListener("abort", end, { once: true });
	});
}

// `tidemark export`: asks for an export, shows how far it is, and brings its files home, checked.
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Client, ExportAnswer, ExportOptions } from "../client/index.ts";

export interface ExportCommand {
	readonly client: Client;
	readonly options: ExportOptions;
	/** Where the files of one to download go. */
	readonly out: string;
	/** Told how far it is. */
	readonly onProgress: (seen: ExportAnswer) => void;
	readonly signal: AbortSignal;
	readonly intervalMs?: number;
}

/**
 * Waits until an export is completed, and downloads it into a folder of its own unless it went to a bucket.
 * @returns the export and where its files are
 * @throws Error for a file that does not have its checksum
 */
export async function runExport(command: ExportCommand): Promise<{ done: ExportAnswer; at: string }> {
	const { client, options, out, onProgress, signal, intervalMs } = command;
	const { monitoring } = client;
	const { export_id } = await monitoring.exportData(options, { signal });
	const waiting = { onProgress, signal, ...(intervalMs === undefined ? {} : { intervalMs }) };
	const done = await monitoring.waitForExport(export_id, waiting);
	if (done.destination !== "local") return { done, at: `${done.destination}${export_id}/` };
	const folder = join(out, export_id);
	await mkdir(folder, { recursive: true });
	for (const { name, sha256 } of done.parts) {
		const { stream } = await monitoring.downloadExport(export_id, { part: name }, { signal });
		const hash = createHash("sha256");
		const half = join(folder, `${name}.partial`);
		await pipeline(
			stream,
			async function* (chunks: AsyncIterable<Uint8Array>) {
				for await (const chunk of chunks) {
					hash.update(chunk);
					yield chunk;
				}
			},
			createWriteStream(half, { flush: true }),
			{ signal },
		);
		if (hash.digest("hex") !== sha256) throw new Error(`${name} did not arrive as it was written: ${half}`);
		await rename(half, join(folder, name));
	}
	const { stream } = await monitoring.downloadExport(export_id, { part: "manifest.json" }, { signal });
	await writeFile(join(folder, "manifest.json"), await new Response(stream).text());
	return { done, at: folder };
}

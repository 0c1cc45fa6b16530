/** One part on its way from ClickHouse to its target: counted, compressed and hashed as it passes, and never held whole. */
import { createHash } from "node:crypto";
import { PassThrough, type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ExportCompression, ExportFormat } from "../../schema/wire/index.ts";
import { compressor } from "./compress.ts";
import { rowCounter } from "./rows.ts";
import type { Target } from "./target.ts";

export interface PartOptions {
	readonly name: string;
	readonly format: ExportFormat;
	readonly compression: ExportCompression;
	readonly target: Pick<Target, "write">;
	readonly signal: AbortSignal;
	/** Told how many rows have passed. */
	readonly onRows?: (rows: number) => void;
}

export interface Written {
	readonly rows: number;
	readonly bytes: number;
	readonly sha256: string;
}

/** @throws whatever source or target fail with; nothing is there under the name then */
export async function writePart(source: Readable, options: PartOptions): Promise<Written> {
	const { format, signal, onRows } = options;
	const counter = rowCounter(format);
	const hash = createHash("sha256");
	let rows: number | undefined;
	let bytes = 0;
	async function* counted(input: AsyncIterable<Buffer>) {
		for await (const chunk of input) {
			counter.push(chunk);
			onRows?.(counter.passed);
			yield chunk;
		}
		// Before the target hears of an end: what is not whole must not get its name.
		rows = counter.rows();
	}
	async function* hashed(input: AsyncIterable<Buffer>) {
		for await (const chunk of input) {
			hash.update(chunk);
			bytes += chunk.length;
			yield chunk;
		}
	}
	const compress = format === "parquet" ? undefined : await compressor(options.compression);
	await pipeline(
		source,
		counted,
		compress ?? new PassThrough(),
		hashed,
		(input: AsyncIterable<Buffer>) => options.target.write(options.name, input),
		{ signal },
	);
	return { rows: rows!, bytes, sha256: hash.digest("hex") };
}

/** Compression of csv and json on their way; parquet is compressed by ClickHouse, within the file. */
import { Transform } from "node:stream";
import zlib from "node:zlib";
import { Zstd } from "@hpcc-js/wasm-zstd";
import type { ExportCompression } from "../../schema/wire/index.ts";

/** Twice as fast as the usual 6, for files a tenth bigger. */
const GZIP_LEVEL = 3;
const ZSTD_LEVEL = 3;
/** Compressed at once, and with it the event loop stops for some milliseconds. */
const BLOCK_BYTES = 256 * 1024;

/** @returns undefined where nothing is to be done */
export async function compressor(compression: ExportCompression): Promise<Transform | undefined> {
	if (compression === "none") return undefined;
	if (compression === "gzip") return zlib.createGzip({ level: GZIP_LEVEL, chunkSize: 64 * 1024 });
	return NATIVE.createZstdCompress?.() ?? zstdBlocks(await Zstd.load());
}

/** Since Node 22.15. */
const NATIVE = zlib as { readonly createZstdCompress?: () => Transform };

/** A frame for each block: readers take frames that follow one another as one file. */
export function zstdBlocks(zstd: Zstd): Transform {
	let held: Buffer[] = [];
	let size = 0;
	const frame = () => {
		const block = Buffer.concat(held);
		held = [];
		size = 0;
		return Buffer.from(zstd.compress(block, ZSTD_LEVEL));
	};
	return new Transform({
		transform(chunk: Buffer, _, done) {
			held.push(chunk);
			size += chunk.length;
			done(null, size >= BLOCK_BYTES ? frame() : undefined);
		},
		flush(done) {
			done(null, size > 0 ? frame() : undefined);
		},
	});
}

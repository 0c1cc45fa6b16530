/** Compression of answers: which, and by what. */
import { type BrotliCompress, constants, createBrotliCompress, createDeflate, createGzip, type Gzip } from "node:zlib";

export type Encoding = "gzip" | "br" | "deflate";
/** What can be flushed in the middle. */
export type Encoder = Gzip | BrotliCompress;

/** The first of gzip, br, deflate that `Accept-Encoding` names; others (zstd, lz4) are not sent, which is allowed. */
export function pickEncoding(accept: string | undefined): Encoding | undefined {
	const offered = new Set(accept?.split(",").map((part) => part.split(";", 1)[0]!.trim().toLowerCase()));
	return (["gzip", "br", "deflate"] as const).find((encoding) => offered.has(encoding));
}

export function encoder(encoding: Encoding, level: number): Encoder {
	if (encoding === "br")
		return createBrotliCompress({ params: { [constants.BROTLI_PARAM_QUALITY]: Math.min(level, 4) } });
	const options = { level: Math.min(level, 9) };
	return encoding === "gzip" ? createGzip(options) : createDeflate(options);
}

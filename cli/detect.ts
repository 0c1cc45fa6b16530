import { isJsonObject, ndjsonParser, type RecordType } from "./parse/ndjson.ts";
import { plainParser } from "./parse/plain.ts";
import type { LineParser, SourceLine } from "./parse/record.ts";
import { parseSyslog, syslogParser } from "./parse/syslog.ts";

export const FORMATS = ["ndjson", "syslog", "plain"] as const;
export type Format = (typeof FORMATS)[number];

const SAMPLE_LINES = 50;

/** The format that most of the first lines have. */
export function detectFormat(lines: readonly SourceLine[], referenceMs: number): Format {
	const sample = lines.filter(({ text }) => text.trim() !== "").slice(0, SAMPLE_LINES);
	const most = (fits: (text: string) => boolean) => sample.filter(({ text }) => fits(text)).length * 2 > sample.length;
	if (most(isJsonObject)) return "ndjson";
	if (most((text) => parseSyslog(text, referenceMs) !== undefined)) return "syslog";
	return "plain";
}

/** A parser for a format. */
export function createParser(
	format: Format,
	options: { referenceMs: number; type?: RecordType | undefined; component?: string | undefined },
): LineParser {
	switch (format) {
		case "ndjson":
			return ndjsonParser(options.type, options.component);
		case "syslog":
			return syslogParser(options.referenceMs);
		case "plain":
			return plainParser(options.referenceMs, options.component);
	}
}

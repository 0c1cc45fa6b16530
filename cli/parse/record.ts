// What every parser gives for a piece of a file: a record ready to be sent, or why there is none.

/** One line of the file. */
export interface SourceLine {
	text: string;
	/** Counts from 1. */
	number: number;
	/** Of its first byte, in the decompressed file. */
	offset: number;
}

export interface ParsedRecord {
	/** The line where it starts. */
	line: number;
	offset: number;
	/** One line of `POST /v1/ingest/batch`. */
	json: string;
}

export interface ParseProblem {
	line: number;
	problem: string;
}

export type Parsed = ParsedRecord | ParseProblem;

/** Takes lines in order and gives records when they are complete. It has state, and nothing but the lines changes it. */
export interface LineParser {
	push(line: SourceLine): Parsed[];
	/** What is still open when the file ends. */
	end(): Parsed[];
}

/** A log record as parsers find it. */
export interface FoundLog {
	message: string;
	level?: string | undefined;
	component?: string | undefined;
	context?: Record<string, unknown> | undefined;
	trace_id?: string | undefined;
	span_id?: string | undefined;
	timestamp?: string | number | undefined;
}

export function logJson(log: FoundLog): string {
	return JSON.stringify({ type: "log", ...log });
}

/** ClickHouse's error codes and texts, and the HTTP status each is answered with. */

/** An error as ClickHouse words it: `Code: 60. DB::Exception: … (UNKNOWN_TABLE)`. */
export class EngineError extends Error {
	override readonly name = "EngineError";
	readonly code: number;

	constructor(code: number, message: string, options?: ErrorOptions) {
		super(message, options);
		this.code = code;
	}
}

/** Builds an error of this server's own (the engine's come through {@link fromEngine}) in ClickHouse's wording. */
export function engineError(code: number, type: string, message: string, cause?: unknown): EngineError {
	return new EngineError(code, `Code: ${code}. DB::Exception: ${message} (${type})`, { cause });
}

/** Turns what the engine rejected a query with into an {@link EngineError}; unknown failures get code 1002. */
export function fromEngine(error: unknown): EngineError {
	if (error instanceof EngineError) return error;
	const message = (error instanceof Error ? error.message : String(error)).replace(/^Query failed: /, "");
	const code = /^Code: (\d+)\./.exec(message)?.[1];
	if (code === undefined) return engineError(1002, "UNKNOWN_EXCEPTION", message, error);
	return new EngineError(Number(code), message, { cause: error });
}

// ClickHouse's own table (exceptionCodeToHTTPStatus); whatever is not in it is a 500, also 202 and 241.
const STATUS = new Map<number, number>();
for (const [status, codes] of [
	[400, [6, 8, 15, 25, 26, 27, 36, 37, 38, 41, 44, 53, 62, 72, 117, 123, 167, 168, 223, 321, 376, 427, 441, 675, 676]],
	[401, [194]],
	[403, [192, 193, 497, 512, 516]],
	[404, [46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511]],
	[408, [159]],
	[411, [381]],
	[413, [229]],
	[415, [779]],
	[501, [48]],
	[503, [76, 209, 439]],
] as const) {
	for (const code of codes) STATUS.set(code, status);
}

/** The HTTP status ClickHouse answers an error code with. */
export function httpStatus(code: number): number {
	return STATUS.get(code) ?? 500;
}

/**
 * The text a client is shown: without the file names that stand in for its request and its answer, the engine's double
 * wrapping taken off, and the version at the end as a server adds it.
 */
export function errorText(error: EngineError, version: string, hidden: readonly string[] = []): string {
	let text = error.message.trimEnd();
	for (const part of hidden) text = text.replaceAll(part, "");
	// An error while reading inserted data comes wrapped in a second one of the same code.
	const inner =
		/^Code: \d+\. DB::Exception: (Code: \d+\. DB::Exception: [\s\S]*) \(version [\d.]+[^)]*\)\. \([A-Z0-9_]+\)$/.exec(
			text,
		);
	if (inner) text = inner[1]!;
	return `${text} (version ${version})\n`;
}

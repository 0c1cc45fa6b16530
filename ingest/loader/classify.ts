/** What to do when an INSERT fails. The one place that knows ClickHouse's error codes. */
import { ClickHouseError } from "../../schema/clickhouse.ts";

/**
 * - `retry`: the server is away, busy or out of a resource; the same insert will work later.
 * - `row`: the server refuses the data; find the row and quarantine it.
 * - `stop`: the server or the schema is not what we need; somebody has to act, and nothing may be given up meanwhile.
 */
export type Failure = "retry" | "row" | "stop";

/** https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp */
const ROW_CODES = new Set([
	6, // CANNOT_PARSE_TEXT
	26, // CANNOT_PARSE_QUOTED_STRING
	27, // CANNOT_PARSE_INPUT_ASSERTION_FAILED
	33, // CANNOT_READ_ALL_DATA
	38, // CANNOT_PARSE_DATE
	41, // CANNOT_PARSE_DATETIME
	53, // TYPE_MISMATCH
	69, // ARGUMENT_OUT_OF_BOUND
	70, // CANNOT_CONVERT_TYPE
	72, // CANNOT_PARSE_NUMBER
	117, // INCORRECT_DATA
	128, // TOO_LARGE_ARRAY_SIZE
	131, // TOO_LARGE_STRING_SIZE
	349, // CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
	407, // DECIMAL_OVERFLOW
	469, // VIOLATED_CONSTRAINT
]);

const STOP_CODES = new Set([
	16, // NO_SUCH_COLUMN_IN_TABLE
	20, // NUMBER_OF_COLUMNS_DOESNT_MATCH
	60, // UNKNOWN_TABLE
	81, // UNKNOWN_DATABASE
	115, // UNKNOWN_SETTING
	164, // READONLY
	192, // UNKNOWN_USER
	193, // WRONG_PASSWORD
	497, // ACCESS_DENIED
	516, // AUTHENTICATION_FAILED
]);

/**
 * Unknown codes are retried: 159, 202, 241, 242, 252, 319, 425 and every trouble of the network pass by themselves, and of a
 * code that nobody listed it is safer to wait than to take rows out.
 */
export function classify(error: unknown): Failure {
	if (!(error instanceof ClickHouseError)) return "retry";
	const code = Number(error.code);
	if (ROW_CODES.has(code)) return "row";
	return STOP_CODES.has(code) ? "stop" : "retry";
}

/** ClickHouse's code, or 0 for an error that is not its own. */
export function errorCode(error: unknown): number {
	return error instanceof ClickHouseError ? Number(error.code) : 0;
}

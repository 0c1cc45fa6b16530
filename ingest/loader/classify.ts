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

/** What passes by itself: load, limits, a replica or a disk that is away for a while, a query that was cancelled. */
const RETRY_CODES = new Set([
	3, // UNEXPECTED_END_OF_FILE
	74, // CANNOT_READ_FROM_FILE_DESCRIPTOR
	75, // CANNOT_WRITE_TO_FILE_DESCRIPTOR
	159, // TIMEOUT_EXCEEDED
	202, // TOO_MANY_SIMULTANEOUS_QUERIES
	203, // NO_FREE_CONNECTION
	209, // SOCKET_TIMEOUT
	210, // NETWORK_ERROR
	225, // NO_ZOOKEEPER
	236, // ABORTED
	241, // MEMORY_LIMIT_EXCEEDED
	242, // TABLE_IS_READ_ONLY
	243, // NOT_ENOUGH_SPACE
	252, // TOO_MANY_PARTS
	279, // ALL_CONNECTION_TRIES_FAILED
	285, // TOO_FEW_LIVE_REPLICAS
	286, // UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
	319, // UNKNOWN_STATUS_OF_INSERT
	394, // QUERY_WAS_CANCELLED
	425, // SYSTEM_ERROR
	439, // CANNOT_SCHEDULE_TASK
	473, // DEADLOCK_AVOIDED
	499, // S3_ERROR
	745, // SERVER_OVERLOADED
	999, // KEEPER_EXCEPTION
	1_000, // POCO_EXCEPTION
]);

/**
 * What is no answer of ClickHouse is trouble of the network, and passes. A code that nobody listed is not known to pass: it
 * is told as loudly as a missing table, and tried again as long; rows are never taken out on a guess.
 */
export function classify(error: unknown): Failure {
	if (!(error instanceof ClickHouseError)) return "retry";
	const code = Number(error.code);
	if (ROW_CODES.has(code)) return "row";
	return RETRY_CODES.has(code) ? "retry" : "stop";
}

/** ClickHouse's code, or 0 for an error that is not its own. */
export function errorCode(error: unknown): number {
	return error instanceof ClickHouseError ? Number(error.code) : 0;
}

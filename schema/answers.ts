/**
 * Questions to ClickHouse whose answers are taken whole. The official client waits for a timer before each request and takes longer
 * over one than ClickHouse over a small question, so these are put by HTTP as it is; everything else goes through the client.
 */
import { randomUUID } from "node:crypto";
import { Agent, type IncomingMessage, type RequestOptions, request as requestHttp } from "node:http";
import { request as requestHttps, Agent as SecureAgent } from "node:https";
import { promisify, toUSVString } from "node:util";
import { gunzip } from "node:zlib";
import { EXCEPTION_TAG_HEADER_NAME, extractErrorAtTheEndOfChunk, parseError, TupleParam } from "@clickhouse/client";

export interface AnswersOptions {
	/** `http://host:port` */
	readonly url: string;
	readonly user: string;
	readonly password: string;
	readonly database: string;
	readonly timeout_ms: number;
	readonly maxConnections: number;
	/** Free sockets are closed after so long, before the server does it. */
	readonly idle_ms: number;
	readonly compressed: boolean;
}

export interface Put {
	/** With its FORMAT. */
	readonly sql: string;
	readonly params: Readonly<Record<string, unknown>>;
	/** As they stand in a URL. */
	readonly settings: string;
	readonly signal?: AbortSignal | undefined;
}

/** Parameters that are longer go into the body: what stands between may refuse a URL over 8 KiB, and settings take their part. */
const MAX_URL_PARAMS = 2048;
const SETTINGS_OF_ROWS =
	"date_time_output_format=iso&output_format_json_quote_64bit_integers=1&output_format_json_quote_denormals=1";
const decompress = promisify(gunzip);

export class Answers {
	readonly #path: string;
	readonly #options: RequestOptions;
	readonly #request: typeof requestHttp;
	readonly #agent: Agent;

	constructor({ url, user, password, database, timeout_ms, maxConnections, idle_ms, compressed }: AnswersOptions) {
		const { protocol, hostname, port } = new URL(url);
		const secure = protocol === "https:";
		this.#request = secure ? requestHttps : requestHttp;
		const kept = { keepAlive: true, maxSockets: maxConnections, timeout: idle_ms };
		this.#agent = secure ? new SecureAgent(kept) : new Agent(kept);
		const compression = compressed ? "&enable_http_compression=1" : "";
		this.#path = `/?database=${encodeURIComponent(database)}${compression}&`;
		this.#options = {
			...{ method: "POST", hostname: hostname.replace(/^\[|\]$/g, ""), port, agent: this.#agent, timeout: timeout_ms },
			headers: {
				Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`,
				"User-Agent": "tidemark",
				...(compressed ? { "Accept-Encoding": "gzip" } : {}),
			},
		};
	}

	/** @throws ClickHouseError what ClickHouse refuses, Error with the system's code when it cannot be reached */
	async get({ sql, params, settings, signal }: Put): Promise<string> {
		const values = Object.entries(params).map(([name, value]) => [`param_${name}`, format(value)] as const);
		const inUrl = values.map(([name, value]) => `&${name}=${encodeURIComponent(toUSVString(value))}`).join("");
		if (inUrl.length <= MAX_URL_PARAMS) return this.#put(settings + inUrl, sql, {}, signal);
		const boundary = randomUUID();
		const parts = [["query", sql], ...values].map(
			([name, value]) => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
		);
		const type = { "Content-Type": `multipart/form-data; boundary=${boundary}` };
		return this.#put(settings, `${parts.join("")}--${boundary}--\r\n`, type, signal);
	}

	/** The rows of a statement without a FORMAT, as the client reads them: integers of 64 bits are texts. */
	async rows<T>(sql: string, params: Readonly<Record<string, unknown>> = {}, signal?: AbortSignal): Promise<T[]> {
		const text = await this.get({ sql: `${sql}\nFORMAT JSONEachRow`, params, settings: SETTINGS_OF_ROWS, signal });
		return text.split("\n").flatMap((line) => (line === "" ? [] : (JSON.parse(line) as T)));
	}

	#put(search: string, body: string, type: Record<string, string>, signal: AbortSignal | undefined): Promise<string> {
		return new Promise((resolve, reject) => {
			if (signal?.aborted) return reject(new Error("The question was aborted"));
			const headers = { ...this.#options.headers, ...type, "Content-Length": Buffer.byteLength(body) };
			const outgoing = this.#request({ ...this.#options, path: this.#path + search, headers });
			const leave = () => outgoing.destroy(new Error("The question was aborted"));
			signal?.addEventListener("abort", leave);
			outgoing.on("close", () => signal?.removeEventListener("abort", leave));
			outgoing.on("timeout", () => outgoing.destroy(new Error("Timeout: ClickHouse did not answer in time")));
			outgoing.on("error", reject);
			outgoing.on("response", (answer) => take(answer, resolve, reject));
			outgoing.end(body);
		});
	}

	close(): void {
		this.#agent.destroy();
	}
}

function take(answer: IncomingMessage, resolve: (text: string) => void, reject: (error: Error) => void): void {
	const chunks: Buffer[] = [];
	answer.on("data", (chunk: Buffer) => chunks.push(chunk));
	// Cut off: ClickHouse says why in the last bytes, where it still could.
	answer.on("error", (error) => reject(lateError(answer, Buffer.concat(chunks)) ?? error));
	answer.on("end", () => {
		const body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
		const give = (plain: Buffer): void =>
			answer.statusCode === 200 ? resolve(plain.toString()) : reject(failure(answer, plain.toString()));
		if (answer.headers["content-encoding"] !== "gzip") give(body);
		else decompress(body).then(give, reject);
	});
}

function lateError({ headers }: IncomingMessage, body: Buffer): Error | undefined {
	const tag = headers[EXCEPTION_TAG_HEADER_NAME];
	if (typeof tag !== "string" || !body.includes(`__exception__\r\n${tag}\r\n`)) return undefined;
	return extractErrorAtTheEndOfChunk(body, tag);
}

/** What is no error of ClickHouse's comes from something in between. */
function failure({ statusCode }: IncomingMessage, text: string): Error {
	return parseError(text.trim() === "" ? `network: status ${statusCode} without a reason` : text) as Error;
}

/** A value as parameters are written: as text of ClickHouse, and quoted within arrays and tuples. */
function format(value: unknown): string {
	if (typeof value === "string") return escaped(value);
	if (value === null || value === undefined) return "\\N";
	if (typeof value === "boolean") return value ? "1" : "0";
	return formatNested(value);
}

function formatNested(value: unknown): string {
	if (typeof value === "string") return `'${escaped(value)}'`;
	if (value === null || value === undefined) return "NULL";
	if (Array.isArray(value)) return `[${value.map(formatNested).join(",")}]`;
	if (value instanceof TupleParam) return `(${value.values.map(formatNested).join(",")})`;
	if (typeof value === "bigint") return String(value);
	if (typeof value === "boolean") return value ? "TRUE" : "FALSE";
	if (typeof value !== "number") throw new TypeError(`A parameter cannot be ${Object.prototype.toString.call(value)}`);
	if (Number.isFinite(value)) return String(value);
	return Number.isNaN(value) ? "nan" : value > 0 ? "+inf" : "-inf";
}

const ESCAPES: Readonly<Record<string, string>> = {
	...{ "\t": "\\t", "\n": "\\n", "\r": "\\r", "'": "\\'", "\\": "\\\\" },
};

function escaped(text: string): string {
	return text.replace(/[\t\n\r'\\]/g, (char) => ESCAPES[char]!);
}

/** The few requests of S3 that an export takes, signed, through the outbound door, and tried again where that can help. */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { AwsV4Signer } from "aws4fetch";
import { OutboundFailure, OutboundTimeout } from "../outbound/errors.ts";
import type { Outbound } from "../outbound/outbound.ts";
import type { OutboundResponse } from "../outbound/request.ts";

/** A bucket and the keys to it, in the clear. */
export interface BucketAccess {
	readonly bucket: string;
	readonly region: string;
	readonly endpoint?: string | undefined;
	readonly path_style?: boolean | undefined;
	readonly access_key_id: string;
	readonly secret_access_key: string;
	readonly session_token?: string | undefined;
}

/** The bucket refused: its status, S3's own code, and what it says. */
export class S3Error extends Error {
	override readonly name = "S3Error";
	readonly status: number;
	readonly code: string;
	constructor(bucket: string, status: number, code: string, message: string) {
		super(`The bucket ${bucket} answers ${status} ${code}${message ? `: ${message}` : ""}`);
		this.status = status;
		this.code = code;
	}

	/** Whether another attempt at the whole file may get another answer: what it asked about is gone, or was late. */
	get mayPass(): boolean {
		return mayPass(this.status) || PASSING.has(this.code);
	}
}

const PASSING: ReadonlySet<string> = new Set(["NoSuchUpload", "RequestTimeout", "OperationAborted"]);

export interface Upload {
	readonly key: string;
	readonly upload_id: string;
}

interface Asked {
	readonly method: "GET" | "PUT" | "POST" | "DELETE";
	readonly key?: string;
	readonly query?: Readonly<Record<string, string>>;
	readonly body?: Buffer;
}

const TRIES = 6;
const FIRST_WAIT_MS = 500;
/** From the first byte sent to the head of the answer: a part of an upload on a slow line takes its time. */
const ANSWER_MS = 300_000;
const ANSWER_BYTES = 4 * 1024 * 1024;

export class S3Bucket {
	readonly #access: BucketAccess;
	readonly #outbound: Outbound;
	readonly #signal: AbortSignal;
	/** Of the bucket, with a slash at its end. */
	readonly #base: string;

	constructor(access: BucketAccess, outbound: Outbound, signal: AbortSignal) {
		this.#access = access;
		this.#outbound = outbound;
		this.#signal = signal;
		const url = new URL(access.endpoint ?? `https://s3.${access.region}.amazonaws.com`);
		const path = url.pathname.replace(/\/+$/, "");
		const inPath = access.path_style ?? access.endpoint !== undefined;
		this.#base = inPath
			? `${url.protocol}//${url.host}${path}/${access.bucket}/`
			: `${url.protocol}//${access.bucket}.${url.host}${path}/`;
	}

	async put(key: string, body: Buffer): Promise<void> {
		await this.#ask({ method: "PUT", key, body });
	}

	async delete(key: string): Promise<void> {
		await this.#ask({ method: "DELETE", key }, [404]);
	}

	async begin(key: string): Promise<Upload> {
		const answer = await this.#ask({ method: "POST", key, query: { uploads: "" } });
		return { key, upload_id: element(text(answer), "UploadId") ?? this.#unread(answer) };
	}

	/** @returns what the part is named by when the upload is completed */
	async putPart({ key, upload_id }: Upload, number: number, body: Buffer): Promise<string> {
		const query = { partNumber: String(number), uploadId: upload_id };
		const answer = await this.#ask({ method: "PUT", key, query, body });
		return answer.headers.etag ?? this.#unread(answer);
	}

	/** From now on there is a file. */
	async complete({ key, upload_id }: Upload, etags: readonly string[]): Promise<void> {
		const parts = etags.map(
			(etag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${escapeXml(etag)}</ETag></Part>`,
		);
		const body = Buffer.from(`<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`);
		await this.#ask({ method: "POST", key, query: { uploadId: upload_id }, body });
	}

	async abort({ key, upload_id }: Upload): Promise<void> {
		await this.#ask({ method: "DELETE", key, query: { uploadId: upload_id } }, [404]);
	}

	/** Uploads that were begun and neither completed nor aborted. */
	async uploads(prefix: string): Promise<Upload[]> {
		const answer = text(await this.#ask({ method: "GET", query: { prefix, uploads: "" } }));
		return [...answer.matchAll(/<Upload>([\s\S]*?)<\/Upload>/g)].flatMap(([, upload]) => {
			const key = element(upload!, "Key");
			const upload_id = element(upload!, "UploadId");
			return key !== undefined && upload_id !== undefined ? [{ key, upload_id }] : [];
		});
	}

	/** @param also statuses beside 2xx that are no failure */
	async #ask(asked: Asked, also: readonly number[] = []): Promise<OutboundResponse> {
		for (let tries = 1; ; tries++) {
			const outcome = await this.#send(asked).catch((error: unknown) => {
				if (this.#signal.aborted || tries === TRIES || !isOfTheWay(error)) throw error;
			});
			if (outcome) {
				const status = statusOf(outcome);
				if (status < 300 || also.includes(status)) return outcome;
				if (tries === TRIES || !mayPass(status)) throw this.#refusal(outcome);
			}
			await sleep(FIRST_WAIT_MS * 2 ** (tries - 1), undefined, { signal: this.#signal });
		}
	}

	/** Signed anew for each try: a signature is good for some minutes. */
	async #send({ method, key = "", query = {}, body }: Asked): Promise<OutboundResponse> {
		const { access_key_id, secret_access_key, session_token, region } = this.#access;
		const path = key.split("/").map(encodeURIComponent).join("/");
		const search = new URLSearchParams(query).toString();
		const hash = createHash("sha256")
			.update(body ?? "")
			.digest("hex");
		const signed = await new AwsV4Signer({
			...{ method, url: `${this.#base}${path}${search && `?${search}`}`, service: "s3", region },
			// Signed with the content, so that what was changed on the way is refused.
			headers: { "x-amz-content-sha256": hash },
			...{ accessKeyId: access_key_id, secretAccessKey: secret_access_key },
			...(session_token === undefined ? {} : { sessionToken: session_token }),
		}).sign();
		return await this.#outbound.request({
			...{ method, url: signed.url, headers: Object.fromEntries(signed.headers), signal: this.#signal },
			...(body === undefined ? {} : { body }),
			limits: { total_ms: ANSWER_MS + 60_000, headers_ms: ANSWER_MS, idle_ms: 60_000, bodyBytes: ANSWER_BYTES },
		});
	}

	#refusal(answer: OutboundResponse): S3Error {
		const body = text(answer);
		const code = element(body, "Code") ?? "";
		return new S3Error(this.#access.bucket, statusOf(answer), code, (element(body, "Message") ?? "").slice(0, 300));
	}

	#unread(answer: OutboundResponse): never {
		throw new S3Error(this.#access.bucket, answer.status, "", "the answer is not one of S3");
	}
}

function isOfTheWay(error: unknown): boolean {
	return error instanceof OutboundTimeout || error instanceof OutboundFailure;
}

/** S3 begins its answer to a completion before it knows, and may say 200 and then that it failed on its side. */
function statusOf(answer: OutboundResponse): number {
	return answer.status < 300 && text(answer).includes("<Error>") ? 500 : answer.status;
}

/** Whether the same request may be answered otherwise in a moment; 501 is what the server was not built for. */
function mayPass(status: number): boolean {
	return status === 429 || (status >= 500 && status !== 501);
}

function text({ body }: OutboundResponse): string {
	return body.toString("utf8");
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function element(xml: string, name: string): string | undefined {
	const [, found] = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml) ?? [];
	return found?.replace(/&(?:#(\d+)|#x([\da-f]+)|(\w+));/gi, (whole, decimal?: string, hex?: string, word?: string) => {
		if (word !== undefined) return ENTITIES[word] ?? whole;
		return String.fromCodePoint(decimal === undefined ? Number.parseInt(hex!, 16) : Number(decimal));
	});
}

function escapeXml(value: string): string {
	return value.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

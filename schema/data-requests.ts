/** Requests to erase or hand out what is known of a person, as they rest: whom they are about is sealed, and forgotten in the end. */
import { z } from "zod";
import type { ClickHouse } from "./clickhouse.ts";
import { Definitions } from "./definitions.ts";
import type { SecretBox } from "./secret-box.ts";
import { DATA_REQUEST_TYPES, type DataRequestType } from "./wire/data-requests.ts";

/** The kinds of job that do them. */
export const JOB_KIND_OF = { erase: "erasure", export: "subject_access" } as const satisfies Record<
	DataRequestType,
	string
>;

export const DATA_REQUEST_KIND = "data_request";

const storedRequest = z.strictObject({
	type: z.enum(DATA_REQUEST_TYPES),
	/** Sealed {@link Whom}; null once it is forgotten. */
	sealed: z.string().nullable(),
	free_text: z.boolean().nullable(),
	/** So that who has the id can prove what the request was about. */
	subject_sha256: z.string(),
	requested_by: z.string(),
	/** Milliseconds since the epoch. */
	requested_at: z.int(),
	/** From then on what was sent is no longer meant. Seconds since the epoch. */
	before_s: z.int(),
	/** When an export is forgotten, milliseconds since the epoch. */
	expires_at: z.int().nullable(),
});
export type StoredRequest = z.infer<typeof storedRequest>;

/** Of whom. */
export interface Whom {
	readonly user_id: string;
	/** Why, in words that may be about the person. */
	readonly reason?: string | undefined;
	/** All ids of the person, the one that was asked for first, once they are looked up. */
	readonly ids?: readonly string[];
}

export function dataRequests(client: ClickHouse, now?: () => number): Definitions<StoredRequest> {
	return new Definitions(client, DATA_REQUEST_KIND, storedRequest, now);
}

/** Where the person of a request is sealed for. */
export function requestContext(project: string, request_id: string): string {
	return `${DATA_REQUEST_KIND} ${project} ${request_id}`;
}

export function sealWhom(whom: Whom, box: SecretBox, project: string, request_id: string): string {
	return box.seal(JSON.stringify(whom), requestContext(project, request_id));
}

/** @throws SealError */
export function openWhom(sealed: string, box: SecretBox, project: string, request_id: string): Whom {
	return JSON.parse(box.open(sealed, requestContext(project, request_id))) as Whom;
}

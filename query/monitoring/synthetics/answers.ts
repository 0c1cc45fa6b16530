import type { Definition } from "../../../schema/definitions.ts";
import { MASKED, type SyntheticTest, type SyntheticTestAnswer } from "../../../schema/wire/index.ts";

/** Where heartbeats are called; ingest serves it. */
export const HEARTBEATS_PATH = "/v1/heartbeats";

export interface Shown {
	readonly warnings?: readonly string[];
	/** Of a heartbeat that was just made: it is shown this once. */
	readonly token?: string | undefined;
}

/** A test as answers show it: what could open a door is masked. */
export function testAnswer(
	{ id, body, created_at, updated_at }: Definition<SyntheticTest>,
	{ warnings = [], token = MASKED }: Shown = {},
): SyntheticTestAnswer {
	const standing = {
		test_id: id,
		created_at: created_at.toISOString(),
		updated_at: updated_at.toISOString(),
		warnings: [...warnings],
	};
	switch (body.type) {
		case "heartbeat": {
			const { token_hash: _, ...rest } = body;
			return { ...rest, ...standing, heartbeat_url: `${HEARTBEATS_PATH}/${token}` };
		}
		case "http": {
			const headers = Object.fromEntries(Object.keys(body.headers).map((name) => [name, MASKED]));
			return { ...body, headers, ...(body.body === undefined ? {} : { body: MASKED }), ...standing };
		}
		case "tcp":
		case "dns":
			return { ...body, ...standing };
	}
}

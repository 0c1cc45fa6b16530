import type { HttpBindings } from "@hono/node-server";
import type { Role } from "./roles.ts";

/** Who is asking: the key that was presented. Everything it reads or writes is in its project. */
export interface Principal {
	readonly key_id: string;
	readonly project: string;
	readonly name: string;
	readonly roles: readonly Role[];
	/** Reads an hour. */
	readonly read_limit: number;
}

/** Somebody known was not let in. */
export interface Denial {
	readonly key_id: string;
	readonly project: string;
	readonly reason: DenialReason;
	/** What the key would have needed. */
	readonly required_role?: string;
}
/** The key has ended, or was never good for this. */
export type DenialReason = "revoked" | "expired" | "rotated" | "role";

/** Bindings and variables of every Hono app of the server; the raw request is `c.env.incoming`. */
export interface AppEnv {
	Bindings: HttpBindings;
	Variables: {
		requestId: string;
		/** Set by `requireRole`. */
		key: Principal;
		/** Set where a known key was not let in. */
		denial: Denial | undefined;
		/** Set where a request that could have changed something found that there was nothing to change. */
		unchanged: true | undefined;
		/** Whether the key would still be let in; of streams, which outlive the moment in which they were asked for. */
		recheck: () => Promise<boolean>;
	};
}

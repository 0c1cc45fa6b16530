/** Who was not let in, for the audit log: told at once, and then counted, so that a flood is a row a minute that says how many. */
import type { AuditEntry } from "../schema/audit.ts";
import type { AnsweredRequest } from "./app.ts";

export interface DenialsOptions {
	readonly append: (entry: AuditEntry) => Promise<void>;
	/** Milliseconds since the epoch. */
	readonly now?: () => number;
	/** How many different ones are told apart at a time. */
	readonly maxKinds?: number;
}

interface Kind {
	readonly entry: Pick<AuditEntry, "project" | "actor" | "target"> & { readonly request_id: string };
	readonly detail: { readonly status: number; readonly reason: string; readonly required_role?: string };
	/** Not yet told. */
	count: number;
	first: number;
	last: number;
	/** Not before. */
	tell_at: number;
}

/** Between two rows about the same key, route and reason. */
const PAUSE_MS = 60_000;
const MAX_KINDS = 1_000;

/** A row that cannot be stored is kept and tried again with what came since: no count is lost but by a process that is killed. */
export class Denials {
	readonly #options: DenialsOptions;
	readonly #now: () => number;
	readonly #kinds = new Map<string, Kind>();
	#telling: Promise<void> | undefined;

	constructor(options: DenialsOptions) {
		this.#options = options;
		this.#now = options.now ?? Date.now;
	}

	/** To be told of every answered request; most are none of its business. */
	note({ denial, method, route, status, requestId }: AnsweredRequest): void {
		if (denial === undefined) return;
		const { key_id: actor, project, reason, required_role } = denial;
		// Past the limit nobody asks any more where they knocked, only who and how often.
		const isFull = this.#kinds.size >= (this.#options.maxKinds ?? MAX_KINDS);
		const name = JSON.stringify([project, actor, reason, method, route]);
		const isKnown = this.#kinds.has(name);
		const target = isFull && !isKnown ? "*" : `${method} ${route ?? "?"}`;
		const key = target === "*" ? JSON.stringify([project, actor, reason]) : name;
		const at = this.#now();
		const kind = this.#kinds.get(key) ?? {
			entry: { project, actor, target, request_id: requestId },
			detail: { status, reason, ...(required_role === undefined ? {} : { required_role }) },
			...{ count: 0, first: at, last: at, tell_at: at },
		};
		if (kind.count++ === 0) kind.first = at;
		kind.last = at;
		this.#kinds.set(key, kind);
	}

	/** Stores what is due. Call it now and then. @param everything before the end: also what is not due */
	flush(everything = false): Promise<void> {
		const turn = (this.#telling ?? Promise.resolve()).catch(() => undefined).then(() => this.#tell(everything));
		this.#telling = turn;
		return turn;
	}

	async #tell(everything: boolean): Promise<void> {
		for (const [key, kind] of this.#kinds) {
			const now = this.#now();
			if (!everything && kind.tell_at > now) continue;
			if (kind.count === 0) {
				this.#kinds.delete(key);
				continue;
			}
			const { count, first, last } = kind;
			kind.count = 0;
			try {
				await this.#options.append({
					...{ ...kind.entry, action: "access.denied" },
					detail: { ...kind.detail, count, first_at: iso(first), last_at: iso(last) },
				});
				kind.tell_at = now + PAUSE_MS;
			} catch (error) {
				kind.count += count;
				kind.first = first;
				throw error;
			}
		}
	}
}

function iso(ms: number): string {
	return new Date(ms).toISOString();
}

/** The pool of engine sessions: one session runs one query at a time, and nothing of a query stays on it. */
import { join } from "node:path";
import { type ChdbResult, Session } from "chdb";
import { engineError } from "./errors.ts";
import { Pipe } from "./pipe.ts";
import { type Kept, putBack, setUp, turnTo } from "./sql.ts";

export interface QueryContext {
	/** Settings and `param_…` values for this query alone. */
	settings: ReadonlyMap<string, string>;
	database: string | undefined;
	/** The query text, to see which parameters it uses. */
	text: string;
	/** False retires the session after the query. */
	keepsSession: boolean;
	format: string;
}

interface Slot {
	pipe: Pipe;
	session: Session | undefined;
	/** What the last query left set: most queries want the same again, and each SET costs half as much as a small query. */
	kept: Kept;
	/** Settles when nothing of the last query is left on the session. */
	cleared: Promise<void>;
}

export interface Lease {
	pipe: Pipe;
	/** Sets the session up, runs `sql`, and puts the session back. Resolves when the answer is complete. */
	run(sql: string, context: QueryContext): Promise<ChdbResult>;
	/** Must be called once, after `run` has settled. */
	release(): void;
}

export interface SessionPool {
	readonly running: number;
	/** @throws EngineError 202 when all sessions are busy. */
	acquire(): Lease;
	close(): void;
}

/** A session that has seen more names of parameters is replaced, since it keeps them all. */
const MAX_PARAMS = 500;
const PARAMETER = /\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*:/g;

function usesStaleParameter(text: string, { params }: Kept, settings: ReadonlyMap<string, string>): boolean {
	const stale = new Set([...params.keys()].filter((name) => !settings.has(name)));
	if (stale.size === 0) return false;
	for (const [, name] of text.matchAll(PARAMETER)) if (stale.has(`param_${name}`)) return true;
	return false;
}

const nothing = (): Kept => ({ settings: new Map(), params: new Map(), database: undefined });

/** Builds the pool; sessions are opened when first used. `first` holds the data folder open and stays unused. */
export function createSessionPool(options: {
	dataDir: string;
	pipeDir: string;
	size: number;
	base: ReadonlyMap<string, string>;
	/** Told how many sessions are taken before a query begins, and after it has ended. */
	onRunning?: (running: number) => void;
}): SessionPool & { pipePaths: string[] } {
	const { dataDir, base, onRunning } = options;
	const slots: Slot[] = Array.from({ length: options.size }, (_, i) => ({
		pipe: new Pipe(join(options.pipeDir, `answer-${i}`)),
		session: undefined,
		kept: nothing(),
		cleared: Promise.resolve(),
	}));
	// A stack: the same few warm sessions serve a light load.
	const free = [...slots].reverse();

	function retire(slot: Slot): void {
		slot.session?.close();
		slot.session = undefined;
		slot.kept = nothing();
	}

	function giveBack(slot: Slot): void {
		free.push(slot);
		onRunning?.(slots.length - free.length);
	}

	function sessionOf(slot: Slot): Session {
		if (slot.session === undefined) {
			slot.session = new Session(dataDir);
			slot.session.query(setUp(base));
		}
		return slot.session;
	}

	async function run(slot: Slot, sql: string, context: QueryContext): Promise<ChdbResult> {
		const { settings, database } = context;
		if (usesStaleParameter(context.text, slot.kept, settings)) retire(slot);
		const session = sessionOf(slot);
		const before = slot.kept;
		const { statements, kept } = turnTo(before, settings, database, base);
		slot.kept = kept;
		let failed = false;
		try {
			return await session.queryAsync(statements + sql, { format: context.format });
		} catch (error) {
			failed = true;
			throw error;
		} finally {
			const small = kept.params.size <= MAX_PARAMS;
			if (!context.keepsSession || !small || settings.has("allow_ddl")) retire(slot);
			else if (failed) {
				// Nobody knows how far it came. And until something is run the engine keeps the failed query's memory, and shows
				// it as running.
				const named = [...before.settings.keys(), ...settings.keys()];
				slot.kept = { ...nothing(), params: kept.params };
				slot.cleared = putSessionBack(slot, session, `${putBack(named, base)}USE default;`);
			}
		}
	}

	/** Puts the session back; one that cannot be is given up (a setting that does not exist was refused, too). */
	async function putSessionBack(slot: Slot, session: Session, reset: string): Promise<void> {
		await session.queryAsync(reset).catch(() => retire(slot));
	}

	return {
		pipePaths: slots.map((slot) => slot.pipe.path),
		get running() {
			return slots.length - free.length;
		},
		acquire() {
			const slot = free.pop();
			if (slot === undefined) {
				const message = `Too many simultaneous queries. Maximum: ${slots.length}.`;
				throw engineError(202, "TOO_MANY_SIMULTANEOUS_QUERIES", message);
			}
			onRunning?.(slots.length - free.length);
			return {
				pipe: slot.pipe,
				run: (sql, context) => run(slot, sql, context),
				// The answer does not wait for this, the next query on the session does.
				release: () => void slot.cleared.then(() => giveBack(slot)),
			};
		},
		close() {
			for (const slot of slots) {
				retire(slot);
				slot.pipe.close();
			}
		},
	};
}

import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { ClickHouse } from "../schema/clickhouse.ts";
import { type Definition, Definitions } from "../schema/definitions.ts";
import type { DenialReason, Principal } from "./env.ts";
import { notFound, unavailable } from "./errors.ts";
import { ROLES, type Role } from "./roles.ts";
import { hashSecret, newSecret } from "./secret.ts";

const keyBody = z.object({
	name: z.string(),
	roles: z.array(z.enum(ROLES)),
	/** SHA-256, hex. */
	hash: z.string(),
	/** The texts before a rotation, good until the end of their grace. */
	retired: z.array(z.object({ hash: z.string(), until: z.number() })),
	read_limit: z.number(),
	/** When it got each new text after its first, the newest last. Milliseconds since the epoch. */
	rotations: z.array(z.number()).default([]),
	/** Milliseconds since the epoch. */
	expires_at: z.number().nullable(),
	revoked_at: z.number().nullable(),
});
type KeyBody = z.infer<typeof keyBody>;
/** Apart from the key itself, so that noting a use never overwrites a rotation or a revocation. */
const keyUse = z.object({ last_used_at: z.number() });

/** What may be told about a key: all but its text. Times in milliseconds since the epoch. */
export interface KeyInfo extends Principal {
	readonly created_at: number;
	readonly expires_at: number | null;
	readonly revoked_at: number | null;
	readonly last_used_at: number | null;
}

export interface NewKey {
	readonly project: string;
	readonly name: string;
	readonly roles: readonly Role[];
	/** Reads an hour. */
	readonly read_limit?: number | undefined;
	readonly expires_at?: number | null | undefined;
}

export interface KeyStoreOptions {
	readonly client: ClickHouse;
	readonly now?: () => number;
	/** Age at which the keys are read again; a revocation in another process counts after this long at most. */
	readonly refresh_ms?: number;
	/** Reads an hour of a key that sets no other. */
	readonly readLimit?: number;
}

interface Entry {
	readonly principal: Principal;
	readonly good_until: number;
	/** Why it is not good any more after that. */
	readonly ends_as: DenialReason;
}

/** Id of the key that `TIDEMARK_ADMIN_KEY` sets. */
const SETTING_KEY_ID = "key_setting";
/** Texts of before that a key remembers. Each is good until the end of its grace, unless it is rotated this often meanwhile. */
const MAX_RETIRED = 20;
/** An unknown key makes at most one query in this time, however many of them arrive. */
const UNKNOWN_PAUSE_MS = 1_000;

/**
 * Keys by the hash of their text, all of them in memory: a request with a known key asks ClickHouse nothing. A key in no list
 * may have been made by another process a moment ago, so the list is read again, but rarely.
 */
export class KeyStore {
	readonly #definitions: Definitions<KeyBody>;
	readonly #uses: Definitions<z.infer<typeof keyUse>>;
	readonly #now: () => number;
	readonly #refresh_ms: number;
	readonly #readLimit: number;
	#entries: ReadonlyMap<string, Entry> | undefined;
	#read_at = Number.NEGATIVE_INFINITY;
	#reading: Promise<void> | undefined;
	/** Last use by `project key_id`, not yet stored. */
	#used = new Map<string, { principal: Principal; at: number }>();

	constructor(options: KeyStoreOptions) {
		this.#now = options.now ?? Date.now;
		this.#definitions = new Definitions(options.client, "key", keyBody, this.#now);
		this.#uses = new Definitions(options.client, "key_use", keyUse, this.#now);
		this.#refresh_ms = options.refresh_ms ?? 5_000;
		this.#readLimit = options.readLimit ?? 10_000;
	}

	/**
	 * Who presents this text; `undefined` when nobody.
	 * @throws ApiError 503 when the keys could never be read
	 */
	async verify(secret: string): Promise<Principal | undefined> {
		const hash = hashSecret(secret);
		const now = this.#now();
		const age = now - this.#read_at;
		if (this.#entries && age > this.#refresh_ms) {
			// The old list serves meanwhile, and for as long as ClickHouse is away: intake must go on without it.
			this.refresh().catch(() => undefined);
		}
		let entry = this.#entries?.get(hash);
		// One that has ended is looked up again like one that never was: it may be good once more.
		if ((!entry || entry.good_until <= now) && (!this.#entries || age > UNKNOWN_PAUSE_MS)) {
			await this.refresh().catch((cause: unknown) => {
				if (!this.#entries) throw unavailable("clickhouse", "Keys cannot be read: ClickHouse does not answer", cause);
			});
			entry = this.#entries?.get(hash);
		}
		if (!entry || entry.good_until <= now) return undefined;
		this.#used.set(useKey(entry.principal), { principal: entry.principal, at: now });
		return entry.principal;
	}

	/** Whose text this was, when it was good once and is not any more. */
	ended(secret: string): { principal: Principal; reason: DenialReason } | undefined {
		const entry = this.#entries?.get(hashSecret(secret));
		if (!entry || entry.good_until > this.#now()) return undefined;
		return { principal: entry.principal, reason: entry.ends_as };
	}

	/** Reads all keys; calls at the same time share one query. */
	refresh(): Promise<void> {
		this.#reading ??= this.#read().finally(() => {
			this.#reading = undefined;
		});
		return this.#reading;
	}

	/** @returns the key and its text, which is nowhere else */
	async create(key: NewKey): Promise<{ key: KeyInfo; secret: string }> {
		const secret = newSecret(key.roles);
		return { key: await this.#put(`key_${randomUUID().replaceAll("-", "")}`, key, secret), secret };
	}

	async list(project: string): Promise<KeyInfo[]> {
		const [keys, uses] = await Promise.all([this.#definitions.list(project), this.#uses.list(project)]);
		const stored = new Map(uses.map((use) => [use.id, use.body.last_used_at]));
		return keys.map((key) => {
			const principal = toPrincipal(key);
			const used = Math.max(stored.get(key.id) ?? 0, this.#used.get(useKey(principal))?.at ?? 0);
			return toInfo(key, used || null);
		});
	}

	/**
	 * Gives the key a new text; the old one holds for `grace_seconds` more.
	 * @throws ApiError 404
	 */
	async rotate(project: string, keyId: string, grace_seconds: number): Promise<{ key: KeyInfo; secret: string }> {
		const key = await this.#active(project, keyId);
		const { body } = key;
		const now = this.#now();
		const secret = newSecret(body.roles);
		// Those that are over stay for a while: whoever still tries one is known.
		const retired = [...body.retired, { hash: body.hash, until: now + grace_seconds * 1_000 }].slice(-MAX_RETIRED);
		const rotations = [...rotationsOf(key), now].slice(-MAX_RETIRED);
		const stored = await this.#definitions.put(project, keyId, {
			...body,
			hash: hashSecret(secret),
			retired,
			rotations,
		});
		await this.refreshAfterWrite();
		return { key: toInfo(stored, null), secret };
	}

	/**
	 * Ends the key and its retired texts, at once in this process.
	 * @throws ApiError 404
	 */
	async revoke(project: string, keyId: string): Promise<void> {
		const key = await this.#active(project, keyId);
		const ended = { retired: [], rotations: rotationsOf(key), revoked_at: this.#now() };
		await this.#definitions.put(project, keyId, { ...key.body, ...ended });
		await this.refreshAfterWrite();
	}

	/**
	 * Sees to it that project `default` can be administered. With `adminKey` that text becomes the admin key; otherwise one is
	 * made when there is none.
	 * @returns the text of a key made now, to be printed once
	 */
	async ensureAdminKey(options: { adminKey?: string | undefined } = {}): Promise<string | undefined> {
		const project = "default";
		const keys = await this.#definitions.list(project);
		const now = this.#now();
		if (options.adminKey !== undefined) {
			const before = keys.find((key) => key.id === SETTING_KEY_ID);
			if (before?.body.hash !== hashSecret(options.adminKey) || !isActive(before.body, now)) {
				const key: NewKey = { project, name: "TIDEMARK_ADMIN_KEY", roles: ["admin"] };
				const rotations = before && [...rotationsOf(before), now].slice(-MAX_RETIRED);
				await this.#put(SETTING_KEY_ID, key, options.adminKey, rotations);
			}
			return undefined;
		}
		if (keys.some((key) => key.body.roles.includes("admin") && isActive(key.body, now))) return undefined;
		return (await this.create({ project, name: "first admin key", roles: ["admin"] })).secret;
	}

	/** Stores when keys were last used. Call it now and then, and before the end. */
	async flushUses(): Promise<void> {
		const used = this.#used;
		this.#used = new Map();
		for (const [id, { principal, at }] of used) {
			try {
				await this.#uses.put(principal.project, principal.key_id, { last_used_at: at });
				used.delete(id);
			} catch (error) {
				for (const [rest, use] of used) if (!this.#used.has(rest)) this.#used.set(rest, use);
				throw error;
			}
		}
	}

	/** A list being read now may be older than what was just written. */
	async refreshAfterWrite(): Promise<void> {
		await this.#reading?.catch(() => undefined);
		await this.refresh();
	}

	async #active(project: string, keyId: string): Promise<Definition<KeyBody>> {
		const key = await this.#definitions.get(project, keyId);
		if (!key || !isActive(key.body, this.#now())) throw notFound(`Key ${keyId}`);
		return key;
	}

	async #put(id: string, key: NewKey, secret: string, rotations: readonly number[] = []): Promise<KeyInfo> {
		const stored = await this.#definitions.put(key.project, id, {
			name: key.name,
			roles: [...key.roles],
			hash: hashSecret(secret),
			retired: [],
			rotations: [...rotations],
			read_limit: key.read_limit ?? this.#readLimit,
			expires_at: key.expires_at ?? null,
			revoked_at: null,
		});
		await this.refreshAfterWrite();
		return toInfo(stored, null);
	}

	async #read(): Promise<void> {
		// Set before the query: after a failure the next try waits as long as after a success.
		this.#read_at = this.#now();
		const entries = new Map<string, Entry>();
		const keys = await this.#definitions.list();
		for (const key of keys.filter(({ body }) => body.revoked_at !== null)) {
			const good_until = Number.NEGATIVE_INFINITY;
			entries.set(key.body.hash, { principal: toPrincipal(key), good_until, ends_as: "revoked" });
		}
		for (const key of keys) {
			const { body } = key;
			if (body.revoked_at !== null) continue;
			const principal = toPrincipal(key);
			const expires_at = body.expires_at ?? Number.POSITIVE_INFINITY;
			for (const old of body.retired) {
				entries.set(old.hash, { principal, good_until: Math.min(old.until, expires_at), ends_as: "rotated" });
			}
			entries.set(body.hash, { principal, good_until: expires_at, ends_as: "expired" });
		}
		this.#entries = entries;
	}
}

function isActive(body: KeyBody, now: number): boolean {
	return body.revoked_at === null && (body.expires_at === null || body.expires_at > now);
}

/** A key that was rotated before rotations were noted was not changed since. */
function rotationsOf({ body, updated_at }: Definition<KeyBody>): number[] {
	return body.rotations.length === 0 && body.retired.length > 0 ? [updated_at.getTime()] : body.rotations;
}

function toPrincipal({ project, id, body }: Definition<KeyBody>): Principal {
	return { key_id: id, project, name: body.name, roles: body.roles, read_limit: body.read_limit };
}

function toInfo(key: Definition<KeyBody>, last_used_at: number | null): KeyInfo {
	return {
		...toPrincipal(key),
		created_at: key.created_at.getTime(),
		expires_at: key.body.expires_at,
		revoked_at: key.body.revoked_at,
		last_used_at,
	};
}

function useKey({ project, key_id }: Principal): string {
	return `${project}\0${key_id}`;
}

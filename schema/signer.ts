/** Signatures that anybody can check who has the public key: Ed25519, with keys that follow from the program's secrets. */
import { createHash, createPrivateKey, createPublicKey, hkdfSync, type KeyObject, sign, verify } from "node:crypto";

export interface Signature {
	/** The first 16 hex digits of the SHA-256 of the public key (its 32 bytes). */
	readonly key_id: string;
	/** Base64, of 64 bytes. */
	readonly signature: string;
}

export interface PublicKey {
	readonly key_id: string;
	readonly algorithm: "ed25519";
	/** PEM (SPKI). */
	readonly public_key: string;
}

interface KeyPair {
	readonly id: string;
	readonly secret: KeyObject;
	readonly open: KeyObject;
}

/** What stands before the 32 bytes of a seed in PKCS #8 (RFC 8410). */
const PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");
/** Bytes before the key itself in SPKI. */
const SPKI_HEAD = 12;

/** The first secret signs, all of them verify. */
export class Signer {
	readonly #keys: readonly KeyPair[];

	/** @param secrets texts of any length, at least one */
	constructor(secrets: readonly string[]) {
		this.#keys = secrets.map(keyPair);
	}

	sign(data: string | Uint8Array): Signature {
		const [{ id, secret }] = this.#keys as [KeyPair];
		return { key_id: id, signature: sign(null, Buffer.from(data), secret).toString("base64") };
	}

	/** @returns undefined when the key is none of ours (any more), so that nobody can tell */
	verify(data: string | Uint8Array, { key_id, signature }: Signature): boolean | undefined {
		const key = this.#keys.find(({ id }) => id === key_id);
		return key && verify(null, Buffer.from(data), key.open, Buffer.from(signature, "base64"));
	}

	/** The key that signs is the first. */
	get publicKeys(): PublicKey[] {
		return this.#keys.map(({ id, open }) => ({
			...{ key_id: id, algorithm: "ed25519" },
			public_key: open.export({ type: "spki", format: "pem" }) as string,
		}));
	}
}

/** @see Signature.key_id */
export function publicKeyId(key: KeyObject): string {
	const raw = key.export({ type: "spki", format: "der" }).subarray(SPKI_HEAD);
	return createHash("sha256").update(raw).digest("hex").slice(0, 16);
}

function keyPair(text: string): KeyPair {
	const seed = Buffer.from(hkdfSync("sha256", text, "tidemark", "attest", 32));
	const secret = createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: "der", type: "pkcs8" });
	const open = createPublicKey(secret);
	return { id: publicKeyId(open), secret, open };
}

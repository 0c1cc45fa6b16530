/** Secrets that people entrust to the program, encrypted where they rest: AES-256-GCM with keys that can be exchanged. */
import {
	createCipheriv,
	createDecipheriv,
	createHash,
	createHmac,
	hkdfSync,
	randomBytes,
	timingSafeEqual,
} from "node:crypto";
import { Signer } from "./signer.ts";

const PREFIX = "tm1.";
const SEALED = /^tm1\.[\w-]{8}\.[\w-]+$/;
const ANY_SEALED = /tm1\.[\w-]{8}\.[\w-]+/g;
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** A sealed text that none of the keys opens. It says nothing of the text. */
export class SealError extends Error {
	override readonly name = "SealError";
}

/** Whether a text looks sealed. */
export function isSealed(text: string): boolean {
	return SEALED.test(text);
}

interface Key {
	/** Names the key in what it sealed, and gives nothing of it away. */
	readonly id: string;
	readonly sealing: Buffer;
	readonly signing: Buffer;
}

/**
 * The first key seals and signs, all of them open and verify: to exchange a key, put the new one in front of it, and take the
 * old one away once everything was saved anew.
 */
export class SecretBox {
	readonly #keys: readonly Key[];
	/** For what others than this program must be able to verify. */
	readonly signer: Signer;

	/** @param secrets texts of any length, at least one */
	constructor(secrets: readonly string[]) {
		if (secrets.length === 0) throw new TypeError("a box of secrets needs a key");
		this.#keys = secrets.map(keyOf);
		this.signer = new Signer(secrets);
	}

	/** @param context where the text belongs, such as its project: nowhere else can it be opened */
	seal(text: string, context: string): string {
		const [{ id, sealing }] = this.#keys as [Key];
		const iv = randomBytes(IV_BYTES);
		const cipher = createCipheriv("aes-256-gcm", sealing, iv).setAAD(Buffer.from(context));
		const sealed = Buffer.concat([iv, cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()]);
		return `${PREFIX}${id}.${sealed.toString("base64url")}`;
	}

	/** @throws SealError */
	open(sealed: string, context: string): string {
		const [, id, body = ""] = sealed.split(".");
		const key = this.#keys.find((one) => one.id === id);
		if (!isSealed(sealed) || !key) throw new SealError("sealed with a key that TIDEMARK_SECRET_KEY does not have");
		const bytes = Buffer.from(body, "base64url");
		try {
			const decipher = createDecipheriv("aes-256-gcm", key.sealing, bytes.subarray(0, IV_BYTES), {
				authTagLength: TAG_BYTES,
			})
				.setAAD(Buffer.from(context))
				.setAuthTag(bytes.subarray(-TAG_BYTES));
			return decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES), undefined, "utf8") + decipher.final("utf8");
		} catch {
			throw new SealError("the sealed text was changed, or belongs elsewhere");
		}
	}

	/**
	 * Seals anew what stands sealed anywhere in a text and is not by the first key.
	 * @returns the text, and how many were sealed anew or could not be opened
	 */
	reseal(text: string, context: string): { text: string; resealed: number; unopened: number } {
		let resealed = 0;
		let unopened = 0;
		const changed = text.replaceAll(ANY_SEALED, (sealed) => {
			if (sealed.startsWith(`${PREFIX}${this.#keys[0]!.id}.`)) return sealed;
			try {
				const again = this.seal(this.open(sealed, context), context);
				resealed++;
				return again;
			} catch (error) {
				if (!(error instanceof SealError)) throw error;
				unopened++;
				return sealed;
			}
		});
		return { text: changed, resealed, unopened };
	}

	sign(text: string): string {
		return signature(this.#keys[0]!, text);
	}

	verify(text: string, signed: string): boolean {
		const given = Buffer.from(signed);
		return this.#keys.some((key) => {
			const expected = Buffer.from(signature(key, text));
			return expected.length === given.length && timingSafeEqual(expected, given);
		});
	}
}

function keyOf(secret: string): Key {
	const derive = (use: string) => Buffer.from(hkdfSync("sha256", secret, "tidemark", use, 32));
	const id = createHash("sha256").update(derive("id")).digest("base64url").slice(0, 8);
	return { id, sealing: derive("seal"), signing: derive("sign") };
}

function signature({ signing }: Key, text: string): string {
	return createHmac("sha256", signing).update(text).digest("base64url");
}

import { createHash, randomBytes } from "node:crypto";
import { type Role, roleHint } from "./roles.ts";

const ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/** Base58 of the Bitcoin alphabet: no characters that look alike, none that break a double click. */
export function base58(bytes: Uint8Array): string {
	let value = BigInt(`0x${Buffer.from(bytes).toString("hex") || "0"}`);
	let text = "";
	for (; value > 0n; value /= 58n) text = ALPHABET[Number(value % 58n)] + text;
	for (let i = 0; i < bytes.length && bytes[i] === 0; i++) text = ALPHABET[0] + text;
	return text;
}

/** The text of a new key: `tm_<role-hint>_<base58 of 32 random bytes>`. */
export function newSecret(roles: readonly Role[]): string {
	return `tm_${roleHint(roles)}_${base58(randomBytes(32))}`;
}

/** What is stored of a key. 256 random bits need no slow hash: there is nothing to guess. */
export function hashSecret(secret: string): string {
	return createHash("sha256").update(secret).digest("hex");
}

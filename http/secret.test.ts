import { expect, test } from "vitest";
import { base58, hashSecret, newSecret } from "./secret.ts";

test("base58 agrees with the published vectors, leading zeros included", () => {
	expect(base58(Buffer.from("Hello World!"))).toBe("2NEpo7TZRRrLZSi2U");
	expect(base58(Buffer.from("0000287fb4cd", "hex"))).toBe("11233QC4");
	expect(base58(new Uint8Array())).toBe("");
});

test("a key names its strongest role and carries 256 random bits", () => {
	expect(newSecret(["analytics_viewer", "admin"])).toMatch(/^tm_admin_[1-9A-HJ-NP-Za-km-z]{40,44}$/);
	expect(newSecret(["ingest"])).toMatch(/^tm_ingest_/);
	expect(new Set(Array.from({ length: 100 }, () => newSecret(["ingest"]))).size).toBe(100);
});

test("what is stored is SHA-256", () => {
	expect(hashSecret("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});

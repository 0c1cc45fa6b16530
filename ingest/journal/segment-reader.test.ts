import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { SegmentReader } from "./segment-reader.ts";

const folder = mkdtempSync(join(tmpdir(), "tidemark-segments-"));
afterAll(() => rmSync(folder, { recursive: true }));

function written(name: string, bytes: Buffer): string {
	const path = join(folder, name);
	writeFileSync(path, bytes);
	return path;
}

test("segments of any size are read one after the other, each as far as it is durable", async () => {
	const reader = new SegmentReader();
	for (const [i, size] of [100, 300_000, 299_999, 40, 1, 5_000_000, 32].entries()) {
		const bytes = Buffer.alloc(size, `segment ${i} `);
		const path = written(`${i}.seg`, Buffer.concat([bytes, Buffer.from("a commit whose sync failed")]));
		const read = await reader.read({ path, bytes: size });
		expect(read.equals(bytes)).toBe(true);
	}
});

test("a segment that lost bytes is not read, rather than with bytes of another", async () => {
	const reader = new SegmentReader();
	await reader.read({ path: written("whole.seg", Buffer.alloc(1_000, "x")), bytes: 1_000 });
	await expect(reader.read({ path: written("cut.seg", Buffer.alloc(10)), bytes: 999 })).rejects.toThrow(
		"10 of 999 bytes",
	);
});

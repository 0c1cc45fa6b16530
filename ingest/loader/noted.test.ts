import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { notedKnownIds } from "./noted.ts";

let folder: string;
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "tidemark-noted-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

it("a replay is told the same ids as the first try, whatever is stored by then", async () => {
	const stored = new Set(["old"]);
	const known = async (project: string, ids: readonly string[]) =>
		project === "p" ? ids.filter((id) => stored.has(id)) : [];
	const ask = (project: string) => notedKnownIds(known, join(folder, "1.seg.known"))(project, ["old", "new"]);
	expect(await ask("p")).toEqual(["old"]);
	stored.add("new");
	expect(await ask("p")).toEqual(["old"]);
	expect(await ask("other")).toEqual([]);
	expect(await ask("p")).toEqual(["old"]);
});

/** Which members of a synthetic test are secrets, and how they rest. */
import { isSealed, type SecretBox } from "./secret-box.ts";
import type { ActiveTest, SyntheticTest } from "./wire/index.ts";

/** What is stored. @param project to which the secrets belong */
export function sealTest(test: SyntheticTest, box: SecretBox, project: string): SyntheticTest {
	return test.type === "http" ? mapped(test, (text) => box.seal(text, project)) : test;
}

/** What is sent. @throws SealError */
export function openTest(test: ActiveTest, box: SecretBox, project: string): ActiveTest {
	if (test.type !== "http") return test;
	// From before there was a key.
	return mapped(test, (text) => (isSealed(text) ? box.open(text, project) : text));
}

function mapped<T extends ActiveTest & { type: "http" }>(test: T, change: (text: string) => string): T {
	const headers = Object.fromEntries(Object.entries(test.headers).map(([name, text]) => [name, change(text)]));
	return { ...test, headers, ...(test.body === undefined ? {} : { body: change(test.body) }) };
}

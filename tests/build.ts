import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Compiles the program once before the tests: the processes they start run `dist`. */
export default function build(): void {
	const script = fileURLToPath(new URL("../scripts/build.mjs", import.meta.url));
	execFileSync(process.execPath, [script, "--if-stale"], { stdio: "inherit" });
}

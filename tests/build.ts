import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Compiles the program once before the tests: the processes they start run `dist`. */
export default function build(): void {
	execFileSync("npm", ["run", "--silent", "build"], { cwd: fileURLToPath(new URL("..", import.meta.url)), stdio: "inherit" });
}

// `npm start` and `npm test` begin here: bring the checkout into a state that runs, then run it in this same process,
// so that signals reach it directly. Old Node must be able to parse this file to be told so, hence the imports below.
import { readFileSync } from "node:fs";

const USAGE =
	"usage: node scripts/setup.mjs install | start [options] | test [vitest options] | bench [options] | bench:patterns | bench:anomaly DIR";

const { engines } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
const older = olderThan(process.versions.node, engines.node);
if (older) {
	console.error(`Tidemark needs Node ${engines.node}, this is ${process.versions.node}. Install a newer Node.`);
	process.exitCode = 1;
} else {
	main(process.argv[2], process.argv.slice(3)).catch((error) => {
		if (error.name !== "SetupError") throw error;
		console.error(`setup: ${error.message}`);
		process.exitCode = 1;
	});
}

async function main(command, rest) {
	const { ensurePackages, ensureRedis, ensureS3Server } = await import("./prepare.mjs");
	const { ensureBuild } = await import("./build.mjs");
	if (command === "install") {
		await ensurePackages();
		ensureRedis({ always: true });
		ensureS3Server();
	} else if (command === "start") {
		await ensurePackages();
		ensureRedis({ always: false });
		ensureBuild();
		await become("../dist/main.js", ["start", ...rest]);
	} else if (command === "bench") {
		await ensurePackages();
		ensureRedis({ always: false });
		ensureBuild();
		await become("../dist/benchmarks/main.js", rest);
	} else if (command === "bench:patterns") {
		await ensurePackages();
		ensureBuild();
		await become("../dist/benchmarks/patterns/main.js", rest);
	} else if (command === "bench:anomaly") {
		await ensurePackages();
		ensureBuild();
		await become("../dist/benchmarks/anomaly.js", rest);
	} else if (command === "test") {
		// No build here: vitest's global set-up does it, also when vitest is started by hand.
		await ensurePackages();
		ensureRedis({ always: true });
		ensureS3Server();
		await become("../node_modules/vitest/vitest.mjs", ["run", ...rest]);
	} else {
		console.error(USAGE);
		process.exitCode = 2;
	}
}

/** Goes on as another script, as if node had been started with it. */
async function become(script, args) {
	const url = new URL(script, import.meta.url);
	const { fileURLToPath } = await import("node:url");
	process.argv = [process.argv[0], fileURLToPath(url), ...args];
	await import(url);
}

/** True when `version` is below the minimum in a range of the form ">=20.19". */
function olderThan(version, range) {
	const [major, minor] = version.split(".").map(Number);
	const [minMajor, minMinor = 0] = range.replace(">=", "").split(".").map(Number);
	return major < minMajor || (major === minMajor && minor < minMinor);
}

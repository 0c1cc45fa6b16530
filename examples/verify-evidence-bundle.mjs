// Checks a bundle of evidence without Tidemark: nothing but Node.js, no package. It may be read in a minute, and so believed.
//   node verify-evidence-bundle.mjs bundle.tar [public-key.pem]
// With openssl, after `tar xf bundle.tar`, the same of the signature:
//   openssl pkeyutl -verify -pubin -inkey public-key.pem -rawin -in manifest.json -sigfile manifest.sig
import { createHash, createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";

const [file, keyFile] = process.argv.slice(2);
if (file === undefined) fail("say which file: node verify-evidence-bundle.mjs bundle.tar [public-key.pem]");

const files = unpack(readFileSync(file));
const ownKey = part("public-key.pem");
const trusted = keyFile === undefined ? ownKey : readFileSync(keyFile);
const raw = (pem) => createPublicKey(pem).export({ type: "spki", format: "der" });
if (!raw(ownKey).equals(raw(trusted))) fail("signed with another key than yours");
if (!verify(null, part("manifest.json"), createPublicKey(trusted), part("manifest.sig")))
	fail("the signature does not fit");

const manifest = JSON.parse(part("manifest.json"));
for (const { path, bytes, sha256 } of manifest.files) {
	if (part(path).length !== bytes || hash(part(path)) !== sha256) fail(`${path} was changed`);
}
const named = new Set(["manifest.json", "manifest.sig", "public-key.pem", ...manifest.files.map(({ path }) => path)]);
for (const path of files.keys()) if (!named.has(path)) fail(`${path} was added`);
if (hash(part("report.json")) !== manifest.report_sha256) fail("the report is another one");
const report = JSON.parse(part("report.json"));
for (const { sha256 } of report.controls.flatMap(({ evidence }) => evidence)) {
	if (hash(part(`evidence/${sha256}.json`)) !== sha256) fail(`the evidence ${sha256} is another one`);
}

console.log(`${report.standard}, report ${report.report_id} of ${report.project}: every byte is as it was signed`);
for (const { control_id, status, population, tested, exceptions } of report.controls) {
	console.log(`  ${control_id}: ${status}, ${exceptions ?? "no"} exceptions in ${tested ?? 0} of ${population ?? 0}`);
}

/** The files of a tar (ustar). Each header has a checksum, and what fills up a block is zeros: no byte goes unseen. */
function unpack(tar) {
	const found = new Map();
	let at = 0;
	while (at < tar.length && tar[at] !== 0) {
		const head = tar.subarray(at, at + 512);
		const text = (from, length) => head.toString("latin1", from, from + length).split("\0")[0];
		const sum = head.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 32 : byte), 0);
		if (head.toString("latin1", 148, 156) !== `${sum.toString(8).padStart(6, "0")}\0 `) fail("a header was changed");
		const size = Number.parseInt(text(124, 12), 8);
		const end = at + 512 + size;
		found.set(text(0, 100), tar.subarray(at + 512, end));
		at = Math.ceil(end / 512) * 512;
		if (tar.subarray(end, at).some((byte) => byte !== 0)) fail("there are bytes behind a file");
	}
	if (tar.length - at !== 1024 || tar.subarray(at).some((byte) => byte !== 0))
		fail("there are bytes behind the last file");
	return found;
}

function part(path) {
	return files.get(path) ?? fail(`${path} is missing`);
}

function hash(bytes) {
	return createHash("sha256").update(bytes).digest("hex");
}

function fail(why) {
	console.error(`NOT what was signed: ${why}`);
	process.exit(1);
}

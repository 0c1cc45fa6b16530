/** Evidence bundles: a report with all that it stands on, and a signature over all of it that needs nothing of ours to be checked. */
import { createPublicKey, verify } from "node:crypto";
import { canonicalJson, sha256 } from "../../schema/canonical-json.ts";
import { publicKeyId, type Signer } from "../../schema/signer.ts";
import type { ReportAttestation, ReportContent } from "../../schema/wire/index.ts";
import { type ArchiveFile, readTar, writeTar } from "./tar.ts";

export interface BundleParts {
	readonly content: ReportContent;
	/** Of the content. */
	readonly sha256: string;
	readonly attestations: readonly ReportAttestation[];
	/** Texts whose SHA-256 the controls name. */
	readonly evidence: readonly { readonly sha256: string; readonly text: string }[];
	readonly pdf: Uint8Array;
}

interface Manifest {
	readonly format: typeof FORMAT;
	readonly project: string;
	readonly report_id: string;
	readonly report_sha256: string;
	readonly created_at: string;
	readonly key_id: string;
	readonly files: readonly { readonly path: string; readonly bytes: number; readonly sha256: string }[];
}

/** It is not what was signed; the message says what is wrong. */
export class BundleError extends Error {
	override readonly name = "BundleError";
}

export interface VerifiedBundle {
	readonly project: string;
	readonly report_id: string;
	readonly standard: string;
	readonly files: number;
	readonly key_id: string;
	readonly public_key: string;
	readonly attested_by: readonly string[];
}

const FORMAT = "tidemark-evidence/1";
const REPORT = "report.json";
const MANIFEST = "manifest.json";
const SIGNATURE = "manifest.sig";
const PUBLIC_KEY = "public-key.pem";

/** `report.json` has the bytes that its hash is of. */
export function writeBundle(parts: BundleParts, signer: Signer): Buffer {
	const { content, attestations, evidence, pdf } = parts;
	const [{ key_id, public_key }] = signer.publicKeys as [Signer["publicKeys"][number]];
	const files: ArchiveFile[] = [
		file(REPORT, canonicalJson(content)),
		{ path: "report.pdf", bytes: pdf },
		file("attestations.json", `${JSON.stringify(attestations, null, "\t")}\n`),
		...evidence.map(({ sha256: hash, text }) => file(`evidence/${hash}.json`, text)),
	];
	const manifest: Manifest = {
		...{ format: FORMAT, project: content.project, report_id: content.report_id, report_sha256: parts.sha256 },
		...{ created_at: attestations.at(-1)?.signed_at ?? content.generated_at, key_id },
		files: files.map(({ path, bytes }) => ({ path, bytes: bytes.length, sha256: sha256(bytes) })),
	};
	const signed = file(MANIFEST, `${JSON.stringify(manifest, null, "\t")}\n`);
	const signature = Buffer.from(signer.sign(signed.bytes).signature, "base64");
	return writeTar(
		[signed, { path: SIGNATURE, bytes: signature }, file(PUBLIC_KEY, public_key), ...files],
		Date.parse(manifest.created_at),
	);
}

/**
 * Checks every byte: the signature of the manifest, the hash of each file, and that the report is the one that is attested and has
 * all evidence that it names.
 * @param trusted PEM of the key that must have signed it. Without, the key in the bundle is believed: then it proves that nothing was
 *   changed by somebody without that key, and the caller has to know whose it is
 * @throws BundleError, ArchiveError
 */
export function verifyBundle(archive: Buffer, trusted?: string): VerifiedBundle {
	const files = new Map(readTar(archive).map(({ path, bytes }) => [path, bytes]));
	const of = (path: string): Uint8Array => {
		const bytes = files.get(path);
		if (bytes === undefined) throw new BundleError(`${path} is missing`);
		return bytes;
	};
	const key = createPublicKey(Buffer.from(of(PUBLIC_KEY)));
	if (trusted !== undefined && publicKeyId(createPublicKey(trusted)) !== publicKeyId(key)) {
		throw new BundleError("it is signed with another key than the one that is trusted");
	}
	if (!verify(null, of(MANIFEST), key, of(SIGNATURE))) throw new BundleError("the signature does not fit the manifest");
	const manifest = JSON.parse(Buffer.from(of(MANIFEST)).toString("utf8")) as Manifest;
	if (manifest.format !== FORMAT)
		throw new BundleError(`${manifest.format} is a format that this version does not know`);
	for (const { path, sha256: hash } of manifest.files) {
		if (sha256(of(path)) !== hash) throw new BundleError(`${path} was changed`);
	}
	const named = new Set([MANIFEST, SIGNATURE, PUBLIC_KEY, ...manifest.files.map(({ path }) => path)]);
	for (const path of files.keys()) if (!named.has(path)) throw new BundleError(`${path} is not in the manifest`);
	if (sha256(of(REPORT)) !== manifest.report_sha256)
		throw new BundleError(`${REPORT} is not the report of the manifest`);
	const report = JSON.parse(Buffer.from(of(REPORT)).toString("utf8")) as ReportContent;
	for (const { control_id, evidence } of report.controls) {
		for (const { sha256: hash } of evidence) {
			if (sha256(of(`evidence/${hash}.json`)) !== hash)
				throw new BundleError(`the evidence ${hash} of ${control_id} is another one`);
		}
	}
	const attestations = JSON.parse(Buffer.from(of("attestations.json")).toString("utf8")) as ReportAttestation[];
	for (const { signature, ...signed } of attestations) {
		const fits =
			signed.sha256 === manifest.report_sha256 &&
			(signature.key_id !== manifest.key_id ||
				verify(null, Buffer.from(canonicalJson(signed)), key, Buffer.from(signature.signature, "base64")));
		if (!fits) throw new BundleError(`the attestation of ${signed.signed_by} is not of this report`);
	}
	return {
		...{ project: manifest.project, report_id: manifest.report_id, standard: report.standard },
		...{ files: manifest.files.length, key_id: publicKeyId(key), public_key: Buffer.from(of(PUBLIC_KEY)).toString() },
		attested_by: attestations.map(({ signed_by }) => signed_by),
	};
}

function file(path: string, text: string): ArchiveFile {
	return { path, bytes: Buffer.from(text) };
}

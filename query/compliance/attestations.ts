/** What people signed: their words, who they are, until when it holds, and a signature over all of it. */
import { canonicalJson, sha256 } from "../../schema/canonical-json.ts";
import type { Signature, Signer } from "../../schema/signer.ts";
import type { ControlAttestationAnswer } from "../../schema/wire/index.ts";

export const CONTROL_ATTESTATION = "control_attestation";

/** Adds the hash of what is signed, and the signature of the hash. */
export function signedBy<T extends object>(content: T, signer: Signer): T & { sha256: string; signature: Signature } {
	const hash = sha256(canonicalJson(content));
	return { ...content, sha256: hash, signature: signer.sign(hash) };
}

/** Whether it still is what was signed. @returns undefined when the key is none of ours any more, so that nobody can tell */
export function isSigned(
	signed: { readonly sha256: string; readonly signature: Signature },
	signer: Signer,
): boolean | undefined {
	const { sha256: hash, signature, ...content } = signed;
	return hash === sha256(canonicalJson(content)) ? signer.verify(hash, signature) : false;
}

/** Oldest first. */
export type ControlAttestations = readonly {
	readonly attestation: ControlAttestationAnswer;
	readonly is_intact: boolean | undefined;
}[];

/** The newest one of a control that was signed before an instant. @param before milliseconds since the epoch */
export function newestOf(
	all: ControlAttestations,
	control_id: string,
	before: number,
): ControlAttestations[number] | undefined {
	return all
		.filter(({ attestation }) => attestation.control_id === control_id && Date.parse(attestation.signed_at) < before)
		.reduce<ControlAttestations[number] | undefined>(
			(newest, one) =>
				newest === undefined || newest.attestation.signed_at <= one.attestation.signed_at ? one : newest,
			undefined,
		);
}

/** Compliance reports as files: drawn and bundled when somebody asks for them, from what does not change. */
import type { Signer } from "../../schema/signer.ts";
import { renderReport } from "../reports/render/render.ts";
import { type BundleParts, writeBundle } from "./bundle.ts";
import { complianceDocument } from "./document.ts";

interface Rendered {
	readonly report: Pick<BundleParts, "content" | "sha256" | "attestations">;
	readonly evidence: BundleParts["evidence"];
}

export function complianceFiles(signer: Signer): {
	pdf(of: Rendered): Promise<Uint8Array>;
	bundle(of: Rendered): Promise<Uint8Array>;
} {
	const pdf = ({ report }: Rendered) => renderReport(complianceDocument(report.content, report), "pdf");
	return {
		pdf,
		async bundle({ report, evidence }) {
			return writeBundle({ ...report, evidence, pdf: await pdf({ report, evidence }) }, signer);
		},
	};
}

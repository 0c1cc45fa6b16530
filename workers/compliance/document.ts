/** A compliance report as pages. */
import type { ReportDocument } from "../../schema/report-document.ts";
import type { ControlResult, ReportAttestation, ReportContent } from "../../schema/wire/index.ts";

const STATUS_WORDS: Readonly<Record<ControlResult["status"], string>> = {
	pass: "pass",
	fail: "FAIL",
	not_tested: "not tested",
	manual: "to be attested",
};

export function complianceDocument(
	content: ReportContent,
	{ sha256, attestations }: { readonly sha256: string; readonly attestations: readonly ReportAttestation[] },
): ReportDocument {
	const { controls, summary, period } = content;
	const satisfied = { true: "yes", false: "no", null: null }[String(content.controls_satisfied) as "true"];
	const isDraft = content.attestation_required && attestations.length === 0;
	const evidence = [
		...new Map(controls.flatMap((control) => control.evidence).map((one) => [one.sha256, one])).values(),
	];
	return {
		title: `Compliance report ${content.standard}`,
		subtitle: `Controls ${content.controls_version}, report ${content.report_id}`,
		project: content.project,
		period: { start: period.start, end: period.end, timezone: period.timezone },
		...{ generated_at: content.generated_at, data_through: content.as_of, draft: isDraft },
		sections: [
			{
				heading: "Summary",
				blocks: [
					{
						type: "figures",
						items: [
							{ label: "All controls satisfied", value: satisfied },
							{ label: "Pass", value: summary.pass },
							{ label: "Fail", value: summary.fail },
							{ label: "Not tested", value: summary.not_tested },
							{ label: "To be attested", value: summary.manual },
						],
					},
					{
						type: "table",
						title: "Controls",
						columns: [
							{ key: "reference", label: "Reference" },
							{ key: "title", label: "Control" },
							{ key: "status", label: "Status" },
							{ key: "population", label: "Population" },
							{ key: "tested", label: "Tested" },
							{ key: "exceptions", label: "Exceptions" },
						],
						rows: controls.map(({ reference, title, status, population, tested, exceptions }) => ({
							...{ reference, title, status: STATUS_WORDS[status], population, tested, exceptions },
						})),
					},
				],
			},
			{
				heading: "Findings",
				blocks: controls.flatMap(({ reference, title, requirement, status, reason, exception_sample }) => [
					{
						type: "text" as const,
						text: [
							`${reference} ${title}: ${STATUS_WORDS[status]}. ${requirement}`,
							`Found: ${reason}.`,
							...(exception_sample.length > 0 ? [`Exceptions: ${exception_sample.join("; ")}.`] : []),
						].join("\n\n"),
					},
				]),
			},
			{
				heading: "Evidence",
				blocks: [
					{
						type: "table",
						columns: [
							{ key: "kind", label: "Kind" },
							{ key: "title", label: "Evidence" },
							{ key: "rows", label: "Records" },
							{ key: "sha256", label: "SHA-256" },
						],
						rows: evidence.map(({ kind, title, rows, sha256: hash }) => ({ kind, title, rows, sha256: hash })),
					},
				],
			},
			{ heading: "Attestation", blocks: [{ type: "text", text: attestationWords(attestations, isDraft) }] },
		],
		notes: [
			`SHA-256 of this report: ${sha256}.`,
			"A control passes only with evidence; not tested means that there is none, which is no pass.",
			"It says whether controls are satisfied. It is no legal advice.",
		],
	};
}

function attestationWords(attestations: readonly ReportAttestation[], isDraft: boolean): string {
	if (attestations.length === 0) return isDraft ? "Draft: nobody has signed it." : "It needs no attestation.";
	return attestations
		.map(
			({ statement, signed_by, by, signed_at, valid_until, signature }) =>
				`${statement}\n\nSigned by ${signed_by} (${by}) on ${signed_at}, valid until ${valid_until}, with the key ${signature.key_id}.`,
		)
		.join("\n\n");
}

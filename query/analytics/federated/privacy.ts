import type { z } from "zod";
import { type FederatedPrivacyAnswer, federatedPrivacyAnswer, federatedQuery } from "../../../schema/wire/index.ts";
import { assess } from "../../compliance/assess.ts";
import { CONTROLS, verdict } from "../../compliance/controls.ts";
import { auditTrailComplete } from "../../compliance/trail.ts";
import {
	attacks,
	latestNoise,
	minimization,
	type PrivacyConfig,
	privacyConfig,
	type ReleaseGroup,
	releases,
	secureAggregation,
} from "../../measures/federated/privacy.ts";
import { FL } from "../../measures/federated/records.ts";
import type { Scope } from "../../measures/scope.ts";
import { type Signals, signals } from "../../measures/signals.ts";
import { type NeededRecords, type Needs, withMeta } from "../../meta.ts";
import { type Spent, samplingRate, spent } from "../../privacy/accountant.ts";
import {
	type AttackEvaluation,
	advantageOf,
	gainOf,
	membershipBound,
	overallRisk,
	riskOf,
} from "../../privacy/risk.ts";
import { decimals, ratio, whole } from "../../rounding.ts";
import { type Asking, read } from "../../route.ts";
import { resolveWindow } from "../../time/window.ts";

const CONFIG = `event ${FL.config}`;
const RELEASE = `event ${FL.release}`;
const SECURE = `event ${FL.secure}`;
const EXCHANGE = `event ${FL.exchange}`;
const UPDATE = `event ${FL.update}`;
const ATTACK = `event ${FL.attack}`;
const DP = "privacy_metrics.differential_privacy";
const SPENT: NeededRecords = { all: [{ any: [RELEASE], with: "noise_multiplier" }, CONFIG] };
const NEEDS: Needs = {
	[`${DP}.epsilon`]: { any: [CONFIG], with: "max_epsilon" },
	[`${DP}.delta`]: { any: [CONFIG], with: "target_delta" },
	[`${DP}.noise_level`]: { any: [RELEASE], with: "clipping_norm" },
	[`${DP}.noise_multiplier`]: { any: [RELEASE], with: "noise_multiplier" },
	[`${DP}.privacy_budget_used`]: SPENT,
	[`${DP}.epsilon_spent`]: SPENT,
	[`${DP}.releases`]: { all: [RELEASE, CONFIG] },
	"privacy_metrics.secure_aggregation.enabled": { all: [SECURE, `event ${FL.round}`] },
	"privacy_metrics.secure_aggregation.key_exchanges": EXCHANGE,
	"privacy_metrics.secure_aggregation.failed_exchanges": EXCHANGE,
	"privacy_metrics.secure_aggregation.encryption_overhead": { any: [SECURE], with: "plain_seconds" },
	"privacy_metrics.data_minimization.avg_data_per_round": { any: [UPDATE], with: "bytes_up" },
	"privacy_metrics.data_minimization.avg_bytes_per_round": { any: [UPDATE], with: "bytes_up" },
	"privacy_metrics.data_minimization.compression_ratio": { any: [UPDATE], with: "bytes_up_raw" },
	"privacy_metrics.data_minimization.feature_selection_rate": {
		any: [`event ${FL.report}`],
		with: "features_available",
	},
	"risk_assessment.membership_inference_risk": { any: [ATTACK], with: "advantage" },
	"risk_assessment.membership_inference_method": { any: [ATTACK], with: "advantage" },
	"risk_assessment.model_inversion_risk": { any: [ATTACK], with: "accuracy" },
	"risk_assessment.property_inference_risk": { any: [ATTACK], with: "accuracy" },
	"risk_assessment.overall_risk_score": { any: [ATTACK], with: "advantage" },
	"risk_assessment.evaluated_attacks": ATTACK,
};

/** `GET /analytics/federated/privacy` */
export const federatedPrivacyRead = read({
	path: "/analytics/federated/privacy",
	summary: "Privacy of federated learning: budget, secure aggregation, data minimisation, attacks, compliance",
	description:
		"The privacy budget counts all releases from the first configuration to the end of the window, whatever its start; the rest is of the window (default: 30 days).",
	query: federatedQuery,
	answer: federatedPrivacyAnswer,
	needs: NEEDS,
	ask: federatedPrivacy,
});

async function federatedPrivacy(
	asking: Asking,
	query: z.infer<typeof federatedQuery>,
): Promise<FederatedPrivacyAnswer> {
	const { asker, now, reach } = asking;
	const window = resolveWindow(query, { timeframes: ["30d"], defaultTimeframe: "30d", now });
	const scope: Scope = { start: window.start, end: window.end, now, reach };
	const [sent, [config, released], noise, secure, data, evaluations, complete] = await Promise.all([
		asker.ask(signals(window.as_of)),
		asker.ask(privacyConfig(scope)).then(async (found) => {
			return [found, found === undefined ? [] : await asker.ask(releases(scope, found.since))] as const;
		}),
		asker.ask(latestNoise(scope)),
		asker.ask(secureAggregation(scope, window.as_of)),
		asker.ask(minimization(scope)),
		asker.ask(attacks(scope)),
		auditTrailComplete(asker, window),
	]);
	const budget = budgetOf(config, released, sent);
	const epsilon_spent = "epsilon" in budget ? budget.epsilon : null;
	const controls = await profileControls(asking, { sent, start: window.start, end: window.end });
	const satisfied = (profile: string) =>
		verdict(controls.filter((control) => control.profile === profile).map(({ status }) => status));
	const compliance = {
		gdpr_compliant: satisfied("gdpr"),
		hipaa_compliant: satisfied("hipaa"),
		sox_compliant: satisfied("sox"),
		audit_trail_complete: complete,
		controls,
	};
	const unknown = (name: keyof typeof compliance, needs: string) =>
		compliance[name] === null ? [{ field: `compliance.${name}`, needs }] : [];
	return withMeta(
		{
			privacy_metrics: {
				differential_privacy: {
					epsilon: config?.max_epsilon ?? null,
					delta: config?.target_delta ?? null,
					noise_level: precise(noise.noise_level),
					noise_multiplier: precise(noise.noise_multiplier),
					privacy_budget_used:
						epsilon_spent === null || !config?.max_epsilon ? null : decimals(epsilon_spent / config.max_epsilon, 6),
					epsilon_spent: precise(epsilon_spent),
					releases:
						config !== undefined && sent.hasEvent(FL.release)
							? released.reduce((sum, { count }) => sum + count, 0)
							: null,
					reason: "reason" in budget ? budget.reason : null,
				},
				secure_aggregation: {
					enabled: secure.rounds === 0 || !sent.hasEvent(FL.secure) ? null : secure.secure_rounds === secure.rounds,
					key_exchanges: sent.hasEvent(FL.exchange) ? secure.exchanges : null,
					failed_exchanges: sent.hasEvent(FL.exchange) ? secure.failed_exchanges : null,
					encryption_overhead: secure.plain_seconds ? ratio(secure.secure_seconds! / secure.plain_seconds - 1) : null,
				},
				data_minimization: {
					avg_data_per_round: data.bytes_per_update === null ? null : decimals(data.bytes_per_update / 1_024, 2),
					avg_bytes_per_round: whole(data.bytes_per_update),
					compression_ratio: ratio(data.compression),
					feature_selection_rate: ratio(data.selection),
				},
			},
			compliance,
			risk_assessment: riskAssessment(evaluations, epsilon_spent, config?.target_delta ?? null),
		},
		{
			window,
			data_through: sent.dataThrough("event"),
			missing: [
				...(["gdpr_compliant", "hipaa_compliant", "sox_compliant"] as const).flatMap((name) =>
					unknown(name, "evidence of every one of its compliance.controls"),
				),
				...unknown("audit_trail_complete", "a verification of the audit log within 24 hours"),
			],
			methods: {
				[`${DP}.epsilon_spent`]: methodOf(released, config),
				[`${DP}.noise_level`]: "noise_multiplier x clipping_norm / sample_size of the latest release",
				"compliance.gdpr_compliant":
					"true when all controls passed, false when one failed, null when one was not tested or not attested",
				"compliance.audit_trail_complete":
					"true when the chain verifies without a gap, every day with entries has an anchor, and every request of the window that changed something has its entry",
				"risk_assessment.overall_risk_score": "1 - product of (1 - advantage) of the evaluated attacks",
			},
		},
		{ needs: NEEDS, sent },
	);
}

const STANDARDS_HERE = ["GDPR", "HIPAA", "SOX"] as const;

/** The controls that compliance reports have, over the window of the question. */
async function profileControls(
	{ asker, compliance }: Asking,
	window: { readonly sent: Signals; readonly start: number; readonly end: number },
): Promise<FederatedPrivacyAnswer["compliance"]["controls"]> {
	const results =
		compliance === undefined
			? CONTROLS.map((control) => ({
					...control,
					kind: control.check === null ? ("manual" as const) : ("automated" as const),
					status: "not_tested" as const,
				}))
			: (
					await assess(
						{ asker, instance: compliance.instance, ...window },
						STANDARDS_HERE,
						await compliance.attestations(),
					)
				).results;
	return STANDARDS_HERE.flatMap((standard) =>
		results
			.filter((result) => result.standard === standard)
			.map(({ control_id, title, kind, status }) => ({
				...{ control_id, title, kind, status },
				profile: standard.toLowerCase() as Lowercase<typeof standard>,
			})),
	);
}

/** What was spent, or why it cannot be said. Nothing released by a project that sends releases is 0. */
function budgetOf(config: PrivacyConfig | undefined, released: readonly ReleaseGroup[], sent: Signals): Spent {
	if (config === undefined) return { reason: `no ${FL.config} was sent` };
	if (config.target_delta === null) return { reason: `no ${FL.config} says target_delta` };
	if (!sent.hasEvent(FL.release)) return { reason: `no ${FL.release} was sent` };
	return spent(withRates(released, config), config.target_delta);
}

function withRates(released: readonly ReleaseGroup[], { neighboring_relation }: PrivacyConfig) {
	return released.map((group) => ({ ...group, sampling_rate: samplingRate({ ...group, neighboring_relation }) }));
}

function methodOf(released: readonly ReleaseGroup[], config: PrivacyConfig | undefined): string {
	const rates = config === undefined ? [] : withRates(released, config);
	const total = rates.reduce((sum, { count }) => sum + count, 0);
	const whole = rates.reduce((sum, { count, sampling_rate }) => sum + (sampling_rate < 1 ? 0 : count), 0);
	return `Rényi accountant of the Gaussian over all releases since the first ${FL.config}; ${whole} of ${total} releases without amplification by sampling`;
}

function riskAssessment(
	evaluations: readonly AttackEvaluation[],
	epsilon: number | null,
	delta: number | null,
): FederatedPrivacyAnswer["risk_assessment"] {
	const evaluated = new Map(evaluations.map((evaluation) => [evaluation.attack, evaluation]));
	const label = (risk: number | null | undefined) => (risk === null || risk === undefined ? null : riskOf(risk));
	const byGain = (attack: string) => {
		const found = evaluated.get(attack);
		return found && (gainOf(found) ?? advantageOf(found));
	};
	const membership = evaluated.get("membership_inference");
	const tried = membership && (advantageOf(membership) ?? gainOf(membership));
	const bound = epsilon === null || delta === null ? null : membershipBound(epsilon, delta);
	const isTried = tried !== undefined && tried !== null;
	return {
		membership_inference_risk: label(isTried ? tried : bound),
		membership_inference_method: isTried ? "attack_eval" : bound === null ? null : "dp_bound",
		model_inversion_risk: label(byGain("model_inversion")),
		property_inference_risk: label(byGain("property_inference")),
		overall_risk_score: ratio(overallRisk(evaluations)),
		evaluated_attacks: evaluations
			.filter((evaluation) => (advantageOf(evaluation) ?? gainOf(evaluation)) !== null)
			.map(({ attack }) => attack),
	};
}

/** Noise may be of any size: six digits. */
const precise = (value: number | null) => (value === null ? null : Number(value.toPrecision(6)));

/** Records of federated training. Flower's names where it has them; there is no standard. */
import { boolean, event, type Family, needed, number, text } from "./record.ts";

const SESSION = text("session_id", "Which training; never the visit of a user", needed);
const ROUND = number("server_round", "Number of the round, from 1", needed);
const PARTICIPANT = text("participant_id", "Which participant", needed);

export const FEDERATED: readonly Family[] = [
	{
		family: "fl_session",
		title: "Federated training: sessions",
		records: [
			event("fl.session.started", "A training begins", [
				SESSION,
				text("model", "What is trained"),
				text("target_metric", "What tells that it is done, such as accuracy"),
				number("target_value", "Value at which it has converged"),
				number("baseline_value", "Value before the first round"),
				number("planned_rounds", "Rounds that were planned"),
			]),
			event("fl.session.ended", "A training is over", [
				SESSION,
				text("status", "How it ended", { ...needed, values: ["completed", "failed", "cancelled"] }),
			]),
		],
	},
	{
		family: "fl_round",
		title: "Federated training: rounds",
		records: [
			event("fl.round.completed", "A round was aggregated", [
				SESSION,
				ROUND,
				number("accuracy", "After the round"),
				number("loss", "After the round"),
				number("num_selected", "Participants that were asked"),
				number("num_completed", "Participants that answered"),
				number("num_failed", "Participants that did not"),
				text("eval", "Where the model was evaluated; central goes first", { values: ["central", "federated"] }),
			]),
		],
	},
	{
		family: "fl_client",
		title: "Federated training: participants",
		records: [
			event("fl.client.registered", "A participant exists from now on", [
				PARTICIPANT,
				text("organization", "Whose it is"),
				text("location", "Where it is"),
				text("cluster_id", "Cluster it belongs to"),
			]),
			event("fl.client.update", "What became of a participant in a round", [
				SESSION,
				ROUND,
				PARTICIPANT,
				text("status", "How it went", { ...needed, values: ["ok", "dropped", "timeout", "rejected"] }),
				number("num_examples", "Examples it trained on"),
				number("compute_seconds", "Time it computed, on each device", { unit: "s" }),
				number("devices", "Devices it computed on"),
				number("bytes_up", "Sent to the server", { unit: "By" }),
				number("bytes_down", "Received from the server", { unit: "By" }),
				number("bytes_up_raw", "Sent to the server before compression", { unit: "By" }),
				number("transfer_seconds", "Time the transfers took", { unit: "s" }),
				number("contribution", "Its share of the round's gain"),
				text("contribution_method", "shapley, leave_one_out or cosine"),
				number("update_cosine", "Likeness to the aggregate, from −1 to 1, where no contribution is computed"),
				text("peer_cluster", "Cluster the bytes went to or came from"),
			]),
			event("fl.client.data_report", "What a participant's data are like", [
				PARTICIPANT,
				number("rows", "All rows"),
				number("invalid_rows", "Rows that cannot be used"),
				number("cells", "All cells"),
				number("missing_cells", "Cells without a value"),
				number("features_available", "Features that the data have"),
				number("features_selected", "Features that are trained on"),
			]),
		],
	},
	{
		family: "fl_privacy",
		title: "Federated training: privacy",
		records: [
			event("fl.privacy.config", "The privacy budget", [
				number("target_delta", "Delta of the guarantee", needed),
				number("max_epsilon", "The budget"),
				text("neighboring_relation", "add_remove or replace"),
			]),
			event("fl.privacy.release", "Noised results left the server", [
				number("noise_multiplier", "Noise over clipping norm", needed),
				number("sample_size", "Participants of the sample"),
				number("population_size", "Participants it was drawn from"),
				text("sampling_method", "poisson gives amplification, any other none"),
				number("clipping_norm", "Bound of an update"),
				number("count", "Releases that this record stands for; absent, 1"),
			]),
			event("fl.secagg.exchange", "Keys were exchanged for secure aggregation", [
				boolean("ok", "Whether it worked", needed),
				number("duration_ms", "How long it took", { unit: "ms" }),
			]),
			event("fl.secagg.round", "A round was aggregated securely", [
				SESSION,
				ROUND,
				number("secure_seconds", "With secure aggregation", { unit: "s" }),
				number("plain_seconds", "Without, for comparison", { unit: "s" }),
			]),
			event("fl.attack_eval", "An attack on the model was tried", [
				text("attack", "Which one", {
					...needed,
					values: ["membership_inference", "model_inversion", "property_inference"],
				}),
				number("auc", "Area under the curve"),
				number("advantage", "True minus false positive rate, at best"),
				number("tpr", "True positive rate"),
				number("fpr", "False positive rate"),
				number("baseline_accuracy", "Of guessing"),
				number("accuracy", "Of the attack"),
			]),
		],
	},
];

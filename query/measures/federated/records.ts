/** Records of federated learning, and what every measure reads of them. */
import { numberOf, textOf } from "../attributes.ts";

export const FL = {
	started: "fl.session.started",
	ended: "fl.session.ended",
	round: "fl.round.completed",
	update: "fl.client.update",
	registered: "fl.client.registered",
	report: "fl.client.data_report",
	config: "fl.privacy.config",
	release: "fl.privacy.release",
	exchange: "fl.secagg.exchange",
	secure: "fl.secagg.round",
	attack: "fl.attack_eval",
} as const;

/** The node that averages the updates: it is pinged, but is no participant. */
export const FL_SERVER = "fl_server";

/** The training session; a client may also send it beside the properties. */
export const SESSION = `if(${textOf("session_id")} != '', ${textOf("session_id")}, session_id)`;
export const ROUND = `toInt64(ifNull(${numberOf("server_round")}, 0))`;
export const PARTICIPANT = textOf("participant_id");
export const STATUS = "lower(strings['status'])";
export const UP = numberOf("bytes_up");
export const DOWN = numberOf("bytes_down");

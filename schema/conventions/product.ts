/** Records of what people do with a product, and of the models that answer them. */
import { boolean, event, type Family, metric, needed, number, text } from "./record.ts";

const USER = [
	text("user_id", "Who; an event without one belongs to nobody", needed),
	text("account_id", "The paying customer of the user"),
	text("session_id", "The visit; absent everywhere, visits are told by 30 minutes of silence"),
];
const PERSON = [
	...USER,
	text("geo.country.iso_code", "Country of the user, ISO 3166 alpha-2"),
	text("region", "Where the user is, in your own words"),
	text("user_type", "Kind of user, such as free or pro"),
];
const CONVERSATION = text("conversation_id", "Which conversation");
const MODEL = text("model", "Name of the model");
const TARGET = [
	text("target_type", "What is judged", { values: ["feature", "conversation", "response", "model"] }),
	text("target_id", "Which one: the feature's name, the conversation_id, or the event_id of the model's answer"),
];

export const PRODUCT: readonly Family[] = [
	{
		family: "product",
		title: "Product",
		records: [
			event("user.signed_up", "A user exists from now on", [...PERSON, text("plan", "Plan that was chosen")]),
			event("user.deleted", "A user is gone. It makes nobody active", USER),
			event("session.started", "A visit begins", PERSON),
			event("session.ended", "A visit is over", PERSON),
			event("feature.used", "A feature was used once", [...PERSON, text("feature", "Its name", needed)]),
			event("chat.message.sent", "A message of a user or of the assistant", [
				...PERSON,
				text("role", "Who wrote it", { values: ["user", "assistant"] }),
				CONVERSATION,
				text("sentiment", "Mood of the message; absent, told from its text", {
					values: ["positive", "neutral", "negative"],
				}),
				number("sentiment_compound", "Mood from −1 to 1; absent, told from the text"),
				text("language", "BCP 47 tag; absent, told from the text"),
				text("content", "What was written; read for mood and language, kept only if the settings say so"),
			]),
			event("document.created", "A document was made", PERSON),
			event("collaboration.started", "People begin to work together", PERSON),
			event("collaboration.ended", "They are done; collaborations are counted by their start", PERSON),
			event("voice.session.started", "A voice session begins", PERSON),
			event("voice.session.ended", "A voice session is over; they are counted by their start", PERSON),
		],
	},
	{
		family: "model",
		title: "Language models",
		records: [
			event(
				"model_inference_completed",
				"One call of a model, whether it went well or not",
				[
					text("model", "Name of the model that answered", needed),
					number("latency_ms", "How long it took", { unit: "ms" }),
					boolean("success", "Whether there was an answer", needed),
					text("error_type", "timeout, cancelled (not counted as an error), or any other"),
					number("input_tokens", "Cached ones included", { unit: "{token}" }),
					number("output_tokens", "Of the answer", { unit: "{token}" }),
					number("tokens", "Both together, when the parts are not known", { unit: "{token}" }),
					number("response_chars", "Length of the answer", { unit: "{char}" }),
					CONVERSATION,
					number("memory_mb", "Memory of the serving process", { unit: "MB" }),
					number("cpu_percent", "Processor of the serving process", { unit: "%" }),
					...PERSON,
				],
				{
					compatible: [
						{
							name: "gen_ai.client.operation.duration",
							text:
								"Of OpenTelemetry's GenAI names: gen_ai.response.model is model, gen_ai.usage.input_tokens is " +
								"input_tokens, gen_ai.usage.output_tokens is output_tokens, gen_ai.conversation.id is " +
								"conversation_id, error.type is error_type",
						},
					],
				},
			),
			metric("llm.queue.length", "gauge", "{request}", "Requests that wait for the model", [
				text("component", "Backend of the queue"),
			]),
			metric("process.memory.usage", "gauge", "By", "Memory of a process; with a model it is that model's", [
				text("model", "Model that the process serves", needed),
			]),
			metric("process.cpu.utilization", "gauge", "1", "Processor of a process; with a model it is that model's", [
				text("model", "Model that the process serves", needed),
			]),
		],
	},
	{
		family: "score",
		title: "Evaluation scores",
		records: [
			event(
				"gen_ai.evaluation.result",
				"An answer was judged",
				[
					text("name", "What was judged, such as coherence or relevance", needed),
					number("value", "The score", needed),
					text("label", "The score in a word"),
					text("explanation", "Why"),
					...TARGET,
					MODEL,
					text("source", "Who judged; people go before models, models before code", {
						values: ["human", "llm_judge", "code", "imported"],
					}),
					number("scale_min", "Lowest possible score; absent, 1"),
					number("scale_max", "Highest possible score; absent, 5"),
					text("evaluator", "Id of the judge"),
				],
				{
					compatible: [
						{
							name: "gen_ai.evaluation.score.value",
							text: "OpenTelemetry's attributes: name, score.value, score.label",
						},
					],
				},
			),
		],
	},
	{
		family: "conversation",
		title: "Conversations",
		records: [
			event("conversation.started", "A conversation begins", [
				text("conversation_id", "Which conversation", needed),
				...PERSON,
				text("topic", "What it is about"),
				text("language", "BCP 47 tag"),
			]),
			event("conversation.ended", "A conversation is over", [
				text("conversation_id", "Which conversation", needed),
				text("outcome", "How it ended", { values: ["completed", "abandoned", "escalated"] }),
				boolean("resolved", "Whether the question was answered"),
				text("topic", "What it was about"),
				text("language", "BCP 47 tag"),
				text("sentiment", "Mood", { values: ["positive", "neutral", "negative"] }),
				...PERSON,
			]),
		],
	},
	{
		family: "rating",
		title: "Ratings",
		records: [
			event("feedback.submitted", "A user rated something", [
				...TARGET,
				number("rating", "From 1 up", needed),
				number("scale", "Best possible rating; absent, 5"),
				MODEL,
				...PERSON,
			]),
		],
	},
];

// Conversation patterns and quality.
import { Client } from "tidemark";

// TIDEMARK_KEY is a key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

const conversations = await client.analytics.ai.conversations();
console.log(conversations.conversation_metrics, conversations.sentiment_analysis, conversations.language_usage);
console.table(conversations.topic_analysis);

// Participants and the network between them.
import { Client } from "tidemark";

// TIDEMARK_KEY is a key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

const { participants, network_topology } = await client.analytics.federated.participants();
console.table(participants);
console.log(network_topology);

/** Entry of the process that draws one report: a task comes on standard input, the file goes to standard output. */
import { text } from "node:stream/consumers";
import { renderHtml } from "./html/html.ts";
import { renderPdf } from "./pdf/pdf.ts";
import type { Task } from "./sandbox.ts";

const { format, report } = JSON.parse(await text(process.stdin)) as Task;
process.stdout.end(format === "pdf" ? await renderPdf(report) : renderHtml(report));

// Reads a JSON object of workflows (name: text) from standard input, and prints, as JSON, what GitHub's own parser and
// the service behind its editor say against each, and the `run:` steps that the parser finds in it.
import { readFileSync } from "node:fs";
import { convertWorkflowTemplate, parseWorkflow, NoOperationTraceWriter } from "@actions/workflow-parser";
import { ErrorPolicy } from "@actions/workflow-parser/model/convert";
import { validate } from "@actions/languageservice";
import { TextDocument } from "vscode-languageserver-textdocument";

const files = JSON.parse(readFileSync(0, "utf8"));
const local = {
  getFileContent: async (reference) => {
    const name = reference.path.replace(".github/workflows/", "");
    return { name, content: files[name] };
  },
};
const trace = new NoOperationTraceWriter();
const told = {};
for (const [name, content] of Object.entries(files)) {
  const parsed = parseWorkflow({ name, content }, trace);
  const options = { errorPolicy: ErrorPolicy.TryConversion, fetchReusableWorkflowDepth: 1 };
  const template = await convertWorkflowTemplate(parsed.context, parsed.value, local, options);
  const document = TextDocument.create(`file:///.github/workflows/${name}`, "yaml", 1, content);
  const found = await validate(document, { fileProvider: local });
  const errors = parsed.context.errors.getErrors().map((each) => each.message);
  told[name] = {
    errors: [...errors, ...found.map((each) => `${each.range.start.line + 1}: ${each.message}`)],
    steps: template.jobs.flatMap((job) =>
      (job.steps ?? []).filter((step) => step.run).map((step) => [job.id.value, step.run.toString()])),
  };
}
console.log(JSON.stringify(told));

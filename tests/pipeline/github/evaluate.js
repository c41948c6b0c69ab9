// Reads lines of {expressions: {name: text}, context: {…}, files: {…}, failed: bool, cancelled: bool} from standard input, and
// prints a line of JSON for each: what its expressions are, by GitHub's own evaluator. A text with ${{ }} in it is put
// together as GitHub does it.
import { createInterface } from "node:readline";
import { Evaluator, Lexer, Parser, data } from "@actions/expressions";
import { reviver } from "@actions/expressions/data/reviver";

const evaluated = (given) => {
  const context = JSON.parse(JSON.stringify(given.context), reviver);
  const status = {
    success: !given.failed && !given.cancelled,
    failure: given.failed && !given.cancelled,
    cancelled: given.cancelled,
    always: true,
  };
  const infos = Object.keys(status).map((name) => ({ name, minArgs: 0, maxArgs: 0 }));
  infos.push({ name: "hashFiles", minArgs: 1, maxArgs: 255 });
  const functions = new Map(infos.map((info) => [info.name.toLowerCase(), {
    ...info,
    call: (...args) =>
      info.name === "hashFiles"
        ? new data.StringData(given.files[args[0].coerceString()] ?? "")
        : new data.BooleanData(Boolean(status[info.name])),
  }]));

  const one = (text) => {
    const parser = new Parser(new Lexer(text).lex().tokens, Object.keys(given.context), infos);
    return new Evaluator(parser.parse(), context, functions).evaluate();
  };
  const truth = (value) => value.kind === data.Kind.Boolean ? value.value : !["", "0", "NaN"].includes(value.coerceString());
  const told = {};
  for (const [name, text] of Object.entries(given.expressions)) {
    if (name === "if") {
      const bare = text.replace(/^\s*\$\{\{(.*)\}\}\s*$/s, "$1");
      const asks = /\b(success|failure|cancelled|always)\s*\(/.test(bare);
      told[name] = truth(one(bare)) && (asks || status.success);
    } else {
      told[name] = text.replace(/\$\{\{(.*?)\}\}/gs, (_, inner) => one(inner).coerceString());
    }
  }
  return told;
};

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(evaluated(JSON.parse(line))));
}

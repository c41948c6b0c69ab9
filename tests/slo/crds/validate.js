// Reads a JSON list of objects from standard input, and prints what the operator's schemas say against each.
import { readFileSync } from "node:fs";
import * as v1 from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";

for (const given of JSON.parse(readFileSync(0, "utf8"))) {
  const Kind = v1[given.kind] ?? v1.default?.[given.kind];
  if (Kind === undefined || given.apiVersion !== "monitoring.coreos.com/v1") {
    console.log(`${given.kind}: no schema is known for it`);
    continue;
  }
  try {
    new Kind(given).validate();
  } catch (error) {
    console.log(`${given.kind}: ${error.message}`);
  }
}

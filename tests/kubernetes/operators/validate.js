// Reads a JSON list of objects from standard input, prints what their schemas say against each, and writes them as
// typed constants into objects.ts, where the compiler finds keys that the types do not know.
import { readFileSync, writeFileSync } from "node:fs";

const PACKAGES = {
  "argoproj.io": "argo-rollouts",
  "cert-manager.io": "cert-manager",
  "external-secrets.io": "external-secrets",
  "gateway.networking.k8s.io": "gateway-api",
  "monitoring.coreos.com": "prometheus-operator",
};
const lines = [];

for (const [number, given] of JSON.parse(readFileSync(0, "utf8")).entries()) {
  const [group] = given.apiVersion.split("/");
  const place = `@kubernetes-models/${PACKAGES[group]}/${given.apiVersion}`;
  const all = group in PACKAGES ? await import(place).catch(() => ({})) : {};
  const Kind = all[given.kind] ?? all.default?.[given.kind];
  if (Kind === undefined) {
    console.log(`${given.apiVersion} ${given.kind}: no schema is known for it`);
    continue;
  }
  try {
    new Kind(given).validate();
  } catch (error) {
    console.log(`${given.kind}: ${error.message}`);
  }
  lines.push(`import type { I${given.kind} as I${number} } from "${place}";`);
  lines.push(`export const object${number}: I${number} = ${JSON.stringify(given)};`);
}
writeFileSync("objects.ts", lines.join("\n"));

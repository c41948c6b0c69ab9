// Ends with 1 if one of the entities in these files is none that Backstage takes, and says why.
const { readFileSync } = require("node:fs");
const { parseAllDocuments } = require("yaml");
const model = require("@backstage/catalog-model");

const validators = { Component: model.componentEntityV1alpha1Validator, API: model.apiEntityV1alpha1Validator };
const policies = new model.SchemaValidEntityPolicy();
const formats = new model.FieldFormatEntityPolicy();

async function check(entity) {
  await policies.enforce(entity);
  await formats.enforce(entity);
  for (const reference of [entity.spec.owner, ...(entity.spec.providesApis ?? []), ...(entity.spec.dependsOn ?? [])]) {
    model.parseEntityRef(reference, { defaultKind: "API", defaultNamespace: "default" });
  }
  // A definition may be a placeholder, which Backstage replaces by the text of the file before it validates.
  if (entity.spec.definition?.$text) entity.spec.definition = readFileSync(entity.spec.definition.$text, "utf8");
  if (!(await validators[entity.kind].check(entity))) throw new Error(`${entity.kind} is not known`);
}

async function main() {
  for (const file of process.argv.slice(2)) {
    const documents = parseAllDocuments(readFileSync(file, "utf8"));
    for (const document of documents) {
      if (document.errors.length > 0) throw document.errors[0];
      await check(document.toJS());
    }
    console.log(`${file}: ${documents.length} entities`);
  }
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});

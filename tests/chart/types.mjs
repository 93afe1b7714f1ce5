// Holds objects (JSON on standard input) against the types of KEDA and the Prometheus Operator: by their validators, which find wrong
// values and missing keys, and by the TypeScript compiler, which finds unknown keys. Argument: the node_modules folder that has them.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const PACKAGES = { "keda.sh": "@kubernetes-models/keda", "monitoring.coreos.com": "@kubernetes-models/prometheus-operator" };
const modules = process.argv[2];
const objects = JSON.parse(readFileSync(0, "utf8"));
let failed = false;

const lines = [];
for (const [index, object] of objects.entries()) {
  const [group, version] = object.apiVersion.split("/");
  const path = `${PACKAGES[group]}/${group}/${version}/${object.kind}`;
  try {
    const types = await import(pathToFileURL(join(modules, `${path}.js`)));
    new types[object.kind](object).validate();
  } catch (error) {
    console.log(`${object.kind} ${object.metadata.name}: ${error.message}`);
    failed = true;
  }
  lines.push(`import type { I${object.kind} as T${index} } from "${path}";\nexport const o${index}: T${index} = ${JSON.stringify(object)};`);
}

const folder = mkdtempSync(join(tmpdir(), "longshore-types-"));
try {
  symlinkSync(modules, join(folder, "node_modules"));
  writeFileSync(join(folder, "objects.ts"), lines.join("\n"));
  const flags = ["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--types", "", join(folder, "objects.ts")];
  const compiled = spawnSync(process.execPath, [join(modules, ".bin", "tsc"), ...flags], { encoding: "utf8" });
  console.log(`${compiled.stdout}${compiled.stderr}`.trim());
  failed ||= compiled.status !== 0;
} finally {
  rmSync(folder, { recursive: true });
}
process.exit(failed ? 1 : 0);

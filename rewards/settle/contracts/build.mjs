// Compiles the contracts to abi/*.abi and abi/*.bin, from which abigen makes ../bindings (see ../generate.sh).
import { readFileSync, writeFileSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
const require = createRequire(import.meta.url);
const solc = require("solc");

const names = ["RewardToken", "RewardDistributor"];
const sources = Object.fromEntries(names.map((n) => [`${n}.sol`, { content: readFileSync(new URL(`${n}.sol`, import.meta.url), "utf8") }]));
const input = {
  language: "Solidity",
  sources,
  settings: {
    evmVersion: "cancun",
    optimizer: { enabled: true, runs: 200 },
    metadata: { bytecodeHash: "none", appendCBOR: false }, // the same bytes on every machine
    outputSelection: { "*": { "*": ["abi", "evm.bytecode.object"] } },
  },
};
const find = (path) => {
  try {
    return { contents: readFileSync(require.resolve(path), "utf8") };
  } catch (e) {
    return { error: String(e) };
  }
};
const out = JSON.parse(solc.compile(JSON.stringify(input), { import: find }));
// Warnings too, but for those about the library's own sources.
const ours = (e) => e.severity === "error" || !e.sourceLocation?.file.startsWith("@openzeppelin/");
const faults = (out.errors ?? []).filter(ours).map((e) => e.formattedMessage);
if (faults.length) {
  console.error(faults.join("\n"));
  process.exit(1);
}
mkdirSync(new URL("abi", import.meta.url), { recursive: true });
for (const n of names) {
  const c = out.contracts[`${n}.sol`][n];
  writeFileSync(new URL(`abi/${n}.abi`, import.meta.url), JSON.stringify(c.abi, null, 1) + "\n");
  writeFileSync(new URL(`abi/${n}.bin`, import.meta.url), c.evm.bytecode.object + "\n");
}
console.log(`${names.join(", ")} compiled by solc ${solc.version()}`);

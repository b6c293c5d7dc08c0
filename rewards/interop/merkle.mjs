// Reads trees written by roadcomb with @openzeppelin/merkle-tree, and makes them again from their values:
//   node merkle.mjs DUMP.json...      each must load, prove every value, and be made again byte for byte
//   node merkle.mjs --bench N         seconds to make a tree of N leaves with all proofs
import { readFileSync } from "node:fs";
import { StandardMerkleTree } from "@openzeppelin/merkle-tree";

const args = process.argv.slice(2);
if (args[0] === "--bench") {
  const n = Number(args[1]);
  const values = Array.from({ length: n }, (_, i) => ["0x" + (i + 1).toString(16).padStart(40, "0"), String(i)]);
  const start = process.hrtime.bigint();
  const tree = StandardMerkleTree.of(values, ["address", "uint256"]);
  const made = process.hrtime.bigint();
  let nodes = 0;
  for (const [i] of tree.entries()) nodes += tree.getProof(i).length;
  const end = process.hrtime.bigint();
  console.log(JSON.stringify({ leaves: n, root: tree.root, tree_s: Number(made - start) / 1e9, proofs_s: Number(end - made) / 1e9, nodes }));
  process.exit(0);
}
for (const file of args) {
  const text = readFileSync(file, "utf8");
  const tree = StandardMerkleTree.load(JSON.parse(text));
  tree.validate();
  for (const [i, v] of tree.entries()) {
    if (!StandardMerkleTree.verify(tree.root, tree.leafEncoding, v, tree.getProof(i))) throw new Error(`${file}: value ${i} does not prove`);
  }
  const again = StandardMerkleTree.of([...tree.entries()].map(([, v]) => v), tree.leafEncoding);
  if (JSON.stringify(again.dump()) !== text) throw new Error(`${file}: the library writes other bytes`);
  const proofs = [...tree.entries()].map(([i]) => tree.getProof(i));
  console.log(JSON.stringify({ file, leaves: proofs.length, root: tree.root, proofs }));
}

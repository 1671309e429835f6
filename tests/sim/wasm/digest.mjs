// Delivers the operations of a vector in so many orders, and fails where the rows have another digest than the one written down.
// Usage: node digest.mjs <folder of the module> <vector> <orders>

import { readFile } from "node:fs/promises";

import { load } from "./simulator.mjs";

const [folder, file, orders] = process.argv.slice(2);
const simulator = await load(folder);
const vector = await readFile(file, "utf8");
const { digest: expected } = JSON.parse(vector);

for (let seed = 0n; seed < BigInt(orders); seed++) {
    for (const found of simulator.digests(vector, seed)) {
        if (found !== expected) {
            throw new Error(`order ${seed}: expected the digest ${expected}, found ${found}`);
        }
    }
}

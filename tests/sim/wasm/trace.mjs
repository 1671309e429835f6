// Prints the trace of every story that is asked for on standard input, one line for each: `genre workload schedule acts`.
// Usage: node trace.mjs <folder of the module>

import { createInterface } from "node:readline";

import { load } from "./simulator.mjs";

const simulator = await load(process.argv[2]);

for await (const line of createInterface({ input: process.stdin })) {
    const [genre, workload, schedule, acts] = line.split(" ");
    const trace = simulator.trace(genre, BigInt(workload), BigInt(schedule), Number(acts));
    console.log(`${line} ${trace}`);
}

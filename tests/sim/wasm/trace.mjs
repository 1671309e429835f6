// Prints the trace of every story that is asked for on standard input, one line for each: `workload schedule acts`.
// Usage: node trace.mjs <folder of the module>

import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import path from "node:path";
import { pathToFileURL } from "node:url";

const folder = path.resolve(process.argv[2]);
const glue = await import(pathToFileURL(path.join(folder, "syncline_sim_bg.js")).href);
const bytes = await readFile(path.join(folder, "syncline_sim_bg.wasm"));
const { instance } = await WebAssembly.instantiate(bytes, { "./syncline_sim_bg.js": glue });
glue.__wbg_set_wasm(instance.exports);
instance.exports.__wbindgen_start?.();

for await (const line of createInterface({ input: process.stdin })) {
    const [workload, schedule, acts] = line.split(" ");
    const trace = glue.trace(BigInt(workload), BigInt(schedule), Number(acts));
    console.log(`${workload} ${schedule} ${acts} ${trace}`);
}

// The simulator's module, ready to be called.

import { readFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";

export async function load(folder) {
    folder = path.resolve(folder);
    const glue = await import(pathToFileURL(path.join(folder, "syncline_sim_bg.js")).href);
    const bytes = await readFile(path.join(folder, "syncline_sim_bg.wasm"));
    const { instance } = await WebAssembly.instantiate(bytes, { "./syncline_sim_bg.js": glue });
    glue.__wbg_set_wasm(instance.exports);
    instance.exports.__wbindgen_start?.();
    return glue;
}

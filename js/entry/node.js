// Node's way to the module: bundlers import a .wasm file like code, Node reads it.
import { readFileSync } from "node:fs";

import * as glue from "../dist/syncline_bg.js";

const bytes = readFileSync(new URL("../dist/syncline_bg.wasm", import.meta.url));
const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { "./syncline_bg.js": glue });
glue.__wbg_set_wasm(exports);
exports.__wbindgen_start();

export { Engine } from "../dist/syncline_bg.js";

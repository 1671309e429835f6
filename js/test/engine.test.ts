import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";

import { type ConfigError, Engine } from "syncline";

import { config, MemoryHost, ROOT, seed } from "./memory-host.js";

test("a new engine starts, saves its beginnings and follows an empty folder", () => {
  using engine = new Engine(config, seed);
  const host = new MemoryHost(engine);
  host.send("Start");

  const status = engine.status();
  assert.deepEqual(status.roots.map(({ root, state }) => [root, state]), [[ROOT, "Following"]]);
  assert.equal(status.failed, false);
  assert.match(status.replica ?? "none", /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  assert.ok(host.saves > 0, "expected a save");
  assert.ok(host.store.size > 0, "expected something in the store");
});

test("a second engine on the same store is the same replica", () => {
  using first = new Engine(config, seed);
  const host = new MemoryHost(first);
  host.send("Start");

  using second = new Engine(config, { bytes: new Uint8Array(32).fill(6) });
  const later = new MemoryHost(second);
  for (const [key, value] of host.store) later.store.set(key, value);
  later.send("Start");
  assert.notEqual(first.status().replica, undefined);
  assert.equal(second.status().replica, first.status().replica);
  assert.deepEqual(second.status().digest, first.status().digest);
});

test("an engine that is told to stop answers that it stopped", () => {
  using engine = new Engine(config, seed);
  const host = new MemoryHost(engine);
  host.send("Start");
  host.send("Stop");
  assert.equal(host.stopped, true);
});

test("64-bit integers cross as bigint, whole, and bytes as Uint8Array", () => {
  using engine = new Engine(config, seed);
  const host = new MemoryHost(engine);
  host.send("Start");
  assert.ok(host.tasks.length > 0, "expected work");
  for (const task of host.tasks) assert.equal(typeof task, "bigint");
  assert.ok(engine.status().digest instanceof Uint8Array);
  assert.equal(engine.status().digest.length, 32);

  // A task that no engine asked for is ignored and noticed, its id past 2^53 included.
  host.send({ Completed: { task: 0xffff_ffff_ffff_fffen, outcome: "Saved" } });
  assert.equal(host.notices.at(-1)?.code, "HostError");
});

test("a configuration that cannot work is an error with a stable code", () => {
  assert.throws(
    () => new Engine(config, { bytes: new Uint8Array(31) }),
    (error: Error & { code?: string }) => {
      assert.equal(error.name, "ConfigError");
      assert.equal(error.code, "SeedLength");
      assert.equal(error.message, "expected a seed of 32 bytes, found 31");
      assert.deepEqual(error.cause, { SeedLength: { found: 31 } } satisfies ConfigError);
      return true;
    },
  );
});

test("a value of another shape is a type error and the engine goes on", () => {
  using engine = new Engine(config, seed);
  const now = { monotonic: 1n, unix: 1n };
  // @ts-expect-error the declarations refuse it too
  assert.throws(() => engine.handle(now, "Begin"), TypeError);
  new MemoryHost(engine).send("Start");
  assert.equal(engine.status().failed, false);
});

test("the bundlers' entry exports the same engine", () => {
  const program = `
    const { Engine } = await import("syncline/bundler");
    try { new Engine(undefined, undefined); } catch (error) { console.log(error.name); }`;
  const flags = ["--experimental-wasm-modules", "--no-warnings", "--input-type=module", "--eval", program];
  assert.equal(execFileSync(process.execPath, flags, { encoding: "utf8" }).trim(), "TypeError");
});

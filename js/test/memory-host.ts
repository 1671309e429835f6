// A host with a store and an empty folder in memory: what an engine needs to come to rest.
import type { Action, Config, Engine, Event, LoadQuery, Now, Notice, Outcome, Seed, TaskId, Work } from "syncline";

export const ROOT = "6d0f2f3e-58b5-4c52-9f0c-0d4a1e6a7b01";

export const config: Config = {
  group: { id: "0b8c4a52-5f1e-4b0a-8f57-2f6a3c9d1e02", key: new Uint8Array(32).fill(7) },
  identity: new Uint8Array(32).fill(9),
  name: "smoke test",
  roots: [{ id: ROOT, membership: "Founder", allow_deletions: false }],
  folders: [],
  delivery: undefined,
  records: undefined,
  compaction: { clear_applied: false, stale_after_ms: 2_592_000_000n, checkpoint_items_min: 64 },
  debounce_ms: 100,
  dry_run: false,
};

export const seed: Seed = { bytes: new Uint8Array(32).fill(5) };

/** Steps an engine would have to take many times over before it counts as one that does not come to rest. */
const STEPS_MAX = 10_000;

export class MemoryHost {
  readonly store = new Map<string, Uint8Array>();
  readonly notices: Notice[] = [];
  readonly tasks: TaskId[] = [];
  saves = 0;
  stopped = false;
  private now: Now = { monotonic: 1_000n, unix: 1_700_000_000_000n };

  constructor(private readonly engine: Engine) {}

  /** Sends an event and carries out all that comes of it, waking the engine at its deadlines, until it rests. */
  send(event: Event): void {
    const events: Event[] = [event];
    for (let step = 0; step < STEPS_MAX; step += 1) {
      const next = events.shift() ?? this.wake();
      if (next === undefined) return;
      for (const action of this.engine.handle(this.now, next)) {
        const answer = this.carryOut(action);
        if (answer !== undefined) events.push(answer);
      }
    }
    throw new Error(`expected an engine at rest after ${STEPS_MAX} steps`);
  }

  private wake(): Event | undefined {
    const deadline = this.engine.deadline();
    if (deadline === undefined || this.stopped || this.engine.status().quiet) return undefined;
    const monotonic = deadline > this.now.monotonic ? deadline : this.now.monotonic;
    this.now = { monotonic, unix: this.now.unix + (monotonic - this.now.monotonic) };
    return "Wake";
  }

  private carryOut(action: Action): Event | undefined {
    if (action === "Stopped") {
      this.stopped = true;
      return undefined;
    }
    if ("Notify" in action) {
      this.notices.push(action.Notify.notice);
      return undefined;
    }
    if ("Perform" in action) {
      const { task, work } = action.Perform;
      this.tasks.push(task);
      return { Completed: { task, outcome: this.perform(work) } };
    }
    throw new Error(`expected no links and nothing to cancel, found ${Object.keys(action).join()}`);
  }

  private perform(work: Work): Outcome {
    if ("Load" in work) return this.load(work.Load.query);
    if ("Save" in work) {
      this.saves += 1;
      for (const { key, value } of work.Save.writes) {
        if (value === undefined) this.store.delete(hex(key));
        else this.store.set(hex(key), value);
      }
      return "Saved";
    }
    if ("List" in work) return { Listed: { listing: new Uint8Array(), more: false, marker: true } };
    if ("Probe" in work) {
      return { Probed: { results: work.Probe.paths.map(() => ({ Failed: { failure: "Missing" } })), marker: true } };
    }
    if ("Discard" in work) return "Discarded";
    throw new Error(`expected no ${Object.keys(work).join()} in an empty folder`);
  }

  private load(query: LoadQuery): Outcome {
    if ("Keys" in query) {
      const keys = query.Keys.keys.map(({ bytes }) => bytes);
      const pairs = keys.flatMap((key) => {
        const value = this.store.get(hex(key));
        return value === undefined ? [] : [{ key, value }];
      });
      return { Loaded: { pairs, more: false } };
    }
    const [start, end] = [hex(query.Range.start), hex(query.Range.end)];
    const found = [...this.store].filter(([key]) => start <= key && key < end).sort(([a], [b]) => (a < b ? -1 : 1));
    let bytes = 0;
    const fits = found.findIndex(([key, value]) => (bytes += key.length / 2 + value.length) > query.Range.bytes_max);
    const page = fits < 0 ? found : found.slice(0, Math.max(fits, 1));
    const pairs = page.map(([key, value]) => ({ key: new Uint8Array(Buffer.from(key, "hex")), value }));
    return { Loaded: { pairs, more: page.length < found.length } };
  }
}

/** Orders like the bytes themselves. */
function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

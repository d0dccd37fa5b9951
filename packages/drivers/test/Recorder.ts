/**
 * A process that records runs and says what was acknowledged, line by line, the moment it was: what is on its output must be
 * in the database, however it ends. Its argument is a `RecorderTask` as JSON; it stops where the task says, and is killed.
 */
import { randomUUID } from "node:crypto";
import { writeSync } from "node:fs";
import type { DatabaseConfig } from "@runproof/drivers/Database";
import * as Effect from "effect/Effect";
import { serverConfig, storesOn } from "./Stores.ts";
import { type Identity, numberedStep, record, seal, start } from "./Evidence.ts";

/** What to record. */
export type RecorderTask = {
  /** A server's URL, or the embedded database's folder. */
  readonly url?: string;
  readonly home?: string;
} & (
  | {
      /** One run with three steps, stopped before one of its operations until a line comes. */
      readonly kind: "stages";
      readonly identity: Identity;
      readonly lease_ms: number;
      readonly stop_before: string | null;
    }
  | {
      readonly kind: "runs";
      readonly tenant_id: string;
      readonly runs: number;
      readonly steps: number;
    }
  | {
      readonly kind: "append";
      readonly trace_id: string;
      readonly writers: number;
      readonly steps: number;
    }
);

const task = JSON.parse(process.argv[2]!) as RecorderTask;

/** Written at once: a line that was still in this process would be lost with it. */
const say = (...words: ReadonlyArray<string | number>) =>
  Effect.sync(() => writeSync(1, `${words.join(" ")}\n`));

const untilLine = Effect.callback<void>((resume) => {
  process.stdin.once("data", () => resume(Effect.void));
});

const stages = (of: Extract<RecorderTask, { kind: "stages" }>) =>
  Effect.gen(function* () {
    const { trace_id } = of.identity;
    const at = (stage: string) =>
      of.stop_before === stage ? Effect.andThen(say("stopped"), untilLine) : Effect.void;
    yield* at("start");
    yield* start(of.identity, {}, { lease_ms: of.lease_ms });
    yield* say("started");
    for (let index = 0; index < 3; index += 1) {
      yield* at(`step ${index}`);
      const head = yield* record(trace_id, numberedStep(index));
      yield* say("ack", trace_id, head.next_index - 1, head.link);
    }
    yield* at("seal");
    const sealed = yield* seal(trace_id);
    yield* say("sealed", trace_id, sealed.step_count, sealed.root_hash);
    yield* at("end");
  });

const wholeRuns = (of: Extract<RecorderTask, { kind: "runs" }>) =>
  Effect.forEach(
    Array.from({ length: of.runs }, () => `trace-${randomUUID()}`),
    (trace_id) =>
      Effect.gen(function* () {
        const run_id = `run of ${trace_id}`;
        yield* start({ trace_id, run_id, tenant_id: of.tenant_id });
        for (let index = 0; index < of.steps; index += 1) {
          const head = yield* record(trace_id, numberedStep(index));
          yield* say("ack", trace_id, head.next_index - 1, head.link);
        }
        const sealed = yield* seal(trace_id);
        yield* say("sealed", trace_id, sealed.step_count, sealed.root_hash);
      }),
    { concurrency: "unbounded", discard: true },
  );

/** Writes until it has written all, or the trace is sealed. Each writer tries again where another was faster. */
const writers = (of: Extract<RecorderTask, { kind: "append" }>) =>
  Effect.forEach(
    Array.from({ length: of.writers }, (_, writer) => writer),
    (writer) =>
      Effect.gen(function* () {
        for (let step = 0; step < of.steps; step += 1) {
          const skill_name = `writer ${process.pid}.${writer}, step ${step}`;
          const head = yield* record(of.trace_id, { skill_name }).pipe(
            Effect.retry({ while: (error) => error._tag === "ChainMoved" }),
          );
          yield* say("ack", of.trace_id, head.next_index - 1, head.link);
        }
      }).pipe(Effect.catchTag(["TraceSealed", "TraceNotFound"], () => say("refused", of.trace_id))),
    { concurrency: "unbounded", discard: true },
  );

const program =
  task.kind === "stages" ? stages(task) : task.kind === "runs" ? wholeRuns(task) : writers(task);

const config: DatabaseConfig =
  task.url === undefined ? { kind: "embedded", home: task.home! } : serverConfig(task.url);

await Effect.runPromise(
  Effect.andThen(say("open"), program).pipe(Effect.provide(storesOn(config))),
);
process.stdin.destroy();

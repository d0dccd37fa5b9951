/**
 * Goal: a process that is told to end seals its run first; one that is killed leaves a run that its lease ends. Nothing
 * that was acknowledged is missing, and nothing is COMPLETE that was not. Method: real processes, killed while a server
 * on loopback holds their request, or right after they said that a step is recorded.
 */
import { spawn } from "node:child_process";
import * as Http from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { assert, describe, it, layer } from "@effect/vitest";
import { LogsBridge } from "@runproof/spine-coordinators/logs/LogsBridge";
import * as Effect from "effect/Effect";
import { inject } from "vitest";
import { rows, runId, show, tenant_id, verdict } from "./StoredRuns.ts";
import { embeddedConfig, runproof, serverConfig } from "./TestDatabase.ts";

const STEPS = 3;

/** A server on loopback: it tells of each request, and answers unless the request is the one to hold. */
const openServer = (held: number | null, onHeld: () => void) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly origin: string; readonly server: Http.Server }>((resume) => {
      const server = Http.createServer((request, response) => {
        if (request.url === `/${held}`) onHeld();
        else response.end("ok");
      });
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo;
        resume(Effect.succeed({ origin: `http://127.0.0.1:${port}`, server }));
      });
    }),
    ({ server }) =>
      Effect.callback<void>((resume) => {
        server.closeAllConnections();
        server.close(() => resume(Effect.void));
      }),
  );

interface Killed {
  readonly acknowledged: ReadonlyArray<number>;
  /** Lines that are no step's index: why it failed, where it did. */
  readonly said: ReadonlyArray<string>;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Where the plan runs, and where it is ended: while request `in` is held, or once step `after` is recorded. */
interface Stage {
  readonly database: string;
  readonly in?: number;
  readonly after?: number;
  readonly capture?: "gated" | "inline";
}

/** The URL of the test's own database. */
const ownUrl = Effect.map(rows<{ name: string }>("select current_database() as name"), ([here]) => {
  const url = new URL(inject("postgresUrl"));
  url.pathname = `/${here?.name}`;
  return url.href;
});

/** Runs the plan in a process and ends it at a stage. */
const kill = (signal: NodeJS.Signals, run_id: string, stage: Stage, lease_ms: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      let end = () => {};
      const { origin } = yield* openServer(stage.in ?? null, () => end());
      return yield* Effect.callback<Killed>((resume) => {
        const script = fileURLToPath(new URL("PlanProcess.ts", import.meta.url));
        const plan = [tenant_id, run_id, origin, String(STEPS), String(lease_ms)];
        const argv = [script, stage.database, ...plan, stage.capture ?? "inline"];
        const child = spawn(process.execPath, argv, {
          stdio: ["ignore", "pipe", "inherit"],
        });
        end = () => child.kill(signal);
        const acknowledged: Array<number> = [];
        const said: Array<string> = [];
        createInterface({ input: child.stdout }).on("line", (line) => {
          if (!/^\d+$/u.test(line)) said.push(line);
          else acknowledged.push(Number(line));
          if (line === String(stage.after)) end();
        });
        child.on("close", (code, ended_by) =>
          resume(Effect.succeed({ acknowledged, said, code, signal: ended_by })),
        );
      });
    }),
  );

layer(runproof(serverConfig), { excludeTestServices: true, timeout: 60_000 })(
  "a process on a real server",
  (it) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      it.effect(`that gets ${signal} seals its run aborted before it ends`, () =>
        Effect.gen(function* () {
          const run_id = runId();
          const { acknowledged, said } = yield* kill(
            signal,
            run_id,
            { database: yield* ownUrl, in: 1 },
            30_000,
          );
          assert.lengthOf(said, 0, said.join("\n"));
          assert.deepStrictEqual(acknowledged, [0]);
          const { status, seal, steps } = yield* show(run_id);
          assert.strictEqual(status, "aborted");
          assert.strictEqual(seal?.["reason"], "the run was interrupted");
          assert.deepStrictEqual(
            steps.map(({ record }) => record["outcome_code"]),
            ["HTTP_200", "INTERRUPTED"],
          );
          assert.strictEqual((yield* verdict(run_id)).integrity.verification_status, "VERIFIED");
        }),
      );
    }

    const stages = Array.from({ length: STEPS }, (_, index) => [{ in: index }, { after: index }]);
    for (const stage of stages.flat()) {
      const [[where, index] = []] = Object.entries(stage);
      it.effect(`that is killed ${where} step ${index} leaves a run that its lease ends`, () =>
        Effect.gen(function* () {
          const run_id = runId();
          const { acknowledged, said, signal } = yield* kill(
            "SIGKILL",
            run_id,
            { database: yield* ownUrl, ...stage },
            1_000,
          );
          assert.lengthOf(said, 0, said.join("\n"));
          assert.strictEqual(signal, "SIGKILL");
          // Killed after its last step, it may have sealed before the signal came.
          const isOver = "after" in stage && stage.after === STEPS - 1;
          const { sweep } = yield* LogsBridge;
          while ((yield* show(run_id)).status === "running") yield* sweep();
          const { status, steps, seal } = yield* show(run_id);
          assert.isTrue(status === "aborted" || (isOver && status === "completed"), status);
          if (status === "aborted") assert.include(seal?.["reason"], "lease");
          const recorded = steps.map(({ record }) => record["step_index"]);
          assert.includeMembers(recorded, [...acknowledged]);
          const { integrity, lifecycle } = yield* verdict(run_id);
          assert.strictEqual(lifecycle, status === "aborted" ? "ABORTED" : "COMPLETE");
          assert.strictEqual(
            integrity.verification_status,
            recorded.length === 0 ? "UNSUPPORTED" : "VERIFIED",
          );
        }),
      );
    }
  },
);

/** What stands of a gated run whose process was killed in its second act, once its lease is over. */
const expectUnknownOutcome = Effect.fnUntraced(function* (run_id: string) {
  const { sweep } = yield* LogsBridge;
  while ((yield* show(run_id)).status === "running") yield* sweep();
  const { steps } = yield* show(run_id);
  assert.deepStrictEqual(
    steps.map(({ record }) => record["status"]),
    ["intended", "success", "intended"],
  );
  const { integrity, lifecycle, capture, findings } = yield* verdict(run_id);
  assert.deepStrictEqual(
    { status: integrity.verification_status, lifecycle, capture },
    { status: "VERIFIED", lifecycle: "ABORTED", capture: "gated" },
  );
  assert.deepStrictEqual(
    findings.map(({ code, step_index }) => ({ code, step_index })),
    [{ code: "OUTCOME_UNKNOWN", step_index: 2 }],
  );
});

describe("a process that is killed in the middle of a gated act", () => {
  const killed = (database: string, run_id: string) =>
    Effect.map(
      kill("SIGKILL", run_id, { database, in: 1, capture: "gated" }, 1_000),
      ({ said, signal }) => {
        assert.lengthOf(said, 0, said.join("\n"));
        assert.strictEqual(signal, "SIGKILL");
      },
    );

  it.live(
    "leaves on a server a run that is ABORTED by its lease and names the act",
    () =>
      Effect.gen(function* () {
        const run_id = runId();
        yield* killed(yield* ownUrl, run_id);
        yield* expectUnknownOutcome(run_id);
      }).pipe(Effect.provide(runproof(serverConfig))),
    60_000,
  );

  it.live(
    "leaves the same in an embedded database, which the next process opens",
    () =>
      Effect.gen(function* () {
        const run_id = runId();
        const config = yield* embeddedConfig;
        yield* killed(config.kind === "embedded" ? config.home : "", run_id);
        yield* Effect.provide(expectUnknownOutcome(run_id), runproof(Effect.succeed(config)));
      }),
    60_000,
  );
});

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
import { assert, layer } from "@effect/vitest";
import { LogsBridge } from "@runproof/spine-coordinators/logs/LogsBridge";
import * as Effect from "effect/Effect";
import { inject } from "vitest";
import { rows, runId, show, tenant_id, verdict } from "./StoredRuns.ts";
import { runproof, serverConfig } from "./TestDatabase.ts";

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

/** Runs the plan in a process and ends it at a stage: while request `in` is held, or once step `after` is recorded. */
const kill = (
  signal: NodeJS.Signals,
  run_id: string,
  stage: { readonly in?: number; readonly after?: number },
  lease_ms: number,
) =>
  Effect.scoped(
    Effect.gen(function* () {
      const [here] = yield* rows<{ name: string }>("select current_database() as name");
      const url = new URL(inject("postgresUrl"));
      url.pathname = `/${here?.name}`;
      let end = () => {};
      const { origin } = yield* openServer(stage.in ?? null, () => end());
      return yield* Effect.callback<Killed>((resume) => {
        const script = fileURLToPath(new URL("PlanProcess.ts", import.meta.url));
        const argv = [url.href, tenant_id, run_id, origin, String(STEPS), String(lease_ms)];
        const child = spawn(process.execPath, [script, ...argv], {
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
          const { acknowledged, said } = yield* kill(signal, run_id, { in: 1 }, 30_000);
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
          const { acknowledged, said, signal } = yield* kill("SIGKILL", run_id, stage, 1_000);
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

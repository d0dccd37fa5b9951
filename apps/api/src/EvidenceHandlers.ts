/** What the routes of evidence, signals and comparisons answer. */
import {
  type EvidenceExport,
  EvidenceExportCoordinator,
} from "@runproof/spine-coordinators/evidence/EvidenceExportCoordinator";
import { RunEvidenceCoordinator } from "@runproof/spine-coordinators/evidence/RunEvidenceCoordinator";
import { TraceCoordinator } from "@runproof/spine-coordinators/logs/TraceCoordinator";
import { ParityCoordinator } from "@runproof/spine-coordinators/replay/ParityCoordinator";
import { SignalFeedbackCoordinator } from "@runproof/spine-coordinators/signals/SignalFeedbackCoordinator";
import * as Effect from "effect/Effect";
import * as Zip from "effect/encoding/Zip";
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder";
import * as HttpServerResponse from "effect/http/HttpServerResponse";
import * as Stream from "effect/Stream";
import { freshJson } from "./Answer.ts";
import { Api } from "./Api.ts";
import { Tenant } from "./Authorization.ts";
import type { Signal } from "./Evidence.ts";
import { answered } from "./Problem.ts";

const fresh = (value: unknown, status?: number) => freshJson(JSON.stringify(value), status);

const zipped = Effect.fnUntraced(function* ({ manifest, files }: EvidenceExport) {
  const all = { ...files, "manifest.json": `${JSON.stringify(manifest, null, 2)}\n` };
  const mtime = new Date(manifest.made_at);
  const pieces = yield* Stream.fromIterable(
    Object.entries(all).map(([path, text]) => Zip.file(path, text, { mtime })),
  ).pipe(Stream.pipeThroughChannel(Zip.encode()), Stream.runCollect, Effect.orDie);
  return HttpServerResponse.uint8Array(Buffer.concat(pieces), {
    contentType: "application/zip",
    headers: {
      "cache-control": "no-store",
      "content-disposition": 'attachment; filename="runproof-evidence.zip"',
    },
  });
});

type Run = { readonly tenant_id: string; readonly run_id: string };

const say = Effect.fnUntraced(function* (run: Run, actor: string, said: typeof Signal.Type) {
  const signals = yield* SignalFeedbackCoordinator;
  const { reason } = said;
  if (said.signal === "acknowledge") return yield* signals.acknowledge(run, { actor, reason });
  if (said.signal === "suppress")
    return yield* signals.suppress(run, { actor, reason, until: said.until });
  return yield* signals.escalate(run, { actor, reason, to: said.to });
});

/** The handlers of the evidence group. */
export const EvidenceHandlers = HttpApiBuilder.group(Api, "evidence", (handlers) =>
  handlers.handleAll({
    evidence: Effect.fnUntraced(function* ({ params: { run_id } }) {
      const { tenant_id } = yield* Tenant;
      return fresh(yield* (yield* RunEvidenceCoordinator).get({ tenant_id, run_id }));
    }, answered),
    signals: Effect.fnUntraced(function* ({ params: { run_id } }) {
      const { tenant_id } = yield* Tenant;
      // Of a run that is not there nobody said nothing: it is not found.
      yield* (yield* TraceCoordinator).head({ tenant_id, run_id });
      return fresh(yield* (yield* SignalFeedbackCoordinator).get({ tenant_id, run_id }));
    }, answered),
    signal: Effect.fnUntraced(function* ({ params: { run_id }, payload }) {
      const { tenant_id, actor } = yield* Tenant;
      yield* say({ tenant_id, run_id }, actor, payload);
      return fresh(yield* (yield* SignalFeedbackCoordinator).get({ tenant_id, run_id }), 201);
    }, answered),
    diff: Effect.fnUntraced(function* ({ params: { run_id, other_run_id }, query }) {
      const { tenant_id } = yield* Tenant;
      const { compare } = yield* ParityCoordinator;
      return fresh(
        yield* compare({
          tenant_id,
          run_a: run_id,
          run_b: other_run_id,
          outcomes: query.outcomes === "true",
          costs: query.costs === "true",
          times: query.times === "true",
        }),
      );
    }, answered),
    export: Effect.fnUntraced(function* ({ query }) {
      const { tenant_id } = yield* Tenant;
      const { export: exportEvidence } = yield* EvidenceExportCoordinator;
      return yield* zipped(yield* exportEvidence({ ...query, tenant_id }));
    }, answered),
  }),
);

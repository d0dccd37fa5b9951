/** Proves one run from what is stored. */
import type { StoredRun } from "@runproof/drivers/logs/readRun";
import {
  BundleTooLarge,
  bundleText,
  BundleWriter,
  makeStepBundle,
  type StepBundleSource,
  stepPaths,
} from "@runproof/proof/Bundle";
import type { JsonObject } from "@runproof/proof/CanonicalJson";
import { isHashHex } from "@runproof/proof/Hash";
import { parseCanonical } from "@runproof/proof/JsonText";
import { planInclusion } from "@runproof/proof/ProofPlan";
import type { Refusal } from "@runproof/proof/Refusal";
import {
  noTraceVerdict,
  type StoredPayload,
  type StoredRunVerdict,
  StoredRunVerifier,
  type StoredSeal,
  type StoredStep,
} from "@runproof/proof/StoredRun";
import { verifyBundle, verifyLogProofs } from "@runproof/proof/Verifier";
import {
  type DatabaseError,
  InvalidInput,
  type LogForked,
  type LogShrunk,
  type RunDeleted,
  type RunNotFound,
  StoredDataUnreadable,
} from "@runproof/schemas/RunProofError";
import { REASON_OPEN, type RunProofResult } from "@runproof/schemas/RunProofResult";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { bundleProofs } from "../ledger/internal/bundleProofs.ts";
import { now } from "../internal/now.ts";
import { refusable } from "../internal/refused.ts";
import { LogCoordinator, type LoggedTrace } from "../ledger/LogCoordinator.ts";
import { TrustedKeys } from "../ledger/TrustedKeys.ts";
import { LogsBridge } from "../logs/LogsBridge.ts";

/** Which run to prove, and how. */
export interface GetRunProof {
  readonly tenant_id: string;
  readonly run_id: string;
  /** `HASH_CHAIN` where it is left out. */
  readonly model?: "HASH_CHAIN" | "MERKLE_TREE" | undefined;
  /** Whether `raw_logs` holds the payloads' values; false where it is left out. */
  readonly include_payloads?: boolean | undefined;
}

/** The parts of a proof that are rows, in the order in which they come. */
export type RowPart = "aos_traces" | "aos_trace_steps" | "raw_logs";

/** Takes rows of a proof, some at a time. */
export type OnRows = (part: RowPart, rows: ReadonlyArray<JsonObject>) => Effect.Effect<void>;

/** What a proof says of a run, without the rows. */
export interface RunVerdict extends Omit<RunProofResult, RowPart> {
  /** Whether the tenant has a trace of that run. */
  readonly is_stored: boolean;
}

/** A run of a tenant. */
export interface RunReference {
  readonly tenant_id: string;
  readonly run_id: string;
}

/** What is to be known of a bundle that was written. */
export interface WrittenBundle {
  readonly trace_id: string;
  /** Why it holds no proof from the log, where it holds none; else what was not checked of it. */
  readonly notes: ReadonlyArray<string>;
}

/** A bundle's text, and what is to be known of it. */
export interface BundleFile extends WrittenBundle {
  readonly text: string;
}

/** What keeps a bundle from being made. */
export type BundleError =
  | DatabaseError
  | RunNotFound
  | RunDeleted
  | InvalidInput
  | StoredDataUnreadable
  | LogForked
  | LogShrunk;

/** Verdicts and bundles. */
export class RunProofCoordinator extends Context.Service<
  RunProofCoordinator,
  {
    /**
     * A verdict on one run, with its rows in memory. A run that the tenant does not have is UNSUPPORTED, never another
     * tenant's.
     */
    readonly getRunProof: (input: GetRunProof) => Effect.Effect<RunProofResult, DatabaseError>;
    /**
     * The same of a run of any size: `onRows` gets the rows, before the verdict is known. Under `TrustedKeys` a VERIFIED run
     * is SIGNED as well, or FAILED.
     */
    readonly judge: (
      input: GetRunProof,
      onRows?: OnRows,
    ) => Effect.Effect<RunVerdict, Exclude<BundleError, RunNotFound>>;
    /**
     * The run as a bundle, to verify offline. Refused where there is no seal, or the evidence contradicts. It holds the
     * log's proofs where a checkpoint covers the run, or this process has the key to sign one.
     */
    readonly getBundle: (run: RunReference) => Effect.Effect<BundleFile, BundleError>;
    /** The same of a run of any size: `write` gets the text in pieces. Where it fails, what was written is no bundle. */
    readonly writeBundle: <E, R>(
      run: RunReference,
      write: (piece: string) => Effect.Effect<void, E, R>,
    ) => Effect.Effect<WrittenBundle, E | BundleError, R>;
    /** One step as a bundle, with nothing of the other steps: the plan and what else the trace and seal commit to is withheld. */
    readonly getStepBundle: (
      step: RunReference & { readonly step_index: number },
    ) => Effect.Effect<BundleFile, BundleError>;
  }
>()("@runproof/spine-coordinators/proof/RunProofCoordinator") {
  static readonly layer: Layer.Layer<RunProofCoordinator, never, LogsBridge | LogCoordinator> =
    Layer.effect(
      RunProofCoordinator,
      Effect.gen(function* () {
        const logs = yield* LogsBridge;
        const log = yield* LogCoordinator;
        const signed = Effect.provideService(LogCoordinator, log);
        return RunProofCoordinator.of({
          getRunProof: getRunProof(logs),
          judge: (input, onRows) => signed(judge(logs)(input, onRows)),
          getBundle: (run) => signed(getBundle(logs)(run)),
          writeBundle: (run, write) => signed(writeBundle(logs)(run, write)),
          getStepBundle: (step) => signed(getStepBundle(logs)(step)),
        });
      }),
    );
}

type Logs = LogsBridge["Service"];

/** What of a sealed run the log's entries hold. */
const loggedOf = ({ trace }: StoredRun, seal: StoredSeal): LoggedTrace => ({
  trace_id: String(trace.columns["trace_id"]),
  opened: trace.link,
  sealed: seal.root_hash,
});

interface Judged {
  readonly verdict: StoredRunVerdict;
  /** Null where there is no trace, or no seal. */
  readonly logged: LoggedTrace | null;
  readonly is_stored: boolean;
}

/** Verifies a stored run, and gives its rows to `onRows` as they go by. */
const judgeStored = Effect.fnUntraced(function* (
  run: StoredRun,
  { tenant_id, run_id, model = "HASH_CHAIN", include_payloads = false }: GetRunProof,
  onRows: OnRows,
) {
  // Rows whose record is another run's are another tenant's, perhaps: never shown, whatever the columns say.
  if (saysAnotherRun(run, { tenant_id, run_id })) {
    const verdict = anotherRunVerdict(yield* verdictOn(run, model));
    return { verdict, logged: null, is_stored: false } satisfies Judged;
  }
  yield* onRows("aos_traces", [traceRow(run)]);
  const verdict = yield* verdictOn(run, model, (steps) =>
    onRows("aos_trace_steps", steps.map(stepRow)),
  );
  const { trace, seal } = run;
  if (include_payloads) {
    yield* onRows("raw_logs", shown("trace", trace.payloads));
    yield* run.forEachStepPage((steps) => onRows("raw_logs", steps.flatMap(stepPayloads)));
    if (seal !== null) yield* onRows("raw_logs", shown("seal", seal.payloads));
  }
  const logged = seal === null ? null : loggedOf(run, seal);
  return { verdict, logged, is_stored: true } satisfies Judged;
});

const judgeRows = (
  logs: Logs,
  input: GetRunProof,
  onRows: OnRows,
): Effect.Effect<Judged, DatabaseError> => {
  const none = (verdict: StoredRunVerdict) =>
    Effect.succeed<Judged>({ verdict, logged: null, is_stored: false });
  const { tenant_id, run_id } = input;
  return logs
    .read({ tenant_id, run_id }, (run) => judgeStored(run, input, onRows))
    .pipe(
      Effect.catchTag("RunNotFound", () => none(noTraceVerdict())),
      Effect.catchTag("RunDeleted", ({ message }) => none(deletedVerdict(message))),
      // Rows that are there without the row that they hang on are evidence that was cut.
      Effect.catchTag("StoredDataUnreadable", ({ message }) => none(traceGoneVerdict(message))),
    );
};

const getRunProof = (logs: Logs) =>
  Effect.fn("RunProofCoordinator.getRunProof")(function* (input: GetRunProof) {
    const verified_at = yield* now;
    const rows: Record<RowPart, Array<JsonObject>> = {
      aos_traces: [],
      aos_trace_steps: [],
      raw_logs: [],
    };
    const { verdict } = yield* judgeRows(logs, input, (part, some) =>
      Effect.sync(() => {
        for (const row of some) rows[part].push(row);
      }),
    );
    return { ...proofOf(input.run_id, verdict, verified_at), ...rows } satisfies RunProofResult;
  });

const judge = (logs: Logs) =>
  Effect.fn("RunProofCoordinator.judge")(function* (
    input: GetRunProof,
    onRows: OnRows = () => Effect.void,
  ) {
    const verified_at = yield* now;
    const keys = yield* TrustedKeys;
    const { verdict, logged, is_stored } = yield* judgeRows(logs, input, onRows);
    const proved = { ...proofOf(input.run_id, verdict, verified_at), is_stored };
    const isAsked = keys.length > 0 && proved.integrity.verification_status === "VERIFIED";
    if (!isAsked || logged === null) return proved satisfies RunVerdict;
    const { log, note } = yield* bundleProofs(logged);
    const texts = keys.map(({ text }) => text);
    const { is_signed, failure_reason, findings, notes } = verifyLogProofs(log, logged, texts);
    const verification_status = failure_reason === null ? "VERIFIED" : "FAILED";
    return {
      ...proved,
      integrity: { ...proved.integrity, verification_status, failure_reason },
      assurance: failure_reason !== null ? null : is_signed ? "SIGNED" : "SELF",
      findings: [...proved.findings, ...findings],
      notes: [...notes, ...(note === null ? [] : [note])],
    } satisfies RunVerdict;
  });

/** Verifies a stored run from its rows, some at a time. */
const verdictOn = <E = never, R = never>(
  run: StoredRun,
  model: "HASH_CHAIN" | "MERKLE_TREE",
  onSteps: (steps: ReadonlyArray<StoredStep>) => Effect.Effect<void, E, R> = () => Effect.void,
): Effect.Effect<StoredRunVerdict, E | DatabaseError, R> =>
  Effect.suspend(() => {
    const verifier = new StoredRunVerifier(run.trace, {
      model,
      erasure_recorded: (step_index, name) => {
        const owner =
          step_index !== null ? `step ${step_index}` : name === "metadata" ? "seal" : "trace";
        return run.erasures_recorded.has(`${owner}:${name}`);
      },
      archival_recorded: () => run.archival_recorded,
    });
    const verifying = run.forEachStepPage((steps) => {
      for (const step of steps) verifier.addStep(step);
      return onSteps(steps);
    });
    return Effect.map(verifying, () => verifier.finish(run.seal));
  });

const saysAnotherRun = ({ trace }: StoredRun, asked: RunReference): boolean => {
  const record = parseCanonical(trace.record);
  if (typeof record !== "object" || record === null || Array.isArray(record)) return false;
  const { tenant_id, run_id } = record as JsonObject;
  return tenant_id !== asked.tenant_id || run_id !== asked.run_id;
};

const ANOTHER_RUN = "the trace row stands for this run, and its record is another run's";

const anotherRunVerdict = (verdict: StoredRunVerdict): StoredRunVerdict => ({
  ...verdict,
  verification_status: "FAILED",
  failure_reason: verdict.failure_reason ?? ANOTHER_RUN,
  findings: [
    ...verdict.findings,
    { code: "FOREIGN_RECORD", step_index: null, message: ANOTHER_RUN },
  ],
});

/** Deleted as recorded: nothing is left to verify, and nothing speaks against it. */
const deletedVerdict = (message: string): StoredRunVerdict => ({
  ...noTraceVerdict(),
  failure_reason: message,
});

/** Gone, and nothing says that it may be. */
const traceGoneVerdict = (message: string): StoredRunVerdict => ({
  ...noTraceVerdict(),
  verification_status: "FAILED",
  failure_reason: message,
  findings: [{ code: "GAP", step_index: null, message }],
});

const SELF_NOTE =
  "SELF: the records agree with their seal. Whoever owns the database could have rewritten both; a bundle or root kept elsewhere shows that.";

const proofOf = (run_id: string, verdict: StoredRunVerdict, verified_at: string) => {
  const isVerified = verdict.verification_status === "VERIFIED";
  const { findings_omitted } = verdict;
  return {
    run_id,
    integrity: {
      model: verdict.model,
      root_hash: verdict.root_hash,
      chain_length: verdict.chain_length,
      verification_status: verdict.verification_status,
      failure_reason: verdict.failure_reason,
    },
    verified_at,
    lifecycle: verdict.lifecycle,
    capture: verdict.capture,
    assurance: isVerified ? ("SELF" as const) : null,
    findings: verdict.findings,
    legacy_root_hash: verdict.legacy_root_hash,
    notes: [
      ...(isVerified ? [SELF_NOTE] : []),
      ...(findings_omitted > 0 ? [`${findings_omitted} more findings are not listed`] : []),
    ],
  };
};

const traceRow = ({ trace, seal }: StoredRun) => ({
  ...trace.columns,
  ...seal?.columns,
  status: trace.status,
  record: trace.record,
  leaf_hash: trace.leaf_hash,
  link: trace.link,
  seal_record: seal?.record ?? null,
  root_hash: seal?.root_hash ?? null,
  archived_at: trace.archived_at,
  erased_at: trace.erased_at,
});

const stepRow = ({ columns, record, leaf_hash, link, erased_at }: StoredStep): JsonObject => ({
  ...columns,
  record,
  leaf_hash,
  link,
  erased_at,
});

const stepPayloads = ({ columns, payloads }: StoredStep): ReadonlyArray<JsonObject> =>
  shown(`step ${columns["step_index"]}`, payloads);

/** Payloads that are there, as `{of, name, value}`; a text that is not canonical JSON any more as `{of, name, text}`. */
const shown = (
  of: string,
  payloads: Readonly<Record<string, StoredPayload>>,
): ReadonlyArray<JsonObject> =>
  Object.entries(payloads).flatMap(([name, { text }]) => {
    if (text === null) return [];
    const value = parseCanonical(text);
    return [value === undefined ? { of, name, text } : { of, name, value }];
  });

const whereOf = ({ run_id }: RunReference): string => `run ${run_id}`;

/** The seal of a run that a bundle may be made of. */
const sealOf = ({ seal }: StoredRun, asked: RunReference) =>
  seal === null
    ? Effect.fail(
        new InvalidInput({
          what: REASON_OPEN,
          where: whereOf(asked),
          remedy:
            "Wait until the run ends; one whose process died is aborted when its lease is over.",
        }),
      )
    : Effect.succeed(seal);

/** Fails where a run's own rows contradict it: no bundle is made of it. */
const refuseFailed = (
  { verification_status, failure_reason }: StoredRunVerdict,
  asked: RunReference,
): Effect.Effect<void, StoredDataUnreadable> =>
  verification_status === "FAILED"
    ? Effect.fail(
        new StoredDataUnreadable({
          where: whereOf(asked),
          what: failure_reason ?? "it does not verify",
        }),
      )
    : Effect.void;

const refuseOther = (run: StoredRun, asked: RunReference) =>
  saysAnotherRun(run, asked)
    ? Effect.fail(new StoredDataUnreadable({ where: whereOf(asked), what: ANOTHER_RUN }))
    : Effect.void;

/** What keeps a bundle from being made of a run. */
const unmakeable = (asked: RunReference) => (refusal: Refusal) =>
  refusal instanceof BundleTooLarge
    ? new InvalidInput({ what: refusal.what, where: whereOf(asked), remedy: refusal.remedy })
    : new StoredDataUnreadable({ where: whereOf(asked), what: refusal.message });

/** Whoever gets a bundle must not be the first to see that it does not hold. */
const wouldFail = (asked: RunReference, reason: string | null) =>
  new StoredDataUnreadable({
    where: whereOf(asked),
    what: `its bundle would not verify: ${reason}`,
  });

const writeBundle =
  (logs: Logs) =>
  <E, R>(
    { tenant_id, run_id }: RunReference,
    write: (piece: string) => Effect.Effect<void, E, R>,
  ): Effect.Effect<WrittenBundle, E | BundleError, R | LogCoordinator> =>
    Effect.gen(function* () {
      const asked = { tenant_id, run_id };
      const put = (make: () => string) =>
        Effect.flatMap(Effect.mapError(refusable(make), unmakeable(asked)), write);
      const rows = yield* logs.read(asked, (run) =>
        Effect.gen(function* () {
          const seal = yield* sealOf(run, asked);
          yield* refuseOther(run, asked);
          const writer = new BundleWriter({ trace: run.trace, seal });
          yield* put(() => writer.head());
          const verdict = yield* verdictOn(run, "HASH_CHAIN", (steps) =>
            put(() => steps.map(({ record }) => writer.record(record)).join("")),
          );
          yield* refuseFailed(verdict, asked);
          yield* put(() => writer.middle());
          yield* run.forEachStepPage((steps) =>
            put(() => steps.map(({ payloads }) => writer.disclosures(payloads)).join("")),
          );
          return { writer, verdict, logged: loggedOf(run, seal) };
        }),
      );
      // Outside the snapshot: where no checkpoint covers the run yet, one is signed and stored.
      const { writer, verdict, logged } = rows;
      const { log, note } = yield* bundleProofs(logged);
      const { failure_reason } = verifyLogProofs(log, logged);
      if (failure_reason !== null) return yield* wouldFail(asked, failure_reason);
      const { chain_length, root_hash, merkle_root } = verdict;
      yield* put(() =>
        writer.tail({ chain_length, root_hash: root_hash!, merkle_root: merkle_root! }, log),
      );
      return { trace_id: logged.trace_id, notes: note === null ? [] : [note] };
    });

const getBundle = (logs: Logs) =>
  Effect.fn("RunProofCoordinator.getBundle")(function* (reference: RunReference) {
    const pieces: Array<string> = [];
    const written = yield* writeBundle(logs)(reference, (piece) =>
      Effect.sync(() => pieces.push(piece)),
    );
    return { ...written, text: pieces.join("") } satisfies BundleFile;
  });

/**
 * The rows of a step's bundle by the few hashes that are stored for its path: null where they do not lead to the sealed
 * root, or the step is not there. What is wrong then shows in the whole run.
 */
const stepByPath = Effect.fnUntraced(function* (
  run: StoredRun,
  seal: StoredSeal,
  step_index: number,
): Effect.fn.Return<StepBundleSource | null, DatabaseError> {
  const size = Number(seal.columns["step_count"]) + 1;
  if (!Number.isSafeInteger(size) || step_index + 1 >= size) return null;
  const step = yield* run.readStep(step_index);
  if (step === null) return null;
  const plans = { trace: planInclusion(0, size), step: planInclusion(step_index + 1, size) };
  const nodes = [...plans.trace.nodes, ...plans.step.nodes];
  const hashes = yield* run.readSubtrees(nodes);
  if (!hashes.every(isHashHex)) return null;
  const split = plans.trace.nodes.length;
  const paths = {
    trace: plans.trace.build(hashes.slice(0, split)),
    step: plans.step.build(hashes.slice(split)),
  };
  const source = { trace: run.trace, step, seal, paths };
  return yield* refusable(() => makeStepBundle(source)).pipe(
    Effect.match({ onSuccess: () => source, onFailure: () => null }),
  );
});

/** The same from all rows of the run, which must verify. */
const stepByRun = Effect.fnUntraced(function* (
  run: StoredRun,
  seal: StoredSeal,
  step_index: number,
  asked: RunReference,
): Effect.fn.Return<StepBundleSource, DatabaseError | StoredDataUnreadable | InvalidInput> {
  const leaf_hashes = [run.trace.leaf_hash];
  let step: StoredStep | undefined;
  const verdict = yield* verdictOn(run, "HASH_CHAIN", (steps) =>
    Effect.sync(() => {
      step ??= steps[step_index - (leaf_hashes.length - 1)];
      for (const { leaf_hash } of steps) leaf_hashes.push(leaf_hash);
    }),
  );
  yield* refuseFailed(verdict, asked);
  if (step === undefined) {
    return yield* new InvalidInput({
      what: `there is no step ${step_index}: the run has ${leaf_hashes.length - 1}, counted from 0`,
      where: whereOf(asked),
      remedy: "Name one of its steps; `runproof traces show` lists them.",
    });
  }
  return { trace: run.trace, step, seal, paths: stepPaths(leaf_hashes, step_index) };
});

const getStepBundle = (logs: Logs) =>
  Effect.fn("RunProofCoordinator.getStepBundle")(function* ({
    step_index,
    ...asked
  }: RunReference & { readonly step_index: number }) {
    const { source, logged } = yield* logs.read(asked, (run) =>
      Effect.gen(function* () {
        const seal = yield* sealOf(run, asked);
        yield* refuseOther(run, asked);
        const found = yield* stepByPath(run, seal, step_index);
        const source = found ?? (yield* stepByRun(run, seal, step_index, asked));
        return { source, logged: loggedOf(run, seal) };
      }),
    );
    const { log, note } = yield* bundleProofs(logged);
    const text = yield* refusable(() =>
      bundleText(
        makeStepBundle(source, {
          // The plan names every step, and the seal's metadata may too.
          ...(log === null ? {} : { log }),
          discloses: (of) => typeof of === "number",
        }),
      ),
    ).pipe(Effect.mapError(unmakeable(asked)));
    const { integrity } = verifyBundle(text);
    if (integrity.verification_status === "FAILED")
      return yield* wouldFail(asked, integrity.failure_reason);
    const { trace_id } = logged;
    return { trace_id, text, notes: note === null ? [] : [note] } satisfies BundleFile;
  });

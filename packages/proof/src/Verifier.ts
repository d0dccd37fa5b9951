/** Verifies bundles offline. Trust comes from the caller only: a bundle never brings a key. */
import { BUNDLE_FORMAT, type LogProofs, STEP_BUNDLE_FORMAT } from "@runproof/schemas/Bundle";
import type { Finding } from "@runproof/schemas/Finding";
import {
  type Assurance,
  type IntegrityModel,
  type RunProofResult,
  type VerificationStatus,
} from "@runproof/schemas/RunProofResult";
import {
  type Lifecycle,
  lifecycleOf,
  SEAL_PAYLOAD_NAMES,
  type SealRecord,
} from "@runproof/schemas/SealRecord";
import { intentFault, STEP_PAYLOAD_NAMES, type StepRecord } from "@runproof/schemas/StepRecord";
import { type Capture, TRACE_PAYLOAD_NAMES } from "@runproof/schemas/TraceRecord";
import {
  canonicalize,
  DEPTH_MAX,
  type JsonObject,
  PARSED_LIMITS,
  TEXT_BYTES_MAX,
} from "./CanonicalJson.ts";
import { firstLink, leafHash, nextLink, rootHash } from "./Chain.ts";
import { BundleUnreadable, BundleValue } from "./internal/BundleReader.ts";
import { checkPayloads, type RowName } from "./internal/checkRow.ts";
import { plainText } from "./internal/plainText.ts";
import { failureReason, FindingList } from "./internal/FindingList.ts";
import { checkLog, type LogVerdict } from "./internal/LogCheck.ts";
import {
  readSealRecord,
  readStepRecord,
  readTraceRecord,
  type RecordReader,
} from "./internal/RecordReader.ts";
import { parseJson } from "./JsonText.ts";
import { verifyInclusion } from "./MerkleTree.ts";
import { parseVerifierKey, type VerifierKey } from "./NoteKey.ts";
import { Refusal } from "./Refusal.ts";
import { type StoredPayload, StoredRunVerifier } from "./StoredRun.ts";
import { timestampNow } from "./Timestamp.ts";

export { BundleUnreadable };

/** What the verifier is told from outside the bundle. */
export interface VerifyOptions {
  /**
   * Verifier keys, `name+hash+base64`, of which one must have signed the log's checkpoints. Given, even an empty list,
   * the level SIGNED is demanded, and a bundle that does not reach it is FAILED.
   */
  readonly trusted_keys?: ReadonlyArray<string>;
  /** The run's root as it is known from elsewhere; one that differs makes the bundle FAILED. */
  readonly root_hash?: string;
  /** The model that a run's bundle must state; HASH_CHAIN where it is left out. */
  readonly model?: Exclude<IntegrityModel, "NONE">;
}

const REASON_NO_LOG =
  "Nothing in the bundle holds the seal: give the run's root_hash, or a bundle with proofs from a log";
const REASON_NO_KEY =
  "The bundle has proofs from a log, and no trusted key was given: give the log's verifier key (--vkey), or the run's root_hash";

/** A record of a bundle: what it says, and the canonical text of it. */
interface BundledRecord {
  readonly object: JsonObject;
  readonly text: string;
}

type Payloads<Name extends string> = Readonly<Record<Name, StoredPayload>>;

const canonicalOr = (value: unknown, otherwise: string): string => {
  try {
    // What is as large as a payload may be at all is measured.
    const quick = plainText(value, DEPTH_MAX, "keep");
    return quick !== undefined && quick.length * 3 <= TEXT_BYTES_MAX
      ? quick
      : canonicalize(value, PARSED_LIMITS);
  } catch (error) {
    if (error instanceof Refusal) return otherwise;
    throw error;
  }
};

const recordOf = (value: BundleValue): BundledRecord => {
  const object = value.object();
  // What is deeper or larger than any record may be has a text that is none.
  return { object, text: canonicalOr(object, "") };
};

/** The payloads that are disclosed; a name that the record does not have is refused. */
const payloadsOf = <Name extends string>(
  value: BundleValue,
  names: ReadonlyArray<Name>,
): Payloads<Name> => {
  const disclosures = value.members([], names);
  const payloadOf = (name: Name): StoredPayload => {
    const disclosure = disclosures[name];
    if (disclosure.value === undefined) return { salt: null, text: null };
    const [salt, disclosed, ...more] = disclosure.items();
    if (salt === undefined || disclosed === undefined || more.length > 0) {
      return disclosure.refuse("must be an array of a salt and a value");
    }
    return { salt: salt.string(), text: canonicalOr(disclosed.value, "") };
  };
  return Object.fromEntries(names.map((name) => [name, payloadOf(name)])) as Payloads<Name>;
};

const logOf = (value: BundleValue): LogProofs | null => {
  if (value.value === null) return null;
  const { opened, sealed } = value.members(["opened", "sealed"]);
  return { opened: opened.string(), sealed: sealed.string() };
};

const columnsOf = (object: JsonObject, without: ReadonlyArray<string>): JsonObject =>
  Object.fromEntries(Object.entries(object).filter(([key]) => !without.includes(key)));

const disclosed = (of: string, payloads: Payloads<string>): ReadonlyArray<JsonObject> =>
  Object.entries(payloads).flatMap(([name, { text }]) =>
    text === null || text === "" ? [] : [{ of, name, value: parseJson(text) }],
  );

/** What a check of a bundle came to. */
interface Outcome {
  readonly integrity: Pick<RunProofResult["integrity"], "model" | "root_hash" | "chain_length">;
  /** VERIFIED unless something else was found, here or later. */
  readonly status: VerificationStatus;
  /** Why the bundle is UNSUPPORTED where nothing speaks against it. */
  readonly unsupported: string | null;
  readonly findings: ReadonlyArray<Finding>;
  readonly findings_omitted: number;
  readonly log: LogVerdict;
  readonly lifecycle: Lifecycle | null;
  readonly capture: Capture | null;
  readonly legacy_root_hash: string | null;
  readonly rows: Pick<RunProofResult, "aos_traces" | "aos_trace_steps" | "raw_logs">;
  readonly run_id: unknown;
}

const resultOf = (outcome: Outcome): RunProofResult => {
  const failure = failureReason(outcome.findings, outcome.findings_omitted, outcome.lifecycle);
  const isFailed = failure !== null || outcome.status === "FAILED";
  const verification_status = isFailed ? "FAILED" : outcome.status;
  const level: Assurance = outcome.log.isSigned ? "SIGNED" : "SELF";
  const omitted = outcome.findings_omitted;
  return {
    run_id: typeof outcome.run_id === "string" ? outcome.run_id : "",
    integrity: {
      ...outcome.integrity,
      verification_status,
      failure_reason: failure ?? outcome.unsupported,
    },
    ...outcome.rows,
    verified_at: timestampNow(),
    lifecycle: outcome.lifecycle,
    capture: outcome.capture,
    assurance: verification_status === "VERIFIED" ? level : null,
    findings: outcome.findings,
    legacy_root_hash: outcome.legacy_root_hash,
    notes: [
      ...outcome.log.notes,
      ...(omitted > 0 ? [`${omitted} more findings are not listed.`] : []),
    ],
  };
};

const traceRow = (trace: BundledRecord, seal: BundledRecord | null, root: string | null) => ({
  ...columnsOf(trace.object, ["type"]),
  ...(seal === null ? {} : columnsOf(seal.object, ["type", "trace_id"])),
  record: trace.text,
  leaf_hash: leafHash(trace.text),
  link: firstLink(leafHash(trace.text)),
  seal_record: seal?.text ?? null,
  root_hash: root,
});

const checkKnownRoot = (findings: FindingList, root: string | null, known: string | undefined) => {
  if (known !== undefined && known !== root) {
    findings.add(
      "SEAL_MISMATCH",
      null,
      `the bundle: its root is ${root}, and not ${known} as given`,
    );
  }
};

/** Feeds the records of a bundle to the verifier of stored runs, as the rows of an honest store would be. */
const verdictOnRecords = (
  bundle: Readonly<Record<"trace" | "steps" | "seal" | "disclosures" | "integrity", BundleValue>>,
) => {
  const trace = recordOf(bundle.trace);
  const steps = bundle.steps.items().map(recordOf);
  const seal = bundle.seal.isAbsent ? null : recordOf(bundle.seal);
  const of = bundle.disclosures.members(["trace", "steps", "seal"]);
  const payloads = {
    trace: payloadsOf(of.trace, TRACE_PAYLOAD_NAMES),
    steps: of.steps.items().map((step) => payloadsOf(step, STEP_PAYLOAD_NAMES)),
    seal: payloadsOf(of.seal, SEAL_PAYLOAD_NAMES),
  };
  let leaf_hash = leafHash(trace.text);
  let link = firstLink(leaf_hash);
  const status = seal === null ? "running" : (seal.object["status"] as string);
  const verifier = new StoredRunVerifier(
    {
      record: trace.text,
      leaf_hash,
      link,
      status,
      columns: columnsOf(trace.object, ["type"]) as never,
      payloads: payloads.trace,
      erased_at: null,
      archived_at: null,
    },
    { may_withhold: true },
  );
  const { run_id, tenant_id } = trace.object;
  const rows = steps.map(({ object, text }, index) => {
    leaf_hash = leafHash(text);
    link = nextLink(link, leaf_hash);
    const columns = { ...columnsOf(object, ["type"]), run_id, tenant_id } as never;
    const none = payloadsOf(new BundleValue({}), STEP_PAYLOAD_NAMES);
    const held = payloads.steps[index] ?? none;
    verifier.addStep({ record: text, leaf_hash, link, columns, payloads: held, erased_at: null });
    return { ...(columns as JsonObject), record: text, leaf_hash, link };
  });
  const verdict = verifier.finish(
    seal === null
      ? null
      : {
          record: seal.text,
          root_hash: bundle.integrity.members(INTEGRITY_KEYS).root_hash.string(),
          columns: columnsOf(seal.object, ["type", "trace_id"]) as never,
          payloads: payloads.seal,
        },
  );
  return { trace, steps, seal, payloads, rows, verdict };
};

const INTEGRITY_KEYS = ["model", "chain_length", "root_hash", "merkle_root"] as const;

const verifyRun = (
  root: BundleValue,
  options: VerifyOptions,
  trusted: ReadonlyArray<VerifierKey> | null,
): RunProofResult => {
  const bundle = root.members(
    ["format", "trace", "steps", "disclosures", "integrity", "log"],
    ["seal"],
  );
  const integrity = bundle.integrity.members(INTEGRITY_KEYS);
  const model = integrity.model.oneOf(["HASH_CHAIN", "MERKLE_TREE"]);
  const stated = {
    chain_length: integrity.chain_length.number(),
    merkle_root: integrity.merkle_root.string(),
  };
  const log = logOf(bundle.log);
  const { trace, steps, seal, payloads, rows, verdict } = verdictOnRecords(bundle);

  const findings = new FindingList();
  for (const key of ["chain_length", "merkle_root"] as const) {
    if (stated[key] === verdict[key]) continue;
    findings.add(
      "SEAL_MISMATCH",
      null,
      `the bundle: it states a ${key} that is not the recomputed one`,
    );
  }
  if (payloads.steps.length !== steps.length) {
    const what = `it discloses payloads of ${payloads.steps.length} steps, and holds ${steps.length}`;
    findings.add("PAYLOAD_MISMATCH", null, `the bundle: ${what}`);
  }
  checkKnownRoot(findings, verdict.root_hash, options.root_hash);
  const digests = { opened: verdict.first_link!, sealed: verdict.root_hash ?? "" };
  const logVerdict =
    seal === null ? { isSigned: false, notes: [] } : checkLog(findings, log, digests, trusted);
  const wanted = options.model ?? "HASH_CHAIN";
  const isOtherModel = model !== wanted;
  return resultOf({
    integrity: { model, root_hash: verdict.root_hash, chain_length: verdict.chain_length },
    status:
      isOtherModel && verdict.verification_status === "VERIFIED"
        ? "UNSUPPORTED"
        : verdict.verification_status,
    unsupported: isOtherModel
      ? `The bundle states the model ${model}, and ${wanted} was asked for`
      : verdict.failure_reason,
    findings: [...verdict.findings, ...findings.kept],
    findings_omitted: verdict.findings_omitted,
    log: logVerdict,
    lifecycle: verdict.lifecycle,
    capture: verdict.capture,
    legacy_root_hash: verdict.legacy_root_hash,
    rows: {
      aos_traces: [traceRow(trace, seal, verdict.root_hash)],
      aos_trace_steps: rows,
      raw_logs: [
        ...disclosed("trace", payloads.trace),
        ...payloads.steps.flatMap((step, index) => disclosed(`step ${index}`, step)),
        ...disclosed("seal", payloads.seal),
      ],
    },
    run_id: trace.object["run_id"],
  });
};

const STEP_BUNDLE_KEYS = [
  "format",
  "trace",
  "step",
  "seal",
  "disclosures",
  "inclusion",
  "log",
] as const;

/** Reads a record of a bundle; finds what it is if it is not one of that kind and trace. */
const readRecord = <Record extends { readonly trace_id: string }>(
  findings: FindingList,
  row: RowName,
  read: RecordReader<Record>,
  { text }: BundledRecord,
  trace_id: unknown,
): Record | null => {
  const { record, fault, what } = read(text);
  const isOther = record !== null && record.trace_id !== trace_id;
  if (isOther)
    findings.add("FOREIGN_RECORD", row.step_index, `${row.name}: the record is another trace's`);
  else if (record === null) {
    const code = fault === "type" ? "FOREIGN_RECORD" : "NOT_CANONICAL";
    findings.add(
      code,
      row.step_index,
      `${row.name}: the record is not as the format says: ${what}`,
    );
  }
  return isOther ? null : record;
};

/** Finds a record that is not at its place in the seal's tree. */
const checkInclusion = (
  findings: FindingList,
  row: RowName,
  inclusion: BundleValue,
  record: BundledRecord,
  seal: SealRecord,
  leaf: number,
): void => {
  const place = inclusion.members(["leaf", "size", "path"]);
  const proof = {
    leaf_hash: leafHash(record.text),
    index: place.leaf.number(),
    size: place.size.number(),
    path: place.path.items().map((hash) => hash.string()),
    root: seal.merkle_root,
  };
  if (proof.index !== leaf || proof.size !== seal.step_count + 1) {
    const what = `it is placed as leaf ${proof.index} of ${proof.size}, and must be ${leaf} of ${seal.step_count + 1}`;
    findings.add("SEAL_MISMATCH", row.step_index, `${row.name}: ${what}`);
  } else if (!verifyInclusion(proof)) {
    findings.add(
      "CONTENT_MISMATCH",
      row.step_index,
      `${row.name}: the record is not in the seal's tree`,
    );
  }
};

const TRACE_ROW: RowName = { name: "the trace", step_index: null };
const SEAL_ROW: RowName = { name: "the seal", step_index: null };

/** A step's bundle states how many steps the run has, and shows one. */
const shownNotes = (step: StepRecord | null, seal: SealRecord | null): ReadonlyArray<string> =>
  step === null || seal === null || seal.step_count < 2
    ? []
    : [
        `Of the run's ${seal.step_count} steps, numbered from 0, only step ${step.step_index} is shown: the verdict says nothing of the others.`,
      ];

const verifyStep = (
  root: BundleValue,
  options: VerifyOptions,
  trusted: ReadonlyArray<VerifierKey> | null,
): RunProofResult => {
  const bundle = root.members(STEP_BUNDLE_KEYS);
  const of = bundle.disclosures.members(["trace", "step", "seal"]);
  const inclusion = bundle.inclusion.members(["trace", "step"]);
  const log = logOf(bundle.log);
  const texts = {
    trace: recordOf(bundle.trace),
    step: recordOf(bundle.step),
    seal: recordOf(bundle.seal),
  };
  const payloads = {
    trace: payloadsOf(of.trace, TRACE_PAYLOAD_NAMES),
    step: payloadsOf(of.step, STEP_PAYLOAD_NAMES),
    seal: payloadsOf(of.seal, SEAL_PAYLOAD_NAMES),
  };
  const { trace_id, run_id } = texts.trace.object;
  const index = texts.step.object["step_index"];
  const stepRow: RowName = Number.isSafeInteger(index)
    ? { name: `step ${Number(index)}`, step_index: Number(index) }
    : { name: "the step", step_index: null };

  const findings = new FindingList();
  const trace = readRecord(findings, TRACE_ROW, readTraceRecord, texts.trace, trace_id);
  const step = readRecord(findings, stepRow, readStepRecord, texts.step, trace_id);
  const seal = readRecord(findings, SEAL_ROW, readSealRecord, texts.seal, trace_id);
  const held = (of: Payloads<string>) => ({
    payloads: of,
    isErasureRecorded: () => false,
    may_withhold: true,
  });
  if (trace !== null) {
    checkPayloads(findings, TRACE_ROW, trace, TRACE_PAYLOAD_NAMES, held(payloads.trace));
  }
  if (step !== null) {
    const fault = trace === null ? null : intentFault(step, trace.capture);
    if (fault !== null)
      findings.add("INTENT_MISMATCH", stepRow.step_index, `${stepRow.name}: ${fault}`);
    checkPayloads(findings, stepRow, step, STEP_PAYLOAD_NAMES, held(payloads.step));
  }
  if (seal !== null) {
    checkPayloads(findings, SEAL_ROW, seal, SEAL_PAYLOAD_NAMES, held(payloads.seal));
    checkInclusion(findings, TRACE_ROW, inclusion.trace, texts.trace, seal, 0);
    if (step !== null) {
      checkInclusion(findings, stepRow, inclusion.step, texts.step, seal, step.step_index + 1);
    }
  }
  const root_hash = seal === null ? null : rootHash(seal.chain_head, texts.seal.text);
  checkKnownRoot(findings, root_hash, options.root_hash);
  const digests = { opened: firstLink(leafHash(texts.trace.text)), sealed: root_hash ?? "" };
  const logVerdict =
    seal === null ? { isSigned: false, notes: [] } : checkLog(findings, log, digests, trusted);
  // The seal's other fields, its chain head too, are compared with nothing but the root: one that is known from outside,
  // or that a trusted key signed. Anybody can make a log.
  const isBound = (log !== null && trusted !== null) || options.root_hash !== undefined;
  return resultOf({
    integrity: { model: "MERKLE_TREE", root_hash, chain_length: seal?.step_count ?? 0 },
    status: isBound ? "VERIFIED" : "UNSUPPORTED",
    unsupported: isBound ? null : log === null ? REASON_NO_LOG : REASON_NO_KEY,
    findings: findings.kept,
    findings_omitted: findings.omittedCount,
    log: { ...logVerdict, notes: [...shownNotes(step, seal), ...logVerdict.notes] },
    lifecycle: seal === null ? null : lifecycleOf(seal.status),
    capture: trace?.capture ?? null,
    legacy_root_hash: null,
    rows: {
      aos_traces: [traceRow(texts.trace, texts.seal, root_hash)],
      aos_trace_steps: [
        {
          ...columnsOf(texts.step.object, ["type"]),
          record: texts.step.text,
          leaf_hash: leafHash(texts.step.text),
        },
      ],
      raw_logs: [
        ...disclosed("trace", payloads.trace),
        ...disclosed(stepRow.name, payloads.step),
        ...disclosed("seal", payloads.seal),
      ],
    },
    run_id,
  });
};

const FORMATS = [BUNDLE_FORMAT, STEP_BUNDLE_FORMAT] as const;

/**
 * Verifies a bundle of a run or of one step, by its values: white space, the order of keys, and the spelling of strings
 * and numbers may be any tool's. Throws `BundleUnreadable` for what is no bundle, and
 * `KeyInvalid` for a trusted key that is none.
 */
export const verifyBundle = (text: string, options: VerifyOptions = {}): RunProofResult => {
  const trusted = options.trusted_keys?.map(parseVerifierKey) ?? null;
  const root = new BundleValue(readText(text));
  root.object();
  return root.at("format").oneOf(FORMATS) === BUNDLE_FORMAT
    ? verifyRun(root, options, trusted)
    : verifyStep(root, options, trusted);
};

/** What the log's proofs show of a run whose rows were verified: SIGNED, or what speaks against it. */
export interface LogProofsVerdict {
  readonly is_signed: boolean;
  /** Why the run is FAILED, if it is. */
  readonly failure_reason: string | null;
  readonly findings: ReadonlyArray<Finding>;
  readonly notes: ReadonlyArray<string>;
}

/**
 * Checks the proofs of a run's two log entries as `verifyBundle` does, for a run that is verified where it is stored.
 * `digests` are its C_0 and its root. Throws `KeyInvalid` for a trusted key that is none.
 */
export const verifyLogProofs = (
  log: LogProofs | null,
  digests: { readonly opened: string; readonly sealed: string },
  trusted_keys?: ReadonlyArray<string>,
): LogProofsVerdict => {
  const list = new FindingList();
  const trusted = trusted_keys?.map(parseVerifierKey) ?? null;
  const { isSigned, notes } = checkLog(list, log, digests, trusted);
  const failure_reason = failureReason(list.kept, list.omittedCount, null);
  return { is_signed: isSigned, failure_reason, findings: list.kept, notes };
};

const readText = (text: string) => {
  try {
    return parseJson(text);
  } catch (error) {
    if (error instanceof Refusal) throw new BundleUnreadable(error.path, error.what, error.remedy);
    throw error;
  }
};

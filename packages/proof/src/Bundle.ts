/** Makes bundles: one run, or one step of it, in a file that verifies with no database and no network. */
import {
  type Bundle,
  BUNDLE_FORMAT,
  type LogProofs,
  STEP_BUNDLE_FORMAT,
  type StepBundle,
} from "@runproof/schemas/Bundle";
import { SEAL_PAYLOAD_NAMES, type SealRecord } from "@runproof/schemas/SealRecord";
import { STEP_PAYLOAD_NAMES, type StepRecord } from "@runproof/schemas/StepRecord";
import { TRACE_PAYLOAD_NAMES, type TraceRecord } from "@runproof/schemas/TraceRecord";
import type { JsonValue } from "./CanonicalJson.ts";
import { RecordDigest } from "./internal/RecordDigest.ts";
import {
  type Reading,
  readSealRecord,
  readStepRecord,
  readTraceRecord,
} from "./internal/RecordReader.ts";
import { parseCanonical, TEXT_UNITS_MAX } from "./JsonText.ts";
import { leafHash } from "./Chain.ts";
import { inclusionPath, verifyInclusion } from "./MerkleTree.ts";
import { isSalt } from "./Payload.ts";
import { Refusal } from "./Refusal.ts";
import type { StoredPayload, StoredSeal, StoredStep, StoredTrace } from "./StoredRun.ts";

/** A run that no bundle can be made of. */
export class BundleUnmakeable extends Refusal {
  readonly _tag = "BundleUnmakeable";
}

/** A bundle that is longer than a reader takes: nothing is wrong with the run. */
export class BundleTooLarge extends Refusal {
  readonly _tag = "BundleTooLarge";
}

/** The rows of a run that a bundle is made of. */
export interface BundleSource {
  readonly trace: Pick<StoredTrace, "record" | "payloads">;
  readonly steps: ReadonlyArray<Pick<StoredStep, "record" | "payloads">>;
  readonly seal: Pick<StoredSeal, "record" | "payloads"> | null;
}

/** The rows that a bundle of one step is made of. */
export interface StepBundleSource {
  readonly trace: BundleSource["trace"];
  readonly step: BundleSource["steps"][number];
  readonly seal: BundleSource["seal"];
  readonly paths: StepPaths;
}

/** The inclusion paths that show a step in its run: the trace record's, leaf 0, and its own. */
export interface StepPaths {
  readonly trace: ReadonlyArray<string>;
  readonly step: ReadonlyArray<string>;
}

/** The paths of a step over the hashes of all records but the seal, E_0 … E_n. Throws `RangeError` where it is not among them. */
export const stepPaths = (leaf_hashes: ReadonlyArray<string>, step_index: number): StepPaths => ({
  trace: inclusionPath(leaf_hashes, 0),
  step: inclusionPath(leaf_hashes, step_index + 1),
});

export interface BundleOptions {
  /** The proofs of the run's two log entries; none where it is left out. */
  readonly log?: LogProofs;
  /** Which payloads to disclose, of those that are there; all where it is left out. */
  readonly discloses?: (of: "trace" | "seal" | number, payload_name: string) => boolean;
}

const VERIFY_REMEDY = "Verify the run where it is stored: that names what was changed.";

const recordOf = <Record>(name: string, { record, what }: Reading<Record>): Record => {
  if (record === null)
    throw new BundleUnmakeable(name, `the record can't be read: ${what}`, VERIFY_REMEDY);
  return record;
};

const sealOf = (seal: BundleSource["seal"]): NonNullable<BundleSource["seal"]> => {
  if (seal === null) {
    throw new BundleUnmakeable(
      "seal",
      "the trace is OPEN: it has no seal",
      "Wait until the run has ended.",
    );
  }
  return seal;
};

const disclosuresOf = <Name extends string>(
  of: "trace" | "seal" | number,
  names: ReadonlyArray<Name>,
  payloads: Readonly<Record<Name, StoredPayload>>,
  { discloses = () => true }: BundleOptions,
): { [key in Name]?: [string, JsonValue] } => {
  const disclosures: { [key in Name]?: [string, JsonValue] } = {};
  for (const name of names) {
    const { salt, text } = payloads[name];
    if (salt === null || text === null || !discloses(of, name)) continue;
    const value = parseCanonical(text);
    if (value === undefined || !isSalt(salt)) {
      const place = typeof of === "number" ? `step ${of}` : of;
      throw new BundleUnmakeable(`${place}: ${name}`, "the payload can't be read", VERIFY_REMEDY);
    }
    disclosures[name] = [salt, value];
  }
  return disclosures;
};

/**
 * Makes the bundle of a sealed run, with every payload that is there unless `discloses` withholds it. It says what is
 * stored and judges nothing: verify the run first. Throws `BundleUnmakeable` where there is no seal or a row can't be read.
 */
export const makeBundle = (run: BundleSource, options: BundleOptions = {}): Bundle => {
  const storedSeal = sealOf(run.seal);
  const trace: TraceRecord = recordOf("trace", readTraceRecord(run.trace.record));
  const seal: SealRecord = recordOf("seal", readSealRecord(storedSeal.record));
  const digest = new RecordDigest(run.trace.record, trace.run_id);
  const steps = run.steps.map(({ record }, index): StepRecord => {
    const step = recordOf(`step ${index}`, readStepRecord(record));
    digest.addStep(record, step);
    return step;
  });
  return {
    format: BUNDLE_FORMAT,
    trace,
    steps,
    seal,
    disclosures: {
      trace: disclosuresOf("trace", TRACE_PAYLOAD_NAMES, run.trace.payloads, options),
      steps: run.steps.map(({ payloads }, index) =>
        disclosuresOf(index, STEP_PAYLOAD_NAMES, payloads, options),
      ),
      seal: disclosuresOf("seal", SEAL_PAYLOAD_NAMES, storedSeal.payloads, options),
    },
    integrity: {
      // A bundle holds every record, so it is the chain that it shows, whatever model was asked for in the database.
      model: "HASH_CHAIN",
      chain_length: digest.stepCount,
      root_hash: digest.rootUnder(storedSeal.record)!,
      merkle_root: digest.merkleRoot!,
    },
    log: options.log ?? null,
  };
};

/** Makes the bundle of one step, with nothing of the others but hashes. Throws `BundleUnmakeable`. */
export const makeStepBundle = (run: StepBundleSource, options: BundleOptions = {}): StepBundle => {
  const storedSeal = sealOf(run.seal);
  const step = recordOf("step", readStepRecord(run.step.record));
  const seal = recordOf("seal", readSealRecord(storedSeal.record));
  const size = seal.step_count + 1;
  const leaf = step.step_index + 1;
  if (leaf >= size) {
    throw new BundleUnmakeable("step", `the run has no step ${step.step_index}`, VERIFY_REMEDY);
  }
  const demandPath = (name: "trace" | "step", record: string, index: number) => {
    const path = run.paths[name];
    const proof = { leaf_hash: leafHash(record), index, size, path, root: seal.merkle_root };
    if (!verifyInclusion(proof)) {
      throw new BundleUnmakeable(name, "its path does not lead to the sealed root", VERIFY_REMEDY);
    }
    return { leaf: index, size, path };
  };
  return {
    format: STEP_BUNDLE_FORMAT,
    trace: recordOf("trace", readTraceRecord(run.trace.record)),
    step,
    seal,
    disclosures: {
      trace: disclosuresOf("trace", TRACE_PAYLOAD_NAMES, run.trace.payloads, options),
      step: disclosuresOf(step.step_index, STEP_PAYLOAD_NAMES, run.step.payloads, options),
      seal: disclosuresOf("seal", SEAL_PAYLOAD_NAMES, storedSeal.payloads, options),
    },
    inclusion: {
      trace: demandPath("trace", run.trace.record, 0),
      step: demandPath("step", run.step.record, leaf),
    },
    log: options.log ?? null,
  };
};

const tooLarge = () =>
  new BundleTooLarge(
    "bundle",
    `the bundle is longer than ${TEXT_UNITS_MAX} UTF-16 units`,
    "Withhold payloads, or make bundles of single steps.",
  );

/** The text of a bundle, one step a line so that two bundles can be compared. Throws `BundleTooLarge`. */
export const bundleText = (bundle: Bundle | StepBundle): string => {
  const line = (value: unknown) => JSON.stringify(value);
  const lines = (values: ReadonlyArray<unknown>) =>
    values.length === 0
      ? "[]"
      : `[\n${values.map((value) => `    ${line(value)}`).join(",\n")}\n  ]`;
  const members = Object.entries(bundle).map(([key, value]: [string, unknown]) => {
    if (key === "steps") return `  "steps": ${lines(value as ReadonlyArray<unknown>)}`;
    return `  ${line(key)}: ${line(value)}`;
  });
  const text = `{\n${members.join(",\n")}\n}\n`;
  if (text.length > TEXT_UNITS_MAX) throw tooLarge();
  return text;
};

/**
 * Makes the same text of a run in pieces, with every payload that is there: `head`, each step's `record`, `middle`, each
 * step's `disclosures`, `tail`. It takes the stored texts as they are, so a run is verified first, and of its steps no more is
 * kept than the caller keeps. Throws `BundleTooLarge`.
 */
export class BundleWriter {
  readonly #run: Omit<BundleSource, "steps">;
  readonly #seal: NonNullable<BundleSource["seal"]>;
  #records = 0;
  #disclosures = 0;
  #units = 0;

  constructor(run: Omit<BundleSource, "steps">) {
    this.#run = run;
    this.#seal = sealOf(run.seal);
  }

  #piece(text: string): string {
    this.#units += text.length;
    if (this.#units > TEXT_UNITS_MAX) throw tooLarge();
    return text;
  }

  head(): string {
    const { record } = this.#run.trace;
    return this.#piece(`{\n  "format": "${BUNDLE_FORMAT}",\n  "trace": ${record},\n  "steps": [`);
  }

  record(record: string): string {
    this.#records += 1;
    return this.#piece(`${this.#records === 1 ? "\n" : ",\n"}    ${record}`);
  }

  middle(): string {
    const close = this.#records === 0 ? "]" : "\n  ]";
    const trace = disclosuresText(TRACE_PAYLOAD_NAMES, this.#run.trace.payloads);
    return this.#piece(
      `${close},\n  "seal": ${this.#seal.record},\n  "disclosures": {"trace":${trace},"steps":[`,
    );
  }

  disclosures(payloads: BundleSource["steps"][number]["payloads"]): string {
    this.#disclosures += 1;
    const text = disclosuresText(STEP_PAYLOAD_NAMES, payloads);
    return this.#piece(this.#disclosures === 1 ? text : `,${text}`);
  }

  tail(integrity: Omit<Bundle["integrity"], "model">, log: LogProofs | null): string {
    const seal = disclosuresText(SEAL_PAYLOAD_NAMES, this.#seal.payloads);
    const { chain_length, root_hash, merkle_root } = integrity;
    const shown = { model: "HASH_CHAIN", chain_length, root_hash, merkle_root };
    return this.#piece(
      `],"seal":${seal}},\n  "integrity": ${JSON.stringify(shown)},\n  "log": ${JSON.stringify(log)}\n}\n`,
    );
  }
}

const disclosuresText = <Name extends string>(
  names: ReadonlyArray<Name>,
  payloads: Readonly<Record<Name, StoredPayload>>,
): string => {
  const members = names.flatMap((name) => {
    const { salt, text } = payloads[name];
    return salt === null || text === null ? [] : [`"${name}":[${JSON.stringify(salt)},${text}]`];
  });
  return `{${members.join(",")}}`;
};

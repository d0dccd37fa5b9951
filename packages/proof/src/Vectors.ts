/** Checks this implementation against test vectors of the format: any that does not come out the same is a failure. */
import { canonicalize, PARSED_LIMITS } from "./CanonicalJson.ts";
import { firstLink, leafHash, nextLink, rootHash } from "./Chain.ts";
import { isCanonical } from "./JsonText.ts";
import { legacyRoot } from "./LegacyRoot.ts";
import { inclusionPath, merkleRoot, verifyInclusion } from "./MerkleTree.ts";
import { payloadCommitment } from "./Payload.ts";
import { verifyBundle } from "./Verifier.ts";

/** The format of a file of vectors. */
export const VECTORS_FORMAT = "runproof/vectors@v1";
/** The format of a file of cases of intents and outcomes. */
export const INTENT_CASES_FORMAT = "runproof/intent-cases@v1";

/** How many checks passed and failed, and which failed. */
export interface VectorsReport {
  readonly passed: number;
  readonly failed: number;
  readonly failures: ReadonlyArray<string>;
}

type Fields = Readonly<Record<string, unknown>>;
type Disclosures = Readonly<Record<string, readonly [salt: string, value: unknown]>>;

/** One run of the vectors: the input, and everything that must come out. */
interface TraceVector {
  readonly trace: Fields;
  readonly steps: ReadonlyArray<Fields>;
  readonly seal: Fields;
  readonly disclosures: {
    readonly trace: Disclosures;
    readonly steps: ReadonlyArray<Disclosures>;
    readonly seal: Disclosures;
  };
  readonly canonical: {
    readonly trace: string;
    readonly steps: ReadonlyArray<string>;
    readonly seal: string;
  };
  readonly expect: {
    readonly leaf_hashes: ReadonlyArray<string>;
    readonly links: ReadonlyArray<string>;
    readonly chain_head: string;
    readonly merkle_root: string;
    readonly root_hash: string;
  };
  readonly legacy_root: string;
  readonly inclusion: ReadonlyArray<{
    readonly leaf: number;
    readonly size: number;
    readonly path: ReadonlyArray<string>;
  }>;
}

type Check = readonly [name: string, holds: () => boolean];

const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

const linksOf = (leaves: ReadonlyArray<string>): ReadonlyArray<string> => {
  const links: Array<string> = [];
  for (const leaf of leaves) {
    const previous = links.at(-1);
    links.push(previous === undefined ? firstLink(leaf) : nextLink(previous, leaf));
  }
  return links;
};

const commitmentChecks = (place: string, record: Fields, disclosures: Disclosures) =>
  Object.entries(disclosures).map(([name, [salt, value]]): Check => [
    `${place}: commitment ${name}`,
    () => payloadCommitment(name, salt, canonicalize(value, PARSED_LIMITS)) === record[name],
  ]);

const bundleTextOf = ({ trace, steps, seal, disclosures, expect }: TraceVector): string =>
  JSON.stringify({
    format: "runproof/bundle@v1",
    trace,
    steps,
    seal,
    disclosures,
    integrity: {
      model: "HASH_CHAIN",
      chain_length: steps.length,
      root_hash: expect.root_hash,
      merkle_root: expect.merkle_root,
    },
    log: null,
  });

const checksOf = (vector: TraceVector): ReadonlyArray<Check> => {
  const { trace, steps, seal, disclosures, canonical, expect } = vector;
  const leaves = () => [trace, ...steps].map((record) => leafHash(canonicalize(record)));
  return [
    ["canonical trace", () => canonicalize(trace) === canonical.trace],
    [
      "canonical steps",
      () =>
        isSame(
          steps.map((step) => canonicalize(step)),
          canonical.steps,
        ),
    ],
    ["canonical seal", () => canonicalize(seal) === canonical.seal],
    [
      "canonical form of itself",
      () =>
        [canonical.trace, ...canonical.steps, canonical.seal].every((text) => isCanonical(text)),
    ],
    ["leaf hashes", () => isSame(leaves(), expect.leaf_hashes)],
    ["links", () => isSame(linksOf(leaves()), expect.links)],
    ["chain head", () => linksOf(leaves()).at(-1) === expect.chain_head],
    ["merkle root", () => merkleRoot(leaves()) === expect.merkle_root],
    ["root", () => rootHash(expect.chain_head, canonicalize(seal)) === expect.root_hash],
    [
      "legacy root",
      () => legacyRoot(trace["run_id"] as string, steps as never) === vector.legacy_root,
    ],
    ...commitmentChecks("trace", trace, disclosures.trace),
    ...steps.flatMap((step, index) =>
      commitmentChecks(`step ${index}`, step, disclosures.steps[index]!),
    ),
    ...commitmentChecks("seal", seal, disclosures.seal),
    ...vector.inclusion.flatMap(({ leaf, size, path }): ReadonlyArray<Check> => {
      const proof = { leaf_hash: expect.leaf_hashes[leaf]!, index: leaf, size, path };
      return [
        [`inclusion path of leaf ${leaf}`, () => isSame(inclusionPath(leaves(), leaf), path)],
        [
          `inclusion of leaf ${leaf}`,
          () => verifyInclusion({ ...proof, root: expect.merkle_root }),
        ],
      ];
    }),
    [
      "bundle",
      () => {
        const { integrity } = verifyBundle(bundleTextOf(vector));
        const status = steps.length === 0 ? "UNSUPPORTED" : "VERIFIED";
        return integrity.verification_status === status && integrity.root_hash === expect.root_hash;
      },
    ],
  ];
};

const namesOfFailed = (
  prefix: string,
  checks: () => ReadonlyArray<Check>,
): [number, Array<string>] => {
  const failures: Array<string> = [];
  let count = 0;
  try {
    for (const [name, holds] of checks()) {
      count += 1;
      if (!holds()) failures.push(`${prefix}: ${name}`);
    }
  } catch (error) {
    failures.push(
      `${prefix}: check ${count} stopped: ${error instanceof Error ? error.message : String(error)}`,
    );
    count = Math.max(count, 1);
  }
  return [count, failures];
};

/** A bundle about intents and outcomes, with the verdict and the finding that it must have. */
interface IntentCase {
  readonly name: string;
  readonly verification_status: string;
  /** A code; null where there must be no finding. */
  readonly finding: string | null;
  readonly bundle: unknown;
}

const intentChecksOf = ({
  verification_status,
  finding,
  bundle,
}: IntentCase): ReadonlyArray<Check> => {
  const result = verifyBundle(JSON.stringify(bundle));
  return [
    ["verdict", () => result.integrity.verification_status === verification_status],
    [
      "finding",
      () =>
        finding === null
          ? result.findings.length === 0
          : result.findings.some(({ code }) => code === finding),
    ],
  ];
};

const isFilled = (value: unknown): value is ReadonlyArray<unknown> =>
  Array.isArray(value) && value.length > 0;

/**
 * Checks vectors as they are read from their file: whole traces, or cases of intents and outcomes. Vectors that can't be
 * read, or are none, are a failure.
 */
export const checkVectors = (vectors: unknown): VectorsReport => {
  const { format, traces, cases } = (vectors ?? {}) as Readonly<Record<string, unknown>>;
  const checks: ReadonlyArray<readonly [string, () => ReadonlyArray<Check>]> =
    format === VECTORS_FORMAT && isFilled(traces)
      ? traces.map((vector, index) => [`trace ${index}`, () => checksOf(vector as TraceVector)])
      : format === INTENT_CASES_FORMAT && isFilled(cases)
        ? cases.map((each, index) => [`case ${index}`, () => intentChecksOf(each as IntentCase)])
        : [];
  if (checks.length === 0) {
    const formats = `${VECTORS_FORMAT} or ${INTENT_CASES_FORMAT}`;
    return { passed: 0, failed: 1, failures: [`no vectors of the format ${formats}`] };
  }
  let passed = 0;
  const failures: Array<string> = [];
  for (const [prefix, checksOfOne] of checks) {
    const [count, failed] = namesOfFailed(prefix, checksOfOne);
    passed += count - failed.length;
    failures.push(...failed);
  }
  return { passed, failed: failures.length, failures };
};

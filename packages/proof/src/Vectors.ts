/** Checks this implementation against test vectors of the format: any that does not come out the same is a failure. */
import { canonicalize, isCanonical, PARSED_LIMITS } from "./CanonicalJson.ts";
import { firstLink, leafHash, nextLink, rootHash } from "./Chain.ts";
import { legacyRoot } from "./LegacyRoot.ts";
import { inclusionPath, merkleRoot, verifyInclusion } from "./MerkleTree.ts";
import { payloadCommitment } from "./Payload.ts";
import { verifyBundle } from "./Verifier.ts";

/** The format of a file of vectors. */
export const VECTORS_FORMAT = "runproof/vectors@v1";

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

/** Checks vectors as they are read from their file. Vectors that can't be read, or are none, are a failure. */
export const checkVectors = (vectors: unknown): VectorsReport => {
  const file = (vectors ?? {}) as { readonly format?: unknown; readonly traces?: unknown };
  if (file.format !== VECTORS_FORMAT || !Array.isArray(file.traces) || file.traces.length === 0) {
    return { passed: 0, failed: 1, failures: [`no vectors of the format ${VECTORS_FORMAT}`] };
  }
  let passed = 0;
  const failures: Array<string> = [];
  file.traces.forEach((vector: TraceVector, index) => {
    const [count, failed] = namesOfFailed(`trace ${index}`, () => checksOf(vector));
    passed += count - failed.length;
    failures.push(...failed);
  });
  return { passed, failed: failures.length, failures };
};

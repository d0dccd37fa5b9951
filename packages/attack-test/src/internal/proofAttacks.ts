/** Attacks on what is verified without a database: bundles and proofs, and payloads that were erased. */
import { parseJson } from "@runproof/proof/JsonText";
import { canonicalize, type JsonObject } from "@runproof/proof/CanonicalJson";
import { makeBundle } from "@runproof/proof/Bundle";
import { parseCheckpoint, signCheckpoint } from "@runproof/proof/Checkpoint";
import { entryLeafHash, LogEntryKind } from "@runproof/proof/LogEntry";
import {
  consistencyPath,
  inclusionPath,
  merkleRoot,
  verifyConsistency,
  verifyInclusion,
} from "@runproof/proof/MerkleTree";
import { generateSignerKey, parseVerifierKey, type SignerKey } from "@runproof/proof/NoteKey";
import { isPayloadOf, makeSalt } from "@runproof/proof/Payload";
import { Refusal } from "@runproof/proof/Refusal";
import { NoteInvalid } from "@runproof/proof/SignedNote";
import { formatTlogProof, verifyTlogProof } from "@runproof/proof/TlogProof";
import { verifyBundle } from "@runproof/proof/Verifier";
import type { HonestDatabase, ProofAttack } from "./Attack.ts";
import { editRecord, reseal, type RunRows, text } from "./Forgery.ts";
import type { SeededRandom } from "./SeededRandom.ts";

const payloadOf = (row: JsonObject, name: string) => ({
  salt: (row[`${name}_salt`] ?? null) as string | null,
  text: (row[name] ?? null) as string | null,
});

/** A run's bundle with proofs of a log of just its two entries, signed by a key. */
const bundleSignedBy = (run: RunRows, keys: ReadonlyArray<SignerKey>): string => {
  const { trace, steps } = run;
  const leaves = [
    entryLeafHash({ kind: LogEntryKind.OPENED, digest: text(trace, "link") }),
    entryLeafHash({ kind: LogEntryKind.SEALED, digest: text(trace, "root_hash") }),
  ];
  const head = {
    origin: keys[0]!.verifier.name,
    tree_size: leaves.length,
    root_hash: merkleRoot(leaves),
  };
  const checkpoint = signCheckpoint(head, keys);
  const proof = (index: number) =>
    formatTlogProof({ index, path: inclusionPath(leaves, index), checkpoint });
  const bundle = makeBundle(
    {
      trace: {
        record: text(trace, "record"),
        payloads: { plan: payloadOf(trace, "plan"), attributes: payloadOf(trace, "attributes") },
      },
      steps: steps.map((step) => ({
        record: text(step, "record"),
        payloads: {
          params: payloadOf(step, "params"),
          outcome_data: payloadOf(step, "outcome_data"),
          attributes: payloadOf(step, "attributes"),
        },
      })),
      seal: {
        record: text(trace, "seal_record"),
        payloads: { metadata: payloadOf(trace, "metadata") },
      },
    },
    { log: { opened: proof(0), sealed: proof(1) } },
  );
  return JSON.stringify(bundle);
};

/** A run that never was so, with every hash in order. */
const forgedRun = ({ sealed }: HonestDatabase, random: SeededRandom): RunRows => {
  const run = random.pick(sealed);
  const index = random.below(run.steps.length);
  const step = run.steps[index]!;
  const edit = { skill_name: `forged ${random.below(1000)}` };
  const record = editRecord(text(step, "record"), edit);
  return reseal({ ...run, steps: run.steps.with(index, { ...step, ...edit, record }) });
};

/** What a bundle is found as by someone who trusts the log's key; null where it is VERIFIED. */
const verdictOn = (bundle: string, vkey: string): string | null => {
  try {
    const { integrity, findings } = verifyBundle(bundle, { trusted_keys: [vkey] });
    if (integrity.verification_status === "VERIFIED") return null;
    return [...new Set(findings.map(({ code }) => code))].join(", ");
  } catch (error) {
    if (error instanceof Refusal) return error.name;
    throw error;
  }
};

const ownKeys: ReadonlyArray<ProofAttack> = [
  {
    kind: "proof",
    row: 21,
    way: "its log is signed by a key of its own",
    expected: "KEY_UNTRUSTED",
    attempt: (target, random) => {
      const key = generateSignerKey("attacker.example/log");
      return verdictOn(bundleSignedBy(forgedRun(target, random), [key]), target.vkey);
    },
  },
  {
    kind: "proof",
    row: 21,
    way: "its log is signed by a key of the same name",
    expected: "KEY_UNTRUSTED",
    attempt: (target, random) => {
      const key = generateSignerKey(parseVerifierKey(target.vkey).name);
      return verdictOn(bundleSignedBy(forgedRun(target, random), [key]), target.vkey);
    },
  },
  {
    kind: "proof",
    row: 21,
    way: "it names a key of its own to trust",
    expected: "BundleUnreadable",
    attempt: (target, random) => {
      const key = generateSignerKey("attacker.example/log");
      const bundle = parseJson(bundleSignedBy(forgedRun(target, random), [key])) as JsonObject;
      const name = random.pick(["vkey", "trusted_keys", "key"]);
      return verdictOn(canonicalize({ ...bundle, [name]: key.verifier.text }), target.vkey);
    },
  },
];

const leavesOf = ({ rows }: HonestDatabase): ReadonlyArray<string> =>
  rows.aos_log_entries.map((entry) =>
    entryLeafHash({ kind: Number(entry["kind"]), digest: text(entry, "digest") }),
  );

const flip = (hash: string): string => `${hash[0] === "0" ? "1" : "0"}${hash.slice(1)}`;

/** Paths that are not the right one. */
const spoil = (
  path: ReadonlyArray<string>,
  random: SeededRandom,
  other: string,
): ReadonlyArray<string> =>
  random.pick([
    path.slice(0, -1),
    path.slice(1),
    [...path, other],
    [other, ...path],
    path.with(random.below(path.length), flip(random.pick(path))),
    [],
  ]);

const REFUSED = "refused";

const malformed: ReadonlyArray<ProofAttack> = [
  {
    kind: "proof",
    row: 22,
    way: "an inclusion proof that is short, long, or of another leaf",
    expected: REFUSED,
    attempt: (target, random) => {
      const leaves = leavesOf(target);
      const size = random.between(3, leaves.length);
      const index = random.below(size - 1);
      const [root, tree] = [merkleRoot(leaves.slice(0, size)), leaves.slice(0, size)];
      const path = inclusionPath(tree, index);
      const right = { leaf_hash: tree[index]!, index, size, path, root };
      if (!verifyInclusion(right)) throw new Error("the right proof is refused");
      const wrong = random.pick([
        { ...right, path: spoil(path, random, tree[0]!) },
        { ...right, index: size },
        { ...right, index: size + random.between(1, 1000) },
        { ...right, index: -1 },
        { ...right, index: (index + 1) % size },
        { ...right, size: 0 },
        { ...right, index: 0, size: 0, path: [] },
        { ...right, leaf_hash: flip(right.leaf_hash) },
      ]);
      return verifyInclusion(wrong) ? null : REFUSED;
    },
  },
  {
    kind: "proof",
    row: 22,
    way: "a consistency proof that is short, long, or from size 0",
    expected: REFUSED,
    attempt: (target, random) => {
      const leaves = leavesOf(target);
      const new_size = random.between(4, leaves.length);
      // Not a power of two: then the path holds the old root, too.
      const old_size = random.between(1, new_size - 1) | 1;
      const tree = leaves.slice(0, new_size);
      const path = consistencyPath(tree, old_size);
      const right = {
        old_size,
        new_size,
        old_root: merkleRoot(tree.slice(0, old_size)),
        new_root: merkleRoot(tree),
        path,
      };
      if (!verifyConsistency(right)) throw new Error("the right proof is refused");
      const wrong = random.pick([
        ...(path.length === 0 ? [] : [{ ...right, path: spoil(path, random, tree[0]!) }]),
        { ...right, path: [...path, tree[0]!] },
        { ...right, old_size: 0 },
        { ...right, old_size: 0, path: [] },
        { ...right, old_size: new_size + 1 },
        { ...right, old_root: flip(right.old_root) },
        { ...right, new_root: flip(right.new_root) },
      ]);
      return verifyConsistency(wrong) ? null : REFUSED;
    },
  },
  {
    kind: "proof",
    row: 22,
    way: "a proof's text that is not as the specification says",
    expected: REFUSED,
    attempt: (target, random) => {
      const leaves = leavesOf(target);
      const { tree_size } = parseCheckpoint(target.checkpoint);
      const index = random.below(tree_size);
      const path = inclusionPath(leaves.slice(0, tree_size), index);
      const right = formatTlogProof({ index, path, checkpoint: target.checkpoint });
      const key = parseVerifierKey(target.vkey);
      const wrong = random.pick([
        right.replace(`index ${index}`, `index 0${index}`),
        right.replace(`index ${index}`, `index ${tree_size}`),
        right.replace(`index ${index}`, "index -1"),
        right.replace(`index ${index}`, "index 99999999999999999999"),
        right.replace("tlog-proof@v1", "tlog-proof@v2"),
        right.replace("\n\n", "\n"),
        right.slice(0, -1),
        right.replace(`\n${tree_size}\n`, "\n0\n"),
      ]);
      try {
        const verdict = verifyTlogProof(wrong, leaves[index]!, [key]);
        return verdict.is_included && verdict.signed_by.length > 0 ? null : REFUSED;
      } catch (error) {
        if (error instanceof NoteInvalid) return REFUSED;
        throw error;
      }
    },
  },
];

/** Salts that a guesser tries of each value: of 2^128, a few more would be no more. */
const SALTS_TRIED = 200;

const guessErased: ReadonlyArray<ProofAttack> = [
  {
    kind: "proof",
    row: 19,
    way: "every possible value, without the salt",
    expected: REFUSED,
    attempt: ({ erased }, random) => {
      const commitment = text(random.pick(erased), "params_commitment");
      const values = Array.from({ length: 10 }, (_, amount) =>
        canonicalize({ amount_cents: amount }),
      );
      const isGuessed = values.some((value) =>
        Array.from({ length: SALTS_TRIED }, makeSalt).some((salt) =>
          isPayloadOf(commitment, "params", salt, value),
        ),
      );
      return isGuessed ? null : REFUSED;
    },
  },
];

/** All attacks on bundles, proofs and commitments. */
export const proofAttacks: ReadonlyArray<ProofAttack> = [...guessErased, ...ownKeys, ...malformed];

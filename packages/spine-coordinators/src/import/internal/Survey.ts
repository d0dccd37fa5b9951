/** A first look at a source, before anything of it is written: what file it is, and what each of its runs says in all. */
import { createHash, type Hash } from "node:crypto";
import { canonicalize, type CanonicalLimits, PARSED_LIMITS } from "@runproof/proof/CanonicalJson";
import type { JsonValue } from "@runproof/proof/CanonicalJson";
import type { InvalidInput } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import * as Stream from "effect/Stream";
import type { ImportFormat } from "../ImportSettings.ts";
import { forEachValue } from "./JsonSource.ts";
import { LINE_BYTES_MAX } from "./Lines.ts";

/** What reads a source: a name for errors, and its bytes, which can be read more than once. */
export interface Source<E> {
  readonly name: string;
  readonly bytes: Stream.Stream<Uint8Array, E>;
}

/** What a source is. */
export interface Survey {
  /** Of all its bytes. */
  readonly sha256: string;
  readonly bytes: number;
  /** Of each run, over its lines from the first to the last. Transcripts are whole values, and need none. */
  readonly run_digests: ReadonlyArray<string>;
  /** Whether the last of its runs has its end in it. */
  readonly is_last_ended: boolean;
}

const CONTENT_LIMITS: CanonicalLimits = { ...PARSED_LIMITS, bytes_max: LINE_BYTES_MAX * 2 };

/** The hash of a value that says what a run's content is. */
export const contentHash = (value: JsonValue): string =>
  createHash("sha256").update(canonicalize(value, CONTENT_LIMITS)).digest("hex").slice(0, 32);

/** Passes a source's bytes on and takes their hash and number. */
export const fingerprinted = <E>(
  bytes: Stream.Stream<Uint8Array, E>,
): {
  readonly bytes: Stream.Stream<Uint8Array, E>;
  readonly fingerprint: () => Pick<Survey, "sha256" | "bytes">;
} => {
  const hash = createHash("sha256");
  let count = 0;
  return {
    bytes: Stream.map(bytes, (chunk) => {
      hash.update(chunk);
      count += chunk.length;
      return chunk;
    }),
    fingerprint: () => ({ sha256: hash.copy().digest("hex"), bytes: count }),
  };
};

const isOf = (line: JsonValue, type: "run" | "end"): boolean =>
  typeof line === "object" && line !== null && (line as { readonly type?: unknown }).type === type;

/** Reads a source to its end. What is no JSON is refused here, with its place. */
export const survey = <E>(
  source: Source<E>,
  format: ImportFormat,
): Effect.Effect<Survey, E | InvalidInput> =>
  Effect.suspend(() => {
    const { bytes, fingerprint } = fingerprinted(source.bytes);
    const digests: Array<Hash> = [];
    let is_last_ended = true;
    const take = (value: JsonValue) =>
      Effect.sync(() => {
        if (isOf(value, "run")) is_last_ended = false;
        if (isOf(value, "end")) is_last_ended = true;
        if (isOf(value, "run")) digests.push(createHash("sha256"));
        digests.at(-1)?.update(`${canonicalize(value, CONTENT_LIMITS)}\n`);
      });
    const read: Effect.Effect<void, E | InvalidInput> =
      format === "ndjson"
        ? forEachValue({ name: source.name, bytes }, take)
        : Stream.runDrain(bytes);
    return Effect.map(read, () => ({
      ...fingerprint(),
      is_last_ended,
      run_digests: digests.map((digest) => digest.digest("hex").slice(0, 32)),
    }));
  });

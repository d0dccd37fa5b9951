/** Proofs that a tree extends an older one, as the text that C2SP tlog-witness takes (`add-checkpoint`). */
import { hashBytes } from "./Hash.ts";

/** A consistency proof with the checkpoint of the newer tree; `path` is in hex, and empty from the empty tree. */
export interface ConsistencyProof {
  readonly old_size: number;
  readonly path: ReadonlyArray<string>;
  /** The signed note, verbatim. */
  readonly checkpoint: string;
}

/** The text of a proof. */
export const formatConsistencyProof = ({ old_size, path, checkpoint }: ConsistencyProof): string =>
  [
    `old ${old_size}`,
    ...path.map((hash) => hashBytes(hash).toString("base64")),
    "",
    checkpoint,
  ].join("\n");

import { firstLink, leafHash, nextLink, rootHash } from "../Chain.ts";
import { LegacyRootHasher, type LegacyStep } from "../LegacyRoot.ts";
import { CompactRange } from "../MerkleTree.ts";

/** A leaf with its link, and the one before. */
export interface ChainedLeaf {
  readonly leaf: string;
  readonly previous: string;
  readonly link: string;
}

/** What a step record adds: its leaf and link, and the complete subtrees that end with it. */
export interface AddedStep extends ChainedLeaf {
  readonly subtrees: ReadonlyArray<Buffer>;
}

/** Everything that follows from the texts of the records alone, in O(log n) memory. */
export class RecordDigest {
  readonly #leaves = new CompactRange();
  readonly #firstLink: string;
  #link: string;
  #hasAllTexts: boolean;
  #legacy: LegacyRootHasher | null;
  #stepCount = 0;

  /** Starts at the trace record. A text that is not there is null; a record that can't be read has no run id. */
  constructor(text: string | null, runId: string | null) {
    const leaf = leafHash(text ?? "");
    this.#leaves.append(leaf);
    this.#firstLink = firstLink(leaf);
    this.#link = this.#firstLink;
    this.#hasAllTexts = text !== null;
    this.#legacy = runId === null ? null : new LegacyRootHasher(runId);
  }

  /** Adds a step record, whose leaf may be known, and gives how its link was made. */
  addStep(
    text: string | null,
    step: LegacyStep | null,
    leaf: string = leafHash(text ?? ""),
  ): AddedStep {
    const previous = this.#link;
    const subtrees = this.#leaves.append(leaf);
    this.#link = nextLink(previous, leaf);
    this.#hasAllTexts &&= text !== null;
    this.#stepCount += 1;
    if (step === null) this.#legacy = null;
    else this.#legacy?.append(step);
    return { leaf, previous, link: this.#link, subtrees };
  }

  get stepCount(): number {
    return this.#stepCount;
  }

  /** C_0. */
  get firstLink(): string {
    return this.#firstLink;
  }

  /** C_n. */
  get link(): string {
    return this.#link;
  }

  /** The tree over the leaves so far. */
  get leaves(): CompactRange {
    return this.#leaves;
  }

  /** The root over the trace record and the steps; null where a text is missing. */
  get merkleRoot(): string | null {
    return this.#hasAllTexts ? this.#leaves.root() : null;
  }

  /** The root under a seal record's text; null where a text is missing. */
  rootUnder(sealText: string | null): string | null {
    return this.#hasAllTexts && sealText !== null ? rootHash(this.#link, sealText) : null;
  }

  /** The predecessor's root; null without steps, or where a record can't be read. */
  get legacyRoot(): string | null {
    return this.#stepCount > 0 ? (this.#legacy?.root() ?? null) : null;
  }
}

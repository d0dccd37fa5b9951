import { nextLink } from "../Chain.ts";
import { isHashHex } from "../Hash.ts";
import type { ChainedLeaf } from "./RecordDigest.ts";

/** Most links that the one before the next row may be. */
const CANDIDATES_MAX = 4;

/** How a row's stored link continues the chain: from the stored link before, from what that should be, or not at all. */
export type LinkFit = "stored" | "computed" | "none";

/**
 * Follows the stored links from row to row. Where one does not follow from the row before, both the stored link and the
 * one that it should be are tried for the next row, so that a changed link is found at its own row only.
 */
export class LinkFollower {
  /** What the link of the row in hand may be: as stored first, then as it should be. */
  #candidates: ReadonlyArray<string>;
  #stored: string | null;

  constructor(storedLink: unknown, computed: ReadonlyArray<string>) {
    this.#stored = isHashHex(storedLink) ? storedLink : null;
    this.#candidates = this.#withStored(computed);
  }

  #withStored(computed: ReadonlyArray<string>): ReadonlyArray<string> {
    const all = new Set(this.#stored === null ? computed : [this.#stored, ...computed]);
    return [...all].slice(0, CANDIDATES_MAX);
  }

  /**
   * Goes on to the next row. `leaves` are what its leaf may be: of the record, and as stored where that differs.
   * `matchedLeaf` is the one that the link was made from. `chained` is a link that is made already.
   */
  follow(
    storedLink: unknown,
    leaves: ReadonlyArray<string>,
    chained?: ChainedLeaf,
  ): { readonly fit: LinkFit; readonly matchedLeaf: string | null } {
    const computed: Array<string> = [];
    for (const previous of this.#candidates) {
      for (const leaf of leaves) {
        const isMade = chained?.previous === previous && chained.leaf === leaf;
        const link = isMade ? chained.link : nextLink(previous, leaf);
        if (link === storedLink) {
          const fit = previous === this.#stored ? "stored" : "computed";
          this.#stored = link;
          this.#candidates = [link];
          return { fit, matchedLeaf: leaf };
        }
        computed.push(link);
      }
    }
    this.#stored = isHashHex(storedLink) ? storedLink : null;
    this.#candidates = this.#withStored(computed);
    return { fit: "none", matchedLeaf: null };
  }

  /** How a hash stands to the last row's link. */
  fitOf(link: string): LinkFit {
    if (link === this.#stored) return "stored";
    return this.#candidates.includes(link) ? "computed" : "none";
  }
}

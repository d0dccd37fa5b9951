/** The hash chain over a run's records. All hashes are hex. */
import { demandHashHex, sha256 } from "./Hash.ts";

const LINK_PREFIX = 0x02;
const ZERO_HASH = "0".repeat(64);

/** E_i, the leaf of a record's canonical text: H( 0x00 || text ). */
// U+0000 is the byte 0x00 in UTF-8.
export const leafHash = (text: string): string => sha256(`\u0000${text}`);

/** What is hashed for a link. One for all: each use fills it whole. */
const linked = Buffer.alloc(65, LINK_PREFIX);

const linkOf = (previous: string, leaf: string): string => {
  demandHashHex(previous);
  demandHashHex(leaf);
  linked.write(previous, 1, 32, "hex");
  linked.write(leaf, 33, 32, "hex");
  return sha256(linked);
};

/** C_0, from the trace record's leaf: H( 0x02 || 32 zero bytes || E_0 ). */
export const firstLink = (leaf: string): string => linkOf(ZERO_HASH, leaf);

/** C_i, from the link before and the step's leaf: H( 0x02 || C_(i-1) || E_i ). */
export const nextLink = (link: string, leaf: string): string => linkOf(link, leaf);

/** The root: H( 0x02 || C_n || H( 0x00 || seal ) ). */
export const rootHash = (link: string, sealText: string): string =>
  linkOf(link, leafHash(sealText));

/** Entries of the transparency log: a kind and a digest, 33 bytes. Section 4 of the format. */
import { leafHash } from "./Chain.ts";
import { hashBytes, isHashHex, sha256 } from "./Hash.ts";

/** What an entry says of its digest. */
export const LogEntryKind = { OPENED: 1, SEALED: 2, HEAD: 3, EVENT: 4 } as const;
export type LogEntryKind = (typeof LogEntryKind)[keyof typeof LogEntryKind];

/** An entry; `digest` is 64 lower-case hex digits. */
export interface LogEntry {
  readonly kind: number;
  readonly digest: string;
}

const ENTRY_BYTES = 33;
const LEAF_PREFIX = 0x00;

/** Whether an entry is one that the format knows. */
export const isLogEntry = ({ kind, digest }: LogEntry): boolean =>
  Number.isInteger(kind) &&
  kind >= LogEntryKind.OPENED &&
  kind <= LogEntryKind.EVENT &&
  isHashHex(digest);

/** The entry's bytes. */
export const entryBytes = ({ kind, digest }: LogEntry): Buffer =>
  Buffer.concat([Buffer.of(kind), hashBytes(digest)]);

/** Reads an entry's bytes; null where they are none. */
export const parseEntry = (bytes: Uint8Array): LogEntry | null => {
  if (bytes.length !== ENTRY_BYTES) return null;
  const entry = { kind: bytes[0]!, digest: Buffer.from(bytes.subarray(1)).toString("hex") };
  return isLogEntry(entry) ? entry : null;
};

/** The leaf hash of an entry in the log's tree, by RFC 6962: H( 0x00 || entry ). */
export const entryLeafHash = (entry: LogEntry): string =>
  sha256(Buffer.concat([Buffer.of(LEAF_PREFIX), entryBytes(entry)]));

/** The digest of an EVENT: H( 0x00 || the event record's canonical text ). */
export const eventDigest = (record: string): string => leafHash(record);

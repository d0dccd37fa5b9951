import { Duplex } from "node:stream";
import type { PGlite } from "@electric-sql/pglite";

/** The start-up packet has no type byte, only its length. */
const STARTUP_HEADER_BYTES = 4;
const MESSAGE_HEADER_BYTES = 5;

/** Length of the whole messages at the front of `bytes`; 0 while the first is not complete. */
const wholeMessages = (bytes: Buffer, started: boolean): number => {
  let end = 0;
  let inSession = started;
  for (;;) {
    const header = inSession ? MESSAGE_HEADER_BYTES : STARTUP_HEADER_BYTES;
    if (bytes.length < end + header) return end;
    const next = end + (inSession ? 1 : 0) + bytes.readUInt32BE(end + header - 4);
    if (bytes.length < next) return end;
    end = next;
    inSession = true;
  }
};

const TERMINATE = 0x58;

/** PGlite keeps its one session, with what a connection that broke left open in it. */
const leaveTransaction = async (database: PGlite): Promise<void> => {
  await database.exec("rollback");
  await database.exec("deallocate all");
};

/**
 * A PostgreSQL connection to an in-process PGlite, as the byte stream a wire-protocol client reads and writes.
 * PGlite has one session: open one stream at a time.
 */
export const pgliteStream = (database: PGlite): Duplex => {
  let pending: Buffer = Buffer.alloc(0);
  let started = false;
  const stream = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      const end = wholeMessages(pending, started);
      if (end === 0) return done();
      const messages = pending.subarray(0, end);
      pending = pending.subarray(end);
      if (started && messages[0] === TERMINATE) {
        stream.push(null);
        return done();
      }
      const ready = started ? Promise.resolve() : leaveTransaction(database);
      started = true;
      ready
        .then(() => database.execProtocolRaw(messages))
        .then(
          (answer) => {
            stream.push(answer);
            done();
          },
          (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
        );
    },
  });
  return stream;
};

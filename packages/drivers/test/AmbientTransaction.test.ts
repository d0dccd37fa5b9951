/** Goal: what is acknowledged is never taken back by a transaction that the caller happens to be in. */
import { expect } from "@effect/vitest";
import { Database } from "@runproof/drivers/Database";
import * as Effect from "effect/Effect";
import { onEachDatabase } from "./Databases.ts";
import {
  freshIdentity,
  openRun,
  read,
  record,
  seal,
  sealedRun,
  start,
  verify,
} from "./Evidence.ts";
import { traces } from "./Stores.ts";

const REFUSED = {
  _tag: "InvalidInput",
  what: expect.stringContaining("transaction"),
  remedy: expect.stringContaining("withTransaction"),
};

onEachDatabase("a transaction around the trace store", (it) => {
  it.effect("is refused each write, and what was written before stays as it was", () =>
    Effect.gen(function* () {
      const { sql } = yield* Database;
      const { ensureDurable } = yield* traces;
      const run = yield* openRun(1);
      const fresh = freshIdentity();
      const sealing = yield* Effect.flip(
        sql.withTransaction(
          Effect.gen(function* () {
            expect(yield* Effect.flip(start(fresh))).toMatchObject(REFUSED);
            expect(yield* Effect.flip(record(run.trace_id))).toMatchObject(REFUSED);
            expect(yield* Effect.flip(ensureDurable)).toMatchObject(REFUSED);
            return yield* seal(run.trace_id);
          }),
        ),
      );
      expect(sealing).toMatchObject(REFUSED);
      yield* ensureDurable;
      expect((yield* Effect.flip(read(fresh)))._tag).toBe("RunNotFound");
      yield* seal(run.trace_id);
      expect(yield* verify(run)).toMatchObject({
        verification_status: "VERIFIED",
        chain_length: 1,
      });
    }),
  );

  it.effect("that is meant to keep all or nothing takes them, unless it is in another itself", () =>
    Effect.gen(function* () {
      const { kind, sql } = yield* Database;
      const { atomically, ensureDurable } = yield* traces;
      const [kept, foreign, inner] = [freshIdentity(), freshIdentity(), freshIdentity()];
      yield* atomically(Effect.andThen(sealedRun(1, kept), Effect.ignore(ensureDurable)));
      expect((yield* verify(kept)).verification_status).toBe("VERIFIED");
      expect(yield* Effect.flip(atomically(ensureDurable))).toMatchObject(REFUSED);
      expect(
        yield* Effect.flip(sql.withTransaction(atomically(sealedRun(1, foreign)))),
      ).toMatchObject(REFUSED);
      const nested = atomically(sql.withTransaction(sealedRun(1, inner)));
      if (kind === "embedded") {
        expect(yield* Effect.flip(nested)).toMatchObject(REFUSED);
      } else {
        // What reads has connections of its own there: its transaction can take nothing back.
        yield* nested;
        expect((yield* verify(inner)).verification_status).toBe("VERIFIED");
      }
    }),
  );
});

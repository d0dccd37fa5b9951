/**
 * A process that rotates the log's key, and kills itself right after its n-th durable act: a file in place, or a write in
 * the database. Arguments: the database's URL, the key's file, n. It ends with 0 if it did fewer.
 */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

const [url = "", key = "", nth = "0"] = process.argv.slice(2);

let acts = 0;
const act = () => {
  acts += 1;
  if (acts === Number(nth)) process.kill(process.pid, "SIGKILL");
};

const { rename } = fs.promises;
fs.promises.rename = async (from, to) => {
  await rename(from, to);
  act();
};
syncBuiltinESMExports();

// Loaded after the file system was prepared: whoever loads before keeps the one that does not count.
const { Database } = await import("@runproof/drivers/Database");
const { logSignerConfig } = await import("@runproof/drivers/LogSigner");
const { KeyCoordinator } = await import("@runproof/spine-coordinators/ledger/KeyCoordinator");
const { LedgerBridge } = await import("@runproof/spine-coordinators/ledger/LedgerBridge");
const Effect = await import("effect/Effect");
const Layer = await import("effect/Layer");
const Redacted = await import("effect/Redacted");

const counted = <A, E, R>(effect: import("effect/Effect").Effect<A, E, R>) =>
  Effect.tap(effect, () => Effect.sync(act));

const config = { kind: "server", url: Redacted.make(url) } as const;
const bridge = Layer.effect(
  LedgerBridge,
  Effect.map(LedgerBridge, ({ log, checkpoints, ...ledger }) =>
    LedgerBridge.of({
      ...ledger,
      log: {
        ...log,
        // One that numbered nothing changed nothing.
        sequence: Effect.tap(log.sequence, (numbered) =>
          Effect.sync(() => (numbered > 0 ? act() : undefined)),
        ),
        recordEvent: (record) => counted(log.recordEvent(record)),
      },
      checkpoints: {
        ...checkpoints,
        store: (checkpoint) => counted(checkpoints.store(checkpoint)),
      },
    }),
  ),
).pipe(
  Layer.provide(LedgerBridge.layer(logSignerConfig({ RUNPROOF_LOG_KEY_FILE: key }, config))),
  Layer.provide(Database.layer(config)),
);

const rotated = await Effect.runPromise(
  Effect.flatMap(KeyCoordinator, (keys) => keys.rotate({ actor: "test", reason: "test" })).pipe(
    Effect.provide(KeyCoordinator.layer.pipe(Layer.provide(bridge))),
  ),
);
process.stdout.write(`${JSON.stringify({ ...rotated, acts })}\n`);

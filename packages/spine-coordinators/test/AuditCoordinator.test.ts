import { assert, layer } from "@effect/vitest";
import * as Effect from "effect/Effect";
import { audit, audited, logKey, number, openRun, sealedRun, sign } from "./AuditedRuns.ts";
import { databases } from "./TestDatabase.ts";

for (const [name, config] of databases) {
  layer(audited(config), { excludeTestServices: true, timeout: 60_000 })(
    `an audit on ${name}`,
    (it) => {
      it.effect("smoke", () =>
        Effect.gen(function* () {
          for (let i = 0; i < 30; i += 1) yield* sealedRun(i % 7);
          yield* openRun(3);
          const key = logKey();
          const note = yield* sign(key);
          yield* sealedRun(1200);
          const { report } = yield* audit({
            verifier_keys: [key.verifier.text],
            checkpoints: [{ source: "file", note }],
          });
          console.log(JSON.stringify(report, null, 1));
          yield* number;
          const { report: r2 } = yield* audit({ since: { source: "file", note } });
          console.log(JSON.stringify(r2, null, 1));
          assert.strictEqual(report.verdict, "CLEAN");
        }),
      );
    },
  );
}

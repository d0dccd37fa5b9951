/** A process that signs a log as it grows leaf by leaf, until it is killed. Arguments: the key's file, the size it begins above. */
import { logSigner, logSignerConfig } from "@runproof/drivers/LogSigner";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { leavesOf, sign } from "./Trees.ts";

const [key = "", above = "0"] = process.argv.slice(2);

const config = logSignerConfig(
  { RUNPROOF_LOG_KEY_FILE: key },
  { kind: "server", url: Redacted.make("postgresql://h/d") },
);

const signer = logSigner(config);

const program = Effect.gen(function* () {
  for (let size = Number(above) + 1; ; size += 1) {
    const { tree_size } = yield* sign(leavesOf(size))(signer);
    process.stdout.write(`${tree_size}\n`);
  }
});

await Effect.runPromise(program);

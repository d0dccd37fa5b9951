/** Who may write to a trace: shown by a value that whoever has the secret can derive, and nobody else. */
import * as Context from "effect/Context";
import { createHmac, createSecretKey, randomBytes } from "node:crypto";

const SECRET_BYTES = 32;
const PURPOSE = "runproof/holder@v1";

/** Gives the holder of a trace. */
export type HolderOf = (trace_id: string) => string;

/** The holders under a secret. Processes that share it go on with each other's traces. */
export const holdersUnder = (secret: string | Uint8Array): HolderOf => {
  // Made once: to make a key of the bytes takes longer than the digest.
  const key = createSecretKey(typeof secret === "string" ? Buffer.from(secret, "utf8") : secret);
  return (trace_id) =>
    createHmac("sha256", key).update(`${PURPOSE}\0${trace_id}`, "utf8").digest("base64url");
};

/** Holders that no other process can derive. */
export const ownHolders = (): HolderOf => holdersUnder(randomBytes(SECRET_BYTES));

/** The holders that a service's processes share; null where a process draws its own. */
export const Holders = Context.Reference<HolderOf | null>("@runproof/spine-coordinators/Holders", {
  defaultValue: () => null,
});

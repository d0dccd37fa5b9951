/** The one door from the coordinators to the log's keys and signer. */
import {
  type KeyRotation,
  type LogKey,
  LogSigner,
  type RotationSteps,
  SIGNED_LAST,
  type SignedCheckpoint,
  type SignerError,
  type SignerStatus,
  type SignError,
  type TreeProposal,
} from "@runproof/drivers/LogSigner";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";

export { SIGNED_LAST };
export type {
  KeyRotation,
  LogKey,
  RotationSteps,
  SignedCheckpoint,
  SignerError,
  SignerStatus,
  SignError,
  TreeProposal,
};

/** Signs trees, and makes, lists and changes keys. */
export class SignerBridge extends Context.Service<
  SignerBridge,
  Pick<LogSigner["Service"], "status" | "sign" | "rotate" | "restoreState" | "generate">
>()("@runproof/spine-coordinators/ledger/SignerBridge") {
  static readonly layer: Layer.Layer<SignerBridge, never, LogSigner> = Layer.effect(
    SignerBridge,
    Effect.map(LogSigner, (signer) => SignerBridge.of(signer)),
  );
}

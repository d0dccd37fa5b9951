/** The one door from the attack test to a database that is made to be attacked. */
import {
  AttackLab,
  type Change,
  type Drift,
  type EvidenceRows,
  type EvidenceTable,
  type StatementRefusal,
} from "@runproof/drivers/AttackLab";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";

export type { Change, Drift, EvidenceRows, EvidenceTable, StatementRefusal };

/** Attacks as a superuser, and takes everything back. */
export class AttackBridge extends Context.Service<
  AttackBridge,
  Pick<AttackLab["Service"], "keep" | "change" | "execute" | "attempt" | "restore">
>()("@runproof/spine-coordinators/attack/AttackBridge") {
  static readonly layer: Layer.Layer<AttackBridge, never, AttackLab> = Layer.effect(
    AttackBridge,
    Effect.map(AttackLab, (lab) => AttackBridge.of(lab)),
  );
}

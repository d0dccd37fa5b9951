/** The one door from who acts as the application to what only an operator may do, call by call. */
import { asOperator } from "@runproof/drivers/controls/asOperator";
import { Database } from "@runproof/drivers/Database";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";

/** Acts as the operator's role for the time of one call. */
export class OperatorBridge extends Context.Service<
  OperatorBridge,
  {
    /** All of what `effect` writes is kept, or nothing. A login that may not act as an operator is `NotAuthorised`. */
    readonly operate: ReturnType<typeof asOperator>;
  }
>()("@runproof/spine-coordinators/controls/OperatorBridge") {
  static readonly layer: Layer.Layer<OperatorBridge, never, Database> = Layer.effect(
    OperatorBridge,
    Effect.map(Database, (database) => OperatorBridge.of({ operate: asOperator(database) })),
  );
}

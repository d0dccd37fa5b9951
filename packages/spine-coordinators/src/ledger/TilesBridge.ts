/** The one door from the coordinators to the folders in which the log is published. */
import { TileFolder } from "@runproof/drivers/TileFolder";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";

/** Reads and writes folders for static hosts. */
export class TilesBridge extends Context.Service<
  TilesBridge,
  Pick<TileFolder["Service"], "open" | "checkpoint" | "write" | "restore" | "publish">
>()("@runproof/spine-coordinators/ledger/TilesBridge") {
  static readonly layer: Layer.Layer<TilesBridge, never, TileFolder> = Layer.effect(
    TilesBridge,
    Effect.map(TileFolder, (folder) => TilesBridge.of(folder)),
  );
}

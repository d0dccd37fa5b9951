/** The one door from the coordinators to what an operator does with sealed evidence, put together from the drivers' functions. */
import { archiveTraces, type TraceEvent } from "@runproof/drivers/controls/archiveTraces";
import { deleteArchived } from "@runproof/drivers/controls/deleteArchived";
import { erasePayloads } from "@runproof/drivers/controls/erasePayloads";
import { findArchivable } from "@runproof/drivers/controls/findArchivable";
import { type DeletableTrace, findDeletable } from "@runproof/drivers/controls/findDeletable";
import { liftHold } from "@runproof/drivers/controls/liftHold";
import { type Hold, listHolds } from "@runproof/drivers/controls/listHolds";
import {
  listPayloads,
  type PayloadFilter,
  type PayloadName,
} from "@runproof/drivers/controls/listPayloads";
import { listRetentions, type SetRetention } from "@runproof/drivers/controls/listRetentions";
import { type HoldScope, type Order, setHold } from "@runproof/drivers/controls/setHold";
import { type Retention, setRetention } from "@runproof/drivers/controls/setRetention";
import { Database } from "@runproof/drivers/Database";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";

export type {
  DeletableTrace,
  Hold,
  HoldScope,
  Order,
  PayloadFilter,
  PayloadName,
  Retention,
  SetRetention,
  TraceEvent,
};

const doorsOf = (database: Database["Service"]) => ({
  /** Sealed evidence on its way: into the archive, and out of it. */
  archive: {
    candidates: findArchivable(database),
    move: archiveTraces(database),
    deletable: findDeletable(database),
    delete: deleteArchived(database),
  },
  payloads: { list: listPayloads(database), erase: erasePayloads(database) },
  holds: { set: setHold(database), lift: liftHold(database), list: listHolds(database) },
  retentions: { set: setRetention(database), list: listRetentions(database) },
});

/** Archive, holds, retention and erasure. Changes need a database that was opened to operate on it. */
export class ControlsBridge extends Context.Service<ControlsBridge, ReturnType<typeof doorsOf>>()(
  "@runproof/spine-coordinators/controls/ControlsBridge",
) {
  static readonly layer: Layer.Layer<ControlsBridge, never, Database> = Layer.effect(
    ControlsBridge,
    Effect.map(Database, (database) => ControlsBridge.of(doorsOf(database))),
  );
}

import { holdsTile, parseTilePath } from "@runproof/proof/Tile";
import { LogEntryNotFound } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import { checkedTiles } from "./checkedTiles.ts";
import { latestHead, noHead } from "./latestHead.ts";
import { requireTree } from "./LoggedTree.ts";

const notThere = (what: string) =>
  new LogEntryNotFound({
    what,
    remedy: "Read the checkpoint: it says how large the tree is whose tiles there are.",
  });

/**
 * One file of the log's publication, by its path of C2SP tlog-tiles. There are those of the latest checkpoint's tree, as in an
 * export, and of each tile every narrower form: they never change.
 */
export const publishedFile = Effect.fnUntraced(function* (path: string) {
  const asked = parseTilePath(path);
  if (asked === null) return yield* notThere(`${JSON.stringify(path)} is no path of a tile`);
  const head = yield* latestHead;
  if (head === null) return yield* notThere(yield* noHead);
  const { place, isEntries } = asked;
  if (!holdsTile(head.tree_size, place))
    return yield* notThere(`the tree of ${head.tree_size} entries has not all of ${path}`);
  yield* requireTree(head, "the latest checkpoint");
  const [tile] = yield* checkedTiles([place]);
  return isEntries ? tile!.entries! : tile!.hashes;
});

import { fsyncSync } from "node:fs";
import { PGlite } from "@electric-sql/pglite";
import { NodeFS } from "@electric-sql/pglite/nodefs";

/** What PGlite's build of Emscripten has of its bridge to Node's file system. */
interface NodeBridge {
  readonly stream_ops: { fsync?: (stream: { readonly nfd: number }) => number };
}

/**
 * A folder in which what PostgreSQL flushes is on the disk. PGlite's own folders never are: it runs without fsync, and its
 * bridge to the file system does nothing on one.
 */
export class DurableFolder extends NodeFS {
  override async init(
    pg: PGlite,
    options: Parameters<NodeFS["init"]>[1],
  ): ReturnType<NodeFS["init"]> {
    const { emscriptenOpts } = await super.init(pg, options);
    const preRun = [
      ...(emscriptenOpts.preRun ?? []),
      (module: unknown) => {
        (module as { readonly NODEFS: NodeBridge }).NODEFS.stream_ops.fsync = ({ nfd }) => {
          fsyncSync(nfd);
          return 0;
        };
      },
    ];
    return { emscriptenOpts: { ...emscriptenOpts, preRun } };
  }
}

/** PGlite's start parameters with fsync on: by `fsync`, for its `fdatasync` does nothing either. */
export const DURABLE_PARAMETERS: Array<string> = [
  ...PGlite.defaultStartParams.filter((parameter) => parameter !== "-F"),
  "-c",
  "wal_sync_method=fsync",
];

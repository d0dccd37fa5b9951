/**
 * Goal: the log is proved to a run's own tenant, and published for anyone as other tools read it. Method: the whole service
 * over a real server, whose log a key outside of it signs.
 */
import { entryLeafHash } from "@runproof/proof/LogEntry";
import { merkleRoot } from "@runproof/proof/MerkleTree";
import { parseCheckpoint } from "@runproof/proof/Checkpoint";
import { decodeEntries } from "@runproof/proof/Tile";
import { queryDatabase, type TestDatabase } from "@runproof/tooling/PostgresServer";
import { LogCoordinator } from "@runproof/spine-coordinators/ledger/LogCoordinator";
import * as RunproofLayer from "@runproof/spine-coordinators/RunproofLayer";
import * as ConfigProvider from "effect/ConfigProvider";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { keyOf, migrated, serve, type Service } from "./Service.ts";

let database: TestDatabase;
let service: Service;
let key: string;
let stranger: string;
let folder: string;

beforeAll(async () => {
  database = await migrated(inject("postgresUrl"));
  key = await keyOf(database.url, "acme");
  stranger = await keyOf(database.url, "rival");
  service = await serve(database.url);
  folder = mkdtempSync(join(tmpdir(), "runproof-api-test-"));
});
afterAll(async () => {
  await service.close();
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

const sign = async () => {
  const path = join(folder, "log.key");
  const settings = { databaseUrl: database.url };
  const environment = { RUNPROOF_LOG_KEY_FILE: path };
  await Effect.runPromise(
    Effect.flatMap(RunproofLayer.signerFromEnvironment(settings), (signer) =>
      signer.generate({ origin: "example.com/log", path }),
    ),
  );
  await LogCoordinator.use((log) => log.checkpoint()).pipe(
    Effect.provide(
      Layer.provide(
        RunproofLayer.fromEnvironment(settings),
        ConfigProvider.layer(ConfigProvider.fromEnv({ env: environment })),
      ),
    ),
    Effect.runPromise,
  );
};

const fetched = async (path: string) => {
  const response = await fetch(`${service.url}${path}`);
  return {
    status: response.status,
    kept: response.headers.get("cache-control"),
    bytes: Buffer.from(await response.arrayBuffer()),
  };
};

const hashesOf = (tile: Buffer) => tile.toString("hex").match(/.{64}/gu) ?? [];

it("is proved to a run's own tenant alone, under the checkpoint that was signed", async () => {
  expect((await service.call("GET", "/v1/log/checkpoint", key)).status).toBe(404);
  expect((await fetched("/log/checkpoint")).status).toBe(404);
  expect((await fetched("/log/tile/0/000.p/1")).status).toBe(404);
  await service.call("POST", "/v1/runs", key, { run_id: "logged" });
  const steps = [{ skill_id: "search", status: "success" }];
  await service.call("POST", "/v1/runs/logged/steps", key, { steps });
  await service.call("POST", "/v1/runs/logged/complete", key, {});
  // More than a tile holds.
  await queryDatabase(
    database.url,
    `insert into aos_log_queue (kind, digest) select 3, encode(sha256(n::text::bytea), 'hex') from generate_series(1, 300) n`,
  );
  await sign();
  expect((await service.call("GET", "/v1/log/checkpoint", key)).status).toBe(200);
  const path = "/v1/log/inclusion?run_id=logged";
  const included = await service.call("GET", path, key);
  expect(included.body["text"]).toContain("c2sp.org/tlog-proof@v1");
  expect((await service.call("GET", path, stranger)).status).toBe(404);
  expect((await service.call("GET", "/v1/log/consistency?from=1", key)).status).toBe(200);

  const bundle = await service.call("GET", "/v1/runs/logged/bundle", key);
  const etag = bundle.headers.get("etag") ?? "";
  expect(etag).toMatch(/^"[0-9a-f]{64}-bundle"$/u);
  expect(bundle.headers.get("cache-control")).toContain("immutable");
  const known = { "if-none-match": etag };
  const again = await service.call("GET", "/v1/runs/logged/bundle", key, undefined, known);
  expect(again).toMatchObject({ status: 304, text: "" });
});

it("is published in tiles that come to the checkpoint's root, to be kept for ever", async () => {
  const { bytes, kept: kept_note } = await fetched("/log/checkpoint");
  const { tree_size, root_hash } = parseCheckpoint(bytes.toString());
  expect([tree_size > 256, tree_size < 512, kept_note]).toEqual([true, true, "no-cache"]);
  const rest = tree_size - 256;
  const [full, partial, above, narrower] = await Promise.all(
    ["0/000", `0/001.p/${rest}`, "1/000.p/1", "0/000.p/7"].map((path) =>
      fetched(`/log/tile/${path}`),
    ),
  );
  for (const { kept } of [full!, partial!, above!])
    expect(kept).toBe("public, max-age=31536000, immutable");
  const hashes = hashesOf(Buffer.concat([full!.bytes, partial!.bytes]));
  expect(merkleRoot(hashes)).toBe(root_hash);
  expect(hashesOf(above!.bytes)).toEqual([merkleRoot(hashes.slice(0, 256))]);
  expect(hashesOf(narrower!.bytes)).toEqual(hashes.slice(0, 7));
  const bundles = ["000", `001.p/${rest}`].map((path) => fetched(`/log/tile/entries/${path}`));
  const entries = (await Promise.all(bundles)).flatMap((each) => decodeEntries(each.bytes) ?? []);
  expect(entries.map(entryLeafHash)).toEqual(hashes);
});

it.each([
  "0/000.p/256",
  "0/000.p/0",
  "0/000.p/01",
  "00/000",
  "0/0",
  "0/001",
  "0/002",
  "1/000",
  "0/x000/000",
  "64/000",
  "entries/001",
  "0/000?x=1",
  "0/%30%30%30",
  "",
])("has no tile %j that its tree does not hold whole, nor one by another name", async (path) => {
  expect((await fetched(`/log/tile/${path}`)).status).toBe(404);
});

it("answers no tile that the entries contradict", async () => {
  for (const statement of [
    "alter table aos_log_entries disable trigger all",
    "update aos_log_entries set digest = repeat('0', 64) where log_index = 270",
  ])
    await queryDatabase(database.url, statement);
  const { status, kept } = await fetched("/log/tile/0/001.p/20");
  expect([status, kept]).toEqual([409, null]);
});

/** Goal: a connection pooler that drops what sessions ask for at their start is noticed when the database is opened. */
import { connect, createServer, type AddressInfo } from "node:net";
import { expect, it as test } from "@effect/vitest";
import { Database } from "@runproof/drivers/Database";
import { examine } from "@runproof/drivers/Doctor";
import { queryDatabase } from "@runproof/tooling/PostgresServer";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { migratedDatabase, urlWith } from "./Databases.ts";
import { sealedRun, verify } from "./Evidence.ts";
import { serverConfig, storesOn } from "./Stores.ts";

/** The start-up packet (protocol 3.0: length, version, names and values) with no parameter but those kept. */
const withOnly = (packet: Buffer, keeps: (name: string) => boolean): Buffer => {
  const fields = packet.subarray(8).toString("latin1").split("\0");
  let kept = "";
  for (let at = 0; at + 1 < fields.length && fields[at] !== ""; at += 2)
    if (keeps(fields[at]!)) kept += `${fields[at]}\0${fields[at + 1]}\0`;
  const body = Buffer.from(`${kept}\0`, "latin1");
  const head = Buffer.from(packet.subarray(0, 8));
  head.writeInt32BE(8 + body.length, 0);
  return Buffer.concat([head, body]);
};

/** A pooler before a server that drops some start-up parameters; the server's URL through it. */
const pooler = Effect.fnUntraced(function* (url: string, drops: ReadonlyArray<string>) {
  const { hostname, port } = new URL(url);
  const server = yield* Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>>((resume) => {
      const listening = createServer((client) => {
        const upstream = connect(Number(port), hostname);
        client.once("data", (packet) => {
          upstream.write(withOnly(packet, (name) => !drops.includes(name)));
          client.pipe(upstream);
        });
        upstream.pipe(client);
        client.on("error", () => upstream.destroy());
        upstream.on("error", () => client.destroy());
      });
      listening.listen(0, "127.0.0.1", () => resume(Effect.succeed(listening)));
    }),
    (listening) => Effect.sync(() => listening.close()),
  );
  return urlWith(url, { port: String((server.address() as AddressInfo).port) });
});

const opening = (url: string) =>
  Effect.flip(Effect.provide(Effect.void, Layer.fresh(Database.layer(serverConfig(url)))));

test.live("a pooler that drops the role or a setting is refused, with what to do", () =>
  Effect.gen(function* () {
    const { url, name } = yield* migratedDatabase;
    yield* Effect.promise(() =>
      queryDatabase(url, `alter database ${name} set synchronous_commit = off`),
    );
    for (const [drops, what] of [
      [["role"], "acts as"],
      [["synchronous_commit"], "has synchronous_commit = off"],
    ] as const) {
      const through = yield* pooler(url, drops);
      expect(yield* opening(through)).toMatchObject({
        _tag: "ConfigurationInvalid",
        setting: "DATABASE_URL",
        what: expect.stringContaining(what),
        remedy: expect.stringContaining("pooler"),
      });
      expect(yield* examine(serverConfig(through))).toMatchObject([
        { status: "fail", remedy: expect.stringContaining("pooler") },
      ]);
    }
  }),
);

/** An error of the server's protocol: its length, then fields of a letter and a text. */
const errorPacket = (code: string, message: string): Buffer => {
  const body = Buffer.from(`SFATAL\0C${code}\0M${message}\0\0`, "latin1");
  const head = Buffer.alloc(5);
  head.write("E", 0, "latin1");
  head.writeInt32BE(4 + body.length, 1);
  return Buffer.concat([head, body]);
};

test.live("a pooler that refuses a parameter is told as one, with what to do", () =>
  Effect.gen(function* () {
    const server = yield* Effect.acquireRelease(
      Effect.callback<ReturnType<typeof createServer>>((resume) => {
        const message = "unsupported startup parameter: default_transaction_isolation";
        const listening = createServer((client) => {
          client.once("data", () => client.end(errorPacket("08P01", message)));
          client.on("error", () => {});
        });
        listening.listen(0, "127.0.0.1", () => resume(Effect.succeed(listening)));
      }),
      (listening) => Effect.sync(() => listening.close()),
    );
    const { port } = server.address() as AddressInfo;
    expect(yield* opening(`postgresql://app@127.0.0.1:${port}/agents`)).toMatchObject({
      _tag: "DatabaseUnfit",
      what: expect.stringContaining("behind a connection pooler"),
      remedy: expect.stringContaining("ignore_startup_parameters"),
    });
  }),
);

test.live("a pooler that passes them on, and a login that has them itself, are fine", () =>
  Effect.gen(function* () {
    const { url, name } = yield* migratedDatabase;
    const works = (through: string) =>
      Effect.flatMap(sealedRun(1), verify).pipe(
        Effect.provide(Layer.fresh(storesOn(serverConfig(through)))),
      );
    expect((yield* works(yield* pooler(url, []))).verification_status).toBe("VERIFIED");
    yield* Effect.acquireRelease(
      Effect.promise(() =>
        queryDatabase(
          url,
          `create role ${name}_app login password 'pw'`,
          `grant runproof_app to ${name}_app`,
        ),
      ),
      () =>
        Effect.promise(() =>
          queryDatabase(url, `drop owned by ${name}_app`, `drop role ${name}_app`),
        ),
    );
    const login = urlWith(url, { username: `${name}_app`, password: "pw" });
    const through = yield* pooler(login, [
      "role",
      "synchronous_commit",
      "default_transaction_isolation",
      "extra_float_digits",
      "standard_conforming_strings",
      "transform_null_equals",
      "search_path",
    ]);
    const refused = yield* opening(through);
    const remedy = "remedy" in refused ? refused.remedy : "";
    const statements = remedy.match(/ALTER ROLE <login> SET [^;]+/gu) ?? [];
    expect(statements.length).toBe(7);
    yield* Effect.promise(() =>
      queryDatabase(url, ...statements.map((each) => each.replace("<login>", `${name}_app`))),
    );
    expect((yield* works(through)).verification_status).toBe("VERIFIED");
  }),
);

test.live("a pooler that drops the path, where the database names another schema, is refused", () =>
  Effect.gen(function* () {
    const { url } = yield* migratedDatabase;
    const name = new URL(url).pathname.slice(1);
    yield* Effect.promise(() =>
      queryDatabase(
        url,
        "create schema evil",
        "grant usage on schema evil to public",
        `alter database ${name} set search_path = public, evil`,
      ),
    );
    expect(yield* opening(yield* pooler(url, ["search_path"]))).toMatchObject({
      _tag: "ConfigurationInvalid",
      what: expect.stringContaining("looks for names in pg_catalog, public, evil"),
      remedy: expect.stringContaining('SET search_path = "public", pg_temp;'),
    });
  }),
);

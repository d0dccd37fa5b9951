/**
 * A PostgreSQL whose sessions end, that crashes, whose clock is set, and that is lost for good while a standby that had to
 * acknowledge every commit takes its place. It is reached by ways that lead to whichever is the primary.
 */
import {
  type PostgresServer,
  queryDatabase,
  startPostgresServer,
} from "@runproof/tooling/PostgresServer";
import { chmodSync, existsSync, globSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { FaultyNetwork } from "./FaultyNetwork.ts";

/** Debian's package "faketime" has it: a library that tells a process another time. */
const [FAKETIME = ""] = globSync("/usr/lib/*/faketime/libfaketime.so.1");

/** A standby that was away for a while finds all that it missed. */
const SETTINGS = { wal_keep_size: "4GB" };

/** What may become of the server. */
export type ServerFault = "session ended" | "crash" | "failover" | "clock set";

/** Seconds that the clock is set off by, back or forward, at most: over a lease's length, under what ends every run. */
const CLOCK_OFF_MAX_S = 5;

export class FaultyServer {
  readonly faults = new Map<ServerFault, number>();
  /** Why a kind of fault can't be had here. */
  readonly missing: Array<string> = [];
  /** The way with faults, and one without. */
  readonly network: FaultyNetwork;
  readonly straight: FaultyNetwork;
  #primary: PostgresServer;
  #standby: Promise<PostgresServer | null>;
  readonly #clock: string;
  readonly #random: () => number;

  private constructor(
    primary: PostgresServer,
    ways: readonly [FaultyNetwork, FaultyNetwork],
    clock: string,
    random: () => number,
  ) {
    this.#primary = primary;
    [this.network, this.straight] = ways;
    this.#clock = clock;
    this.#random = random;
    this.#standby = this.#follow();
  }

  static async start(random: () => number): Promise<FaultyServer> {
    const clock = mkdtempSync(join(tmpdir(), "runproof-clock-"));
    // The server may run as another user.
    chmodSync(clock, 0o755);
    const primary = await startPostgresServer({
      durable: true,
      settings: SETTINGS,
      ...clockOf(clock),
    });
    const ways = await Promise.all([1, 2].map(() => FaultyNetwork.open(primary, random)));
    const server = new FaultyServer(primary, [ways[0]!, ways[1]!], clock, random);
    if (FAKETIME === "") server.missing.push("clock set: there is no libfaketime");
    await server.#standby;
    return server;
  }

  /** The superuser's URL, by the way without faults. */
  get url(): string {
    return this.urlBy(this.straight);
  }

  urlBy(way: FaultyNetwork): string {
    const url = new URL(this.#primary.url);
    url.port = String(way.port);
    return url.href;
  }

  /** Ends one of the sessions of a database, at random. */
  async endSession(database: string): Promise<void> {
    const [row] = await this.#ask(`select pg_terminate_backend(pid) ${victimOf(database)}`);
    if (row !== undefined) this.#count("session ended");
  }

  /** Kills one of the server's processes, at which all of it starts anew. */
  async crash(database: string): Promise<void> {
    const [row] = await this.#ask(`select pid ${victimOf(database)}`);
    if (row === undefined) return;
    process.kill(Number(row["pid"]), "SIGKILL");
    this.#count("crash");
  }

  /** Sets the server's clock, back or forward. */
  setClock(): void {
    if (FAKETIME === "") return;
    writeFileSync(join(this.#clock, "now"), clockText((this.#random() * 2 - 1) * CLOCK_OFF_MAX_S));
    this.#count("clock set");
  }

  /** The primary is lost for good; the standby takes its place, and gets one of its own. */
  async failOver(): Promise<void> {
    const standby = await this.#standby;
    if (standby === null) return;
    await this.#primary.crash();
    await queryDatabase(standby.url, "select pg_promote()");
    this.#primary = standby;
    for (const way of [this.network, this.straight]) way.lead(standby);
    this.#standby = this.#follow();
    await this.#standby;
    this.#count("failover");
  }

  /** Keeps the standby from receiving anything, so that no commit is acknowledged; gives what lets it go on. */
  async holdStandby(): Promise<() => void> {
    const standby = await this.#standby;
    const [receiver] = await queryDatabase(standby!.url, "select pid from pg_stat_wal_receiver");
    const pid = Number(receiver!["pid"]);
    process.kill(pid, "SIGSTOP");
    return () => void process.kill(pid, "SIGCONT");
  }

  /** The sessions whose commit waits for the standby. */
  async waiting(): Promise<ReadonlyArray<number>> {
    const rows = await queryDatabase(
      this.#primary.url,
      "select pid from pg_stat_activity where wait_event = 'SyncRep'",
    );
    return rows.map(({ pid }) => Number(pid));
  }

  /** Ends a session, by its process. */
  async endSessionOf(pid: number): Promise<void> {
    await queryDatabase(this.#primary.url, `select pg_terminate_backend(${pid})`);
  }

  async stop(): Promise<void> {
    for (const way of [this.network, this.straight]) way.close();
    const standby = await this.#standby;
    await Promise.all([this.#primary.stop(), standby?.stop()]);
    rmSync(this.#clock, { recursive: true });
  }

  /** A standby without which nothing commits. */
  async #follow(): Promise<PostgresServer | null> {
    const primary = this.#primary;
    try {
      const standby = await startPostgresServer({
        durable: true,
        settings: SETTINGS,
        standbyOf: primary,
        ...clockOf(this.#clock),
      });
      await queryDatabase(
        primary.url,
        "alter system set synchronous_standby_names = '*'",
        "select pg_reload_conf()",
      );
      for (let isSync = false; !isSync; await sleep(20)) {
        const rows = await queryDatabase(
          primary.url,
          "select from pg_stat_replication where sync_state in ('sync', 'quorum')",
        );
        isSync = rows.length > 0;
      }
      return standby;
    } catch (error) {
      this.missing.push(`failover: ${String(error)}`);
      return null;
    }
  }

  #ask(statement: string): Promise<ReadonlyArray<Readonly<Record<string, unknown>>>> {
    // It may be starting anew just now.
    return queryDatabase(this.#primary.url, statement).catch(() => []);
  }

  #count(fault: ServerFault): void {
    this.faults.set(fault, (this.faults.get(fault) ?? 0) + 1);
  }
}

const victimOf = (database: string): string =>
  `from pg_stat_activity where datname = '${database}' and pid <> pg_backend_pid() order by random() limit 1`;

const clockText = (off_s: number): string =>
  `${off_s < 0 ? "-" : "+"}${Math.abs(off_s).toFixed(3)}s\n`;

/** The environment that has a server read its time off a file in a folder. */
const clockOf = (folder: string) => {
  if (FAKETIME === "") return {};
  const file = join(folder, "now");
  if (!existsSync(file)) writeFileSync(file, clockText(0));
  const environment = {
    LD_PRELOAD: FAKETIME,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: "1",
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
  };
  return { environment };
};

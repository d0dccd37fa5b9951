/** How much CPU a PostgreSQL server used, its ended backends included. */
import { readdir, readFile } from "node:fs/promises";
import { queryDatabase } from "@runproof/tooling/PostgresServer";

/** CPU milliseconds so far; null where there is no `/proc` to read them from. */
export type ServerCpu = () => Promise<number | null>;

/** Linux counts CPU for programs in hundredths of a second, whatever the kernel's own clock. */
const MS_OF_A_TICK = 10;

interface Stat {
  readonly parent: number;
  /** Of the process itself. */
  readonly own_ticks: number;
  /** Of its children that have ended. */
  readonly ended_ticks: number;
}

const statOf = async (pid: number): Promise<Stat | null> => {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => null);
  if (text === null) return null;
  // The name, in brackets, may hold spaces; what follows it is numbered from 3 in proc(5).
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const field = (number: number) => Number(fields[number - 3]);
  return { parent: field(4), own_ticks: field(14) + field(15), ended_ticks: field(16) + field(17) };
};

/** For a superuser's URL of a server on this machine. */
export const serverCpuOf = async (url: string): Promise<ServerCpu> => {
  const [row] = await queryDatabase(
    url,
    "select split_part(pg_read_file('postmaster.pid'), chr(10), 1) as pid",
  );
  const postmaster = Number(row?.["pid"]);
  if ((await statOf(postmaster)) === null) return () => Promise.resolve(null);
  return async () => {
    const pids = (await readdir("/proc")).filter((name) => /^\d+$/u.test(name)).map(Number);
    const stats = await Promise.all(pids.map(async (pid) => ({ pid, stat: await statOf(pid) })));
    let ticks = 0;
    for (const { pid, stat } of stats) {
      if (pid === postmaster) ticks += (stat?.own_ticks ?? 0) + (stat?.ended_ticks ?? 0);
      else if (stat?.parent === postmaster) ticks += stat.own_ticks;
    }
    return ticks * MS_OF_A_TICK;
  };
};

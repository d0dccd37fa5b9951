/**
 * Measures what the product costs, each figure a ratio to something else that took turns with it in this run.
 *
 *     npm run bench                              everything: about ten minutes, on an idle machine
 *     npm run bench -- writing commands          some groups of: writing growth reading commands
 *     npm run bench -- --json after.json         keeps the figures
 *     npm run bench -- --against before.json     shows each figure beside a kept one
 *
 * The server is its own, throwaway and durable (fsync on).
 */
import { execFileSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startPostgresServer } from "@runproof/tooling/PostgresServer";
import { commands } from "./commands.ts";
import { compare, type Figure } from "./Comparison.ts";
import { growth } from "./growth.ts";
import { reading } from "./reading.ts";
import { serverCpuOf } from "./ServerCpu.ts";
import { writing } from "./writing.ts";

const GROUPS = { writing, growth, reading, commands };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: "string" }, against: { type: "string" } },
});
const unknown = positionals.filter((name) => !(name in GROUPS));
if (unknown.length > 0) {
  console.error(`there is no ${unknown.join(", ")}: choose from ${Object.keys(GROUPS).join(", ")}`);
  process.exit(2);
}

const before: ReadonlyArray<Figure> =
  values.against === undefined
    ? []
    : (JSON.parse(await readFile(values.against, "utf8")) as { figures: Array<Figure> }).figures;
const times = (ratio: number) => ratio.toFixed(2);
const us = (value: number | null) => (value === null ? "?" : value.toFixed(0));

const line = (figure: Figure): string => {
  const { name, ours, peer, unit, ratio, ratio_low, ratio_high, as, target, is_met } = figure;
  const { ours_taken: o, peer_taken: p } = figure;
  const kept = before.find((other) => other.name === name && other.peer === peer);
  const cells = [
    name,
    `${ours} against ${peer}`,
    `${times(ratio)} (${times(ratio_low)} to ${times(ratio_high)})`,
    `${as === "speed" ? "at least" : "at most"} ${target}`,
    is_met ? "yes" : "no",
    `${us(o.client_cpu_us)} / ${us(p.client_cpu_us)}`,
    `${us(o.server_cpu_us)} / ${us(p.server_cpu_us)}`,
    unit,
    ...(kept === undefined ? [] : [`${times(kept.ratio)} before`]),
  ];
  return `| ${cells.join(" | ")} |`;
};

// What is measured as a command is the one that is packed.
execFileSync("turbo", ["run", "build", "--output-logs=errors-only"], { stdio: "inherit" });
if (positionals.length === 0 || positionals.includes("writing")) {
  const folder = fileURLToPath(new URL("peers/", import.meta.url));
  execFileSync("npm", ["ci", "--no-audit", "--no-fund"], { cwd: folder, stdio: "inherit" });
}

const server = await startPostgresServer({ durable: true });
const figures: Array<Figure> = [];
try {
  const serverCpu = await serverCpuOf(server.url);
  console.log(`PostgreSQL ${server.version} (${server.source}), Node ${process.versions.node}`);
  console.log(
    "| what | | ratio (spread) | target | met | client CPU, µs | server CPU, µs | a |\n|---|---|---|---|---|---|---|---|",
  );
  for (const [name, group] of Object.entries(GROUPS)) {
    if (positionals.length > 0 && !positionals.includes(name)) continue;
    await group({
      server,
      compare: async (comparison) => {
        const figure = await compare(comparison, serverCpu);
        figures.push(figure);
        console.log(line(figure));
      },
    });
  }
} finally {
  await server.stop();
}
if (values.json !== undefined) {
  await writeFile(
    values.json,
    `${JSON.stringify({ postgres: server.version, node: process.versions.node, figures }, null, 2)}\n`,
  );
}

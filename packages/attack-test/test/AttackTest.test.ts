/**
 * Goal: every attack of the table is caught as what it is, on a server and embedded, and the table in the documentation is
 * the one that came out. Method: the short form of `runproof attack-test`; its judge by itself.
 */
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { describe, expect, inject, it } from "vitest";
import type { AuditFinding } from "@runproof/schemas/AuditReport";
import { AttackTestCoordinator } from "@runproof/attack-test/AttackTestCoordinator";
import * as AttackTestLayer from "@runproof/attack-test/AttackTestLayer";
import { outcomeOf, toMarkdown } from "@runproof/attack-test/AttackTestTable";
import { queryDatabase } from "@runproof/tooling/PostgresServer";
import * as Effect from "effect/Effect";
import type { Expected } from "../src/internal/Attack.ts";
import { judge, shareFindings } from "../src/internal/AttackJudge.ts";
import { SeededRandom } from "../src/internal/SeededRandom.ts";

const attack = (url: string | undefined, seed: number, rows?: ReadonlyArray<number>) =>
  Effect.runPromise(
    Effect.flatMap(AttackTestCoordinator, (coordinator) =>
      coordinator.attack({ instances: 1, seed, rows }),
    ).pipe(Effect.provide(AttackTestLayer.layer(url))),
  );

describe("the attack test", () => {
  it("catches every attack on a real server, as the documentation says, and leaves nothing behind", async () => {
    const url = inject("postgresUrl");
    // Another suite may be at it on the same server: what is left is told by its owner.
    const [login, password] = [`attacks_${randomUUID()}`, randomUUID()];
    await queryDatabase(url, `create role "${login}" superuser login password '${password}'`);
    const report = await attack(Object.assign(new URL(url), { username: login, password }).href, 1);
    const failures = report.rows.flatMap(({ ways }) => ways.flatMap((way) => way.failures));
    expect([...failures, ...report.control.false_alarms]).toEqual([]);
    expect(report.passed).toBe(true);
    expect(report.instances).toBeGreaterThan(70);
    const page = await readFile(new URL("../../../docs/attack-table.md", import.meta.url), "utf8");
    expect(toMarkdown(report)).toBe(page);
    const left = await queryDatabase(
      url,
      `select datname from pg_database where datdba = '"${login}"'::regrole`,
    );
    expect(left).toEqual([]);
    await queryDatabase(url, `drop role "${login}"`);
  });

  it("catches those that change rows, the log and the schema in an embedded database", async () => {
    const report = await attack(undefined, 2, [1, 6, 7, 12, 17]);
    const failures = report.rows.flatMap(({ ways }) => ways.flatMap((way) => way.failures));
    expect([...failures, ...report.control.false_alarms]).toEqual([]);
    expect(report.passed).toBe(true);
  });
});

const found = (over: Partial<AuditFinding>): AuditFinding => ({
  code: "GAP",
  tenant_id: null,
  run_id: null,
  trace_id: "a",
  step_index: 1,
  log_index: null,
  object: null,
  message: "",
  ...over,
});

describe("the judge", () => {
  const expected: ReadonlyArray<Expected> = [{ code: "GAP", trace_id: "a", step_index: 1 }];

  it("takes just what was expected", () => {
    expect(judge({ expected }, [found({})]).is_right).toBe(true);
    expect(judge({ expected: [] }, []).is_right).toBe(true);
  });

  it("refuses another code, step or run, nothing at all, and one thing too many", () => {
    const wrong: ReadonlyArray<ReadonlyArray<AuditFinding>> = [
      [],
      [found({ code: "TRUNCATED" })],
      [found({ step_index: 2 })],
      [found({ trace_id: "b" })],
      [found({}), found({ code: "LINK_BROKEN" })],
    ];
    for (const findings of wrong) expect(judge({ expected }, findings).is_right).toBe(false);
    const also = [{ code: "LINK_BROKEN" as const }];
    expect(judge({ expected, also }, wrong[4]!).is_right).toBe(true);
    expect(judge({ expected: [] }, [found({})]).is_right).toBe(false);
  });

  it("calls a finding on what nobody touched a false alarm", () => {
    const findings = [found({}), found({ trace_id: "b" }), found({ trace_id: null })];
    const { of, alarms } = shareFindings([new Set(["a"]), new Set(["c"])], findings);
    expect(of).toEqual([[findings[0]], []]);
    expect(alarms).toEqual(findings.slice(1));
  });

  it("makes a row with one attack gone wrong a failure", () => {
    const way = { row: 1, way: "w", outcome: "caught" as const, found: ["GAP"], failures: [] };
    const row = { row: 1, attack: "a", caught_by: "b", level: "SELF" };
    expect(outcomeOf({ ...row, ways: [{ ...way, instances: 2, right: 2 }] })).toBe("GAP");
    expect(outcomeOf({ ...row, ways: [{ ...way, instances: 2, right: 1 }] })).toBe("FAILED");
  });
});

describe("seeded choices", () => {
  const choices = (seed: number) => {
    const random = new SeededRandom(seed);
    return Array.from({ length: 50 }, () => random.below(1000));
  };

  it("are the same for one seed and others for another", () => {
    expect(choices(7)).toEqual(choices(7));
    expect(choices(7)).not.toEqual(choices(8));
    expect(new Set(choices(7)).size).toBeGreaterThan(40);
  });

  it("give pairs of different indexes, the smaller first", () => {
    const random = new SeededRandom(3);
    for (let nth = 0; nth < 500; nth += 1) {
      const end = random.between(2, 9);
      const [first, second] = random.pair(end);
      expect(first).toBeGreaterThanOrEqual(0);
      expect(second).toBeGreaterThan(first);
      expect(second).toBeLessThan(end);
    }
  });
});

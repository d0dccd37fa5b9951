/**
 * Goal: every change to the rows of a run is FAILED with the finding that says what was done, at the row where it was
 * done and no other; an honest run is VERIFIED. Method: rows of an honest run, one attack each, all indexes.
 */
import type { Finding, FindingCode } from "@runproof/schemas/Finding";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalize } from "../src/CanonicalJson.ts";
import type { SealInput } from "../src/SealRecord.ts";
import type { StepInput } from "../src/StepRecord.ts";
import {
  noTraceVerdict,
  type StoredRunOptions,
  StoredRunVerifier,
  type StoredStep,
} from "../src/StoredRun.ts";
import {
  firstLink,
  leafHash,
  nextLink,
  rootHash,
  sealInput,
  stepInput,
  storedRun,
  type StoredRun,
  storedSeal,
  storedStep,
  storedTrace,
  timeAt,
  traceInput,
} from "./RunFixture.ts";

const STEP_COUNT = 10;

const verdictOf = (run: StoredRun, options?: StoredRunOptions) => {
  const verifier = new StoredRunVerifier(run.trace, options);
  // As a driver reads them: in the order of the column.
  const steps = run.steps.toSorted(
    (a, b) => Number(a.columns["step_index"]) - Number(b.columns["step_index"]),
  );
  for (const step of steps) verifier.addStep(step);
  return verifier.finish(run.seal);
};

const codes = (findings: ReadonlyArray<Finding>) =>
  findings.map(({ code, step_index }) => [code, step_index]);

const expectFailed = (
  run: StoredRun,
  expected: ReadonlyArray<readonly [FindingCode, number | null]>,
  options?: StoredRunOptions,
) => {
  const verdict = verdictOf(run, options);
  expect(codes(verdict.findings), verdict.failure_reason ?? "").toEqual(expected);
  expect(verdict.verification_status).toBe("FAILED");
  expect(verdict.failure_reason).not.toBeNull();
};

const edit = (record: string, changes: Record<string, unknown>): string =>
  canonicalize({ ...(JSON.parse(record) as object), ...changes });

const attacked = (attack: (run: StoredRun) => void, stepCount = STEP_COUNT): StoredRun => {
  const run = storedRun(stepCount);
  attack(run);
  return run;
};

const eachStep = Array.from({ length: STEP_COUNT }, (_, index) => index);

describe("honest runs", () => {
  it.each([1, 2, 3, 7, 8, 9, 64])("VERIFIED with its length and root: %i steps", (stepCount) => {
    const run = storedRun(stepCount);
    const verdict = verdictOf(run);
    expect(verdict).toMatchObject({
      model: "HASH_CHAIN",
      verification_status: "VERIFIED",
      failure_reason: null,
      chain_length: stepCount,
      root_hash: run.seal!.root_hash,
      merkle_root: run.seal!.columns["merkle_root"],
      first_link: run.trace.link,
      lifecycle: "COMPLETE",
      findings: [],
    });
    expect(verdictOf(run, { model: "MERKLE_TREE" })).toEqual({ ...verdict, model: "MERKLE_TREE" });
  });

  it.each([
    ["completed", null, "COMPLETE"],
    ["failed", "a step failed", "COMPLETE"],
    ["aborted", "interrupted", "ABORTED"],
  ] as const)("%s is %s", (status, reason, lifecycle) => {
    expect(verdictOf(storedRun(2, { seal: { status, reason } }))).toMatchObject({
      verification_status: "VERIFIED",
      lifecycle,
    });
  });

  it("no trace, no steps and no seal are UNSUPPORTED, each with its reason", () => {
    expect(noTraceVerdict()).toMatchObject({
      verification_status: "UNSUPPORTED",
      failure_reason: "No trace found for run",
      model: "NONE",
    });
    expect(verdictOf(storedRun(0))).toMatchObject({
      verification_status: "UNSUPPORTED",
      failure_reason: "No steps to verify",
      lifecycle: "COMPLETE",
    });
    expect(verdictOf(storedRun(0, { isOpen: true }))).toMatchObject({
      verification_status: "UNSUPPORTED",
      failure_reason: "No steps to verify",
      lifecycle: "OPEN",
    });
    const open = verdictOf(storedRun(3, { isOpen: true }));
    expect(open).toMatchObject({
      verification_status: "UNSUPPORTED",
      lifecycle: "OPEN",
      root_hash: null,
      chain_length: 3,
    });
    expect(open.failure_reason).toContain("OPEN");
  });
});

describe("row 1: a record is edited", () => {
  it.each(eachStep)("step %i: CONTENT_MISMATCH there and nowhere else", (index) => {
    for (const changes of [
      { skill_name: "another" },
      { status: index % 4 === 1 ? "success" : "failure" },
      { trace_id: "trace-2" },
      { step_index: index + 1 },
      { step_index: 99 },
      { type: "runproof/seal@v1" },
      { cost_cents: 3 },
      { params: null },
    ]) {
      expectFailed(
        attacked((run) => {
          run.steps[index]!.record = edit(run.steps[index]!.record, changes);
        }),
        [["CONTENT_MISMATCH", index]],
      );
    }
  });

  it.each(eachStep)(
    "step %i: bytes that are no canonical record are NOT_CANONICAL there",
    (index) => {
      for (const change of [
        (text: string) => ` ${text}`,
        (text: string) => text.replace('"skill_id"', '"skill_ix"'),
        (text: string) => text.replace("{", '{"a":1,'),
        (text: string) => text.slice(1),
        () => "",
        () => "null",
        () => "[]",
      ]) {
        expectFailed(
          attacked((run) => {
            run.steps[index]!.record = change(run.steps[index]!.record);
          }),
          [["NOT_CANONICAL", index]],
        );
      }
    },
  );

  it("the trace record", () => {
    for (const changes of [
      { agent_id: "x" },
      { run_id: "other" },
      { tenant_id: "other" },
      { trace_id: "t" },
    ]) {
      expectFailed(
        attacked((run) => {
          run.trace.record = edit(run.trace.record, changes);
        }),
        [["CONTENT_MISMATCH", null]],
      );
    }
  });

  it("the seal record", () => {
    for (const changes of [
      { reason: "because" },
      { status: "aborted", reason: "x" },
      { status: "failed" },
      { step_count: 9 },
      { step_count: 11 },
      { chain_head: "0".repeat(64) },
      { merkle_root: "0".repeat(64) },
      { trace_id: "t" },
      { sealed_at: timeAt(5) },
      { metadata: null },
      { type: "runproof/step@v1" },
    ]) {
      expectFailed(
        attacked((run) => {
          run.seal!.record = edit(run.seal!.record, changes);
        }),
        [["SEAL_MISMATCH", null]],
      );
    }
    expectFailed(
      attacked((run) => {
        run.seal!.record += " ";
      }),
      [["NOT_CANONICAL", null]],
    );
  });

  it("two steps: each named", () => {
    expectFailed(
      attacked((run) => {
        for (const index of [3, 4])
          run.steps[index]!.record = edit(run.steps[index]!.record, { skill_id: "x" });
      }),
      [
        ["CONTENT_MISMATCH", 3],
        ["CONTENT_MISMATCH", 4],
      ],
    );
  });
});

describe("stored hashes are edited", () => {
  const other = "ab".repeat(32);
  it.each(eachStep)("step %i", (index) => {
    for (const value of [other, "", "zz", other.toUpperCase()]) {
      expectFailed(
        attacked((run) => {
          run.steps[index]!.leaf_hash = value;
        }),
        [["CONTENT_MISMATCH", index]],
      );
      expectFailed(
        attacked((run) => {
          run.steps[index]!.link = value;
        }),
        [["LINK_BROKEN", index]],
      );
    }
    // The record with its leaf, but not the link.
    expectFailed(
      attacked((run) => {
        const step = run.steps[index]!;
        step.record = edit(step.record, { skill_name: "another" });
        step.leaf_hash = leafHash(step.record);
      }),
      [["LINK_BROKEN", index]],
    );
  });

  it("the links of two steps that follow each other", () => {
    expectFailed(
      attacked((run) => {
        run.steps[3]!.link = other;
        run.steps[4]!.link = other;
      }),
      [
        ["LINK_BROKEN", 3],
        ["LINK_BROKEN", 4],
      ],
    );
  });

  it("the trace's", () => {
    expectFailed(
      attacked((run) => {
        run.trace.leaf_hash = other;
      }),
      [["CONTENT_MISMATCH", null]],
    );
    expectFailed(
      attacked((run) => {
        run.trace.link = other;
      }),
      [["LINK_BROKEN", null]],
    );
  });

  it("the seal's root, and the seal's columns of what it is bound to", () => {
    expectFailed(
      attacked((run) => {
        run.seal!.root_hash = other;
      }),
      [["SEAL_MISMATCH", null]],
    );
    for (const [column, value] of [
      ["chain_head", other],
      ["merkle_root", other],
      ["step_count", 9],
    ] as const) {
      expectFailed(
        attacked((run) => {
          run.seal!.columns[column] = value;
        }),
        [["SEAL_MISMATCH", null]],
      );
    }
  });

  it("a seal that is consistent with itself and not with the rows", () => {
    for (const changes of [
      { chain_head: other },
      { merkle_root: other },
      { step_count: 9 },
      { step_count: 11 },
    ]) {
      expectFailed(
        attacked((run) => {
          const seal = run.seal!;
          seal.record = edit(seal.record, changes);
          seal.columns = { ...seal.columns, ...changes };
          seal.root_hash = rootHash(
            (JSON.parse(seal.record) as { chain_head: string }).chain_head,
            seal.record,
          );
        }),
        [["SEAL_MISMATCH", null]],
      );
    }
  });

  it("links and leaves recomputed to the end, but not the seal", () => {
    const verdict = verdictOf(
      attacked((run) => {
        let link = run.steps[3]!.link;
        for (const step of run.steps.slice(4)) {
          if (step === run.steps[4]) step.record = edit(step.record, { skill_name: "another" });
          step.leaf_hash = leafHash(step.record);
          step.link = link = nextLink(link, step.leaf_hash);
          step.columns["skill_name"] = (
            JSON.parse(step.record) as { skill_name: string }
          ).skill_name;
        }
      }),
    );
    expect(verdict.verification_status).toBe("FAILED");
    expect(codes(verdict.findings)).toEqual([
      ["SEAL_MISMATCH", null],
      ["SEAL_MISMATCH", null],
    ]);
  });
});

describe("row 2: only a queryable column is edited", () => {
  const otherThan = (value: unknown) =>
    typeof value === "number" ? value + 1000 : typeof value === "boolean" ? !value : "other";
  it.each(eachStep)("every column of step %i", (index) => {
    for (const column of Object.keys(storedRun(1).steps[0]!.columns)) {
      for (const value of [null, "other"]) {
        const run = attacked((run) => {
          const columns = run.steps[index]!.columns;
          columns[column] =
            columns[column] === value || column === "step_index"
              ? (otherThan(columns[column]) as never)
              : value;
        });
        expectFailed(run, [["COLUMN_MISMATCH", index]]);
        expect(verdictOf(run).findings[0]!.message).toContain(column);
      }
      expectFailed(
        attacked((run) => {
          delete run.steps[index]!.columns[column];
        }),
        [["COLUMN_MISMATCH", index]],
      );
    }
    expectFailed(
      attacked((run) => {
        run.steps[index]!.columns["extra"] = 1;
      }),
      [["COLUMN_MISMATCH", index]],
    );
  });

  it.each(eachStep)("the index of step %i, to one that another row has", (index) => {
    expectFailed(
      attacked((run) => {
        run.steps[index]!.columns["step_index"] = (index + 3) % STEP_COUNT;
      }),
      [["COLUMN_MISMATCH", index]],
    );
  });

  it("every column of the trace and the seal", () => {
    for (const column of Object.keys(storedRun(1).trace.columns)) {
      expectFailed(
        attacked((run) => {
          run.trace.columns[column] = otherThan(run.trace.columns[column]);
        }),
        [["COLUMN_MISMATCH", null]],
      );
    }
    for (const column of ["reason", "completed_at", "sealed_at", "metadata"]) {
      expectFailed(
        attacked((run) => {
          run.seal!.columns[column] = "other";
        }),
        [["COLUMN_MISMATCH", null]],
      );
    }
  });

  it("the status: another, one that no trace can have, one without a seal", () => {
    for (const status of ["failed", "running", "success", "", null]) {
      expectFailed(
        attacked((run) => {
          run.trace.status = status as string;
          run.seal!.columns["status"] = status;
        }),
        [["COLUMN_MISMATCH", null]],
      );
    }
    expectFailed(
      attacked((run) => {
        run.seal = null;
      }),
      [["SEAL_MISMATCH", null]],
    );
    const open = storedRun(2, { isOpen: true });
    open.trace.status = "success";
    expectFailed(open, [["COLUMN_MISMATCH", null]]);
  });

  it("erased_at and archived_at", () => {
    expectFailed(
      attacked((run) => {
        run.steps[2]!.erased_at = timeAt(5);
      }),
      [["COLUMN_MISMATCH", 2]],
    );
    expectFailed(
      attacked((run) => {
        run.trace.erased_at = timeAt(5);
      }),
      [["COLUMN_MISMATCH", null]],
    );
    const archived = attacked((run) => {
      run.trace.archived_at = timeAt(5);
    });
    expectFailed(archived, [["COLUMN_MISMATCH", null]], { archival_recorded: () => false });
    expect(verdictOf(archived, { archival_recorded: () => true }).verification_status).toBe(
      "VERIFIED",
    );
    expect(verdictOf(archived).verification_status).toBe("VERIFIED");
    expectFailed(
      attacked((run) => {
        run.trace.archived_at = "yesterday";
      }),
      [["COLUMN_MISMATCH", null]],
    );
  });
});

describe("row 3: steps are deleted, inserted or reordered in the middle", () => {
  it.each(eachStep.slice(0, -1))("step %i is deleted: GAP there", (index) => {
    expectFailed(
      attacked((run) => {
        run.steps.splice(index, 1);
      }),
      [["GAP", index]],
    );
  });

  it("several are deleted: a GAP for each run of them", () => {
    expectFailed(
      attacked((run) => {
        run.steps = run.steps.filter((_, index) => ![2, 3, 6].includes(index));
      }),
      [
        ["GAP", 2],
        ["GAP", 6],
      ],
    );
  });

  it("one is deleted and the later ones renumbered", () => {
    expectFailed(
      attacked((run) => {
        run.steps.splice(4, 1);
        for (const step of run.steps.slice(4))
          step.columns["step_index"] = Number(step.columns["step_index"]) - 1;
      }),
      [["GAP", 4], ...[5, 6, 7, 8, 9].map((index) => ["COLUMN_MISMATCH", index] as const)],
    );
  });

  it.each([
    [2, 5],
    [0, 9],
    [3, 4],
    [8, 9],
    [0, 1],
  ] as const)("rows %i and %i swap what they hold: REORDERED, both", (a, b) => {
    const expected = [
      ["REORDERED", a],
      ["REORDERED", b],
    ] as const;
    // The records alone; with their leaves; the whole rows.
    const fieldsOf = [["record"], ["record", "leaf_hash"]] as const;
    for (const fields of fieldsOf) {
      expectFailed(
        attacked((run) => {
          for (const field of fields) {
            [run.steps[a]![field], run.steps[b]![field]] = [
              run.steps[b]![field],
              run.steps[a]![field],
            ];
          }
        }),
        expected,
      );
    }
    expectFailed(
      attacked((run) => {
        run.steps[a]!.columns["step_index"] = b;
        run.steps[b]!.columns["step_index"] = a;
      }),
      expected,
    );
  });

  it("a row is put in again, as it is or with another index", () => {
    for (const column of [4, 6]) {
      expectFailed(
        attacked((run) => {
          run.steps.push({
            ...structuredClone(run.steps[4]!),
            columns: { ...run.steps[4]!.columns, step_index: column },
          });
        }),
        [["FOREIGN_RECORD", 4]],
      );
    }
  });

  it("a row of one's own is put in beyond the seal's count", () => {
    expectFailed(
      attacked((run) => {
        const last = run.steps.at(-1)!;
        const record = edit(last.record, { step_index: STEP_COUNT });
        const leaf_hash = leafHash(record);
        run.steps.push({
          ...structuredClone(last),
          record,
          leaf_hash,
          link: nextLink(last.link, leaf_hash),
          columns: { ...last.columns, step_index: STEP_COUNT },
        });
      }),
      [["FOREIGN_RECORD", STEP_COUNT]],
    );
    expectFailed(
      attacked((run) => {
        run.steps.push({
          ...structuredClone(run.steps[3]!),
          columns: { ...run.steps[3]!.columns, step_index: STEP_COUNT },
        });
      }),
      [["FOREIGN_RECORD", 3]],
    );
  });
});

describe("rows 4 and 5: records of another kind, trace or tenant", () => {
  const others = storedRun(STEP_COUNT, {
    trace: { trace_id: "trace-2", run_id: "run-2", tenant_id: "tenant-2" },
  });
  it.each(eachStep)("step %i holds what is not its own", (index) => {
    for (const fields of [
      ["record"],
      ["record", "leaf_hash"],
      ["record", "leaf_hash", "link"],
    ] as const) {
      for (const source of [others.steps[index]!, others.trace, storedRun(1).trace]) {
        expectFailed(
          attacked((run) => {
            for (const field of fields) run.steps[index]![field] = source[field];
          }),
          [["FOREIGN_RECORD", index]],
        );
      }
    }
    expectFailed(
      attacked((run) => {
        run.steps[index]!.record = run.seal!.record;
      }),
      [["FOREIGN_RECORD", index]],
    );
  });

  it("the trace holds a step, or another trace", () => {
    for (const fields of [
      ["record"],
      ["record", "leaf_hash"],
      ["record", "leaf_hash", "link"],
    ] as const) {
      for (const source of [others.trace, storedRun(1).steps[0]!]) {
        expectFailed(
          attacked((run) => {
            for (const field of fields) run.trace[field] = source[field];
          }),
          [["FOREIGN_RECORD", null]],
        );
      }
    }
  });

  it("the seal is another trace's, or no seal", () => {
    expectFailed(
      attacked((run) => {
        run.seal = structuredClone(others.seal);
      }),
      [["FOREIGN_RECORD", null]],
    );
    expectFailed(
      attacked((run) => {
        run.seal!.record = run.steps[0]!.record;
      }),
      [["FOREIGN_RECORD", null]],
    );
  });

  it("a run is given to another tenant by its columns", () => {
    const run = attacked((run) => {
      for (const row of [run.trace, ...run.steps]) row.columns["tenant_id"] = "tenant-2";
    });
    expectFailed(run, [
      ["COLUMN_MISMATCH", null],
      ...eachStep.map((index) => ["COLUMN_MISMATCH", index] as const),
    ]);
  });
});

describe("row 6: the tail of a sealed run is cut", () => {
  it.each(eachStep)("from step %i on: TRUNCATED there", (index) => {
    expectFailed(
      attacked((run) => {
        run.steps.splice(index);
      }),
      [["TRUNCATED", index]],
    );
  });

  it("and the seal taken away", () => {
    expectFailed(
      attacked((run) => {
        run.steps.splice(5);
        run.seal = null;
      }),
      [["SEAL_MISMATCH", null]],
    );
  });
});

describe("payloads", () => {
  it("edited, renamed, resalted, or of another step: PAYLOAD_MISMATCH there", () => {
    for (const attack of [
      (run: StoredRun) => (run.steps[2]!.payloads.params.text = '{"url":"http://evil"}'),
      (run: StoredRun) => (run.steps[2]!.payloads.params.text += " "),
      (run: StoredRun) => (run.steps[2]!.payloads.params.salt = "A".repeat(22)),
      (run: StoredRun) => (run.steps[2]!.payloads.params.salt = "short"),
      (run: StoredRun) => (run.steps[2]!.payloads.params = run.steps[2]!.payloads.outcome_data),
      (run: StoredRun) => (run.steps[2]!.payloads.params = run.steps[4]!.payloads.params),
    ]) {
      expectFailed(attacked(attack), [["PAYLOAD_MISMATCH", 2]]);
    }
    // Step 1 commits to no attributes.
    expectFailed(
      attacked((run) => {
        run.steps[1]!.payloads.attributes = run.steps[2]!.payloads.attributes;
      }),
      [["PAYLOAD_MISMATCH", 1]],
    );
    expectFailed(
      attacked((run) => {
        run.trace.payloads.plan.text = "[]";
      }),
      [["PAYLOAD_MISMATCH", null]],
    );
    expectFailed(
      attacked((run) => {
        run.seal!.payloads.metadata.text = "[]";
      }),
      [["PAYLOAD_MISMATCH", null]],
    );
  });

  it("gone without a recorded erasure: PAYLOAD_MISSING, also when the row says erased", () => {
    for (const erased_at of [null, timeAt(9)]) {
      expectFailed(
        attacked((run) => {
          Object.assign(run.steps[2]!, {
            erased_at,
            payloads: { ...run.steps[2]!.payloads, params: { salt: null, text: null } },
          });
        }),
        [["PAYLOAD_MISSING", 2]],
      );
    }
  });

  it("gone with a recorded erasure: PAYLOAD_ERASED, and VERIFIED stands", () => {
    const run = attacked((run) => {
      run.steps[2]!.payloads.params = { salt: null, text: null };
      run.steps[2]!.erased_at = timeAt(9);
      run.seal!.payloads.metadata = { salt: null, text: null };
      run.trace.erased_at = timeAt(9);
    });
    const erased = (index: number | null, name: string) =>
      (index === 2 && name === "params") || (index === null && name === "metadata");
    const verdict = verdictOf(run, { erasure_recorded: erased });
    expect(verdict.verification_status).toBe("VERIFIED");
    expect(codes(verdict.findings)).toEqual([
      ["PAYLOAD_ERASED", 2],
      ["PAYLOAD_ERASED", null],
    ]);
    run.steps[2]!.erased_at = null;
    expectFailed(
      run,
      [
        ["PAYLOAD_ERASED", 2],
        ["COLUMN_MISMATCH", 2],
        ["PAYLOAD_ERASED", null],
      ],
      { erasure_recorded: erased },
    );
  });

  it("half gone is never fine", () => {
    for (const half of ["salt", "text"] as const) {
      const run = attacked((run) => {
        run.steps[2]!.payloads.params[half] = null;
        run.steps[2]!.erased_at = timeAt(9);
      });
      expectFailed(run, [["PAYLOAD_MISSING", 2]], {
        erasure_recorded: (index, name) => index === 2 && name === "params",
      });
      expectFailed(run, [["PAYLOAD_MISSING", 2]]);
    }
  });

  it("there though its erasure is recorded", () => {
    expectFailed(storedRun(3), [["PAYLOAD_MISMATCH", 1]], {
      erasure_recorded: (index, name) => index === 1 && name === "params",
    });
  });
});

describe("garbage", () => {
  const garbage = [
    undefined,
    null,
    0,
    NaN,
    "",
    "x",
    "{",
    [],
    {},
    true,
    "\ud800",
    '{"type":"runproof/step@v1"}',
    Symbol("s"),
    () => 1,
    10n,
  ];
  const unsortedVerdictOf = (trace: unknown, steps: ReadonlyArray<unknown>, seal: unknown) => {
    const verifier = new StoredRunVerifier(trace as never);
    for (const step of steps) verifier.addStep(step as never);
    return verifier.finish(seal as never);
  };
  const isAbsent = (value: unknown) => value === null || value === undefined;

  it("in any field of any row is FAILED and no exception", () => {
    const run = storedRun(3) as unknown as { trace: Holder; steps: Array<Holder>; seal: Holder };
    type Holder = Record<string, unknown>;
    const step = run.steps[1]!;
    const holders = [
      run.trace,
      step,
      run.seal,
      step["columns"],
      step["payloads"],
      run.trace["payloads"],
    ] as Array<Holder>;
    for (const value of garbage) {
      for (const holder of holders) {
        for (const key of Object.keys(holder)) {
          const was = holder[key];
          if (Object.is(was, value) || (isAbsent(was) && isAbsent(value))) continue;
          holder[key] = value;
          const verdict = unsortedVerdictOf(run.trace, run.steps, run.seal);
          holder[key] = was;
          // A payload that is not there may be said so in other ways.
          const isNoPayload = JSON.stringify(was) === '{"salt":null,"text":null}';
          if (!(isNoPayload && (isAbsent(value) || typeof value === "object"))) {
            expect([key, value, verdict.verification_status]).toEqual([key, value, "FAILED"]);
          }
        }
      }
      expect(unsortedVerdictOf(value, run.steps, run.seal).verification_status).toBe("FAILED");
      expect(
        unsortedVerdictOf(run.trace, [value, ...run.steps.slice(1)], run.seal).verification_status,
      ).toBe("FAILED");
      expect(unsortedVerdictOf(run.trace, run.steps, value).verification_status).toBe("FAILED");
    }
  });

  it("twenty thousand broken rows stay bounded", () => {
    const verifier = new StoredRunVerifier(storedTrace(traceInput()));
    for (let index = 0; index < 20_000; index++)
      verifier.addStep({ columns: { step_index: index * 2 } } as never);
    const verdict = verifier.finish(null);
    expect(verdict.verification_status).toBe("FAILED");
    expect(verdict.findings.length).toBeLessThanOrEqual(3000);
    expect(verdict.findings_omitted).toBeGreaterThan(0);
    expect(firstLink(verdict.first_link!)).not.toBe("");
  });
});

describe("any attack", () => {
  const place = fc.record({
    row: fc.nat(5),
    key: fc.nat(200),
    value: fc.constantFrom("1", "x", "", null, 0, 7, true),
  });
  const attack = fc.oneof(
    place.map(({ row, key, value }) => (run: StoredRun) => {
      const rows = [run.trace, run.seal, ...run.steps].filter((each) => each !== null);
      const holders = holdersOf(rows[row % rows.length]);
      const [holder, name] = holders[key % holders.length]!;
      holder[name] = value;
    }),
    fc.tuple(fc.nat(5), fc.nat(5)).map(([a, b]) => ({ steps }: StoredRun) => {
      if (a < steps.length && b < steps.length) [steps[a], steps[b]] = [steps[b]!, steps[a]!];
    }),
    fc
      .tuple(
        fc.nat(5),
        fc.nat(5),
        fc.constantFrom("record", "leaf_hash", "link", "payloads", "columns"),
      )
      .map(([a, b, field]) => ({ steps }: StoredRun) => {
        if (a < steps.length && b < steps.length)
          Object.assign(steps[a]!, { [field]: structuredClone(steps[b]![field]) });
      }),
    fc.nat(5).map(
      (at) =>
        ({ steps }: StoredRun) =>
          void steps.splice(at, 1),
    ),
    fc.nat(5).map(
      (at) =>
        ({ steps }: StoredRun) =>
          void (at < steps.length && steps.push(structuredClone(steps[at]!))),
    ),
    fc.constant((run: StoredRun) => void (run.seal = null)),
  );

  it("on rows, several at once, is never VERIFIED, and never an exception", () => {
    const honest = storedRun(4);
    let changedCount = 0;
    fc.assert(
      fc.property(fc.array(attack, { minLength: 1, maxLength: 3 }), (attacks) => {
        const run = structuredClone(honest);
        for (const change of attacks) change(run);
        const verifier = new StoredRunVerifier(run.trace);
        for (const step of run.steps) verifier.addStep(step);
        const { verification_status, failure_reason } = verifier.finish(run.seal);
        if (JSON.stringify(run) === JSON.stringify(honest)) {
          expect(verification_status).toBe("VERIFIED");
        } else {
          changedCount += 1;
          expect(verification_status).not.toBe("VERIFIED");
          expect(failure_reason).not.toBeNull();
        }
      }),
      { numRuns: 1500 },
    );
    expect(changedCount).toBeGreaterThan(1000);
  });
});

/** Every place of a row that holds no object itself. */
function holdersOf(row: unknown): Array<[Record<string, unknown>, string]> {
  const holder = row as Record<string, unknown>;
  return Object.keys(holder ?? {}).flatMap((key): Array<[Record<string, unknown>, string]> =>
    typeof holder[key] === "object" && holder[key] !== null
      ? holdersOf(holder[key])
      : [[holder, key]],
  );
}

describe("intents and outcomes", () => {
  const gated = (steps: ReadonlyArray<Partial<StepInput>>, seal: Partial<SealInput> = {}) => {
    const trace = storedTrace(traceInput({ capture: "gated" }));
    const rows: Array<StoredStep> = [];
    steps.forEach((over, index) => {
      const input = stepInput(index, { capture: "gated", skill_name: "call", ...over });
      rows.push(storedStep(trace, rows.at(-1)?.link ?? trace.link, index, input));
    });
    const sealed = storedSeal(trace, rows, sealInput(seal));
    return { trace: { ...trace, status: sealed.columns["status"] as string }, steps: rows, sealed };
  };
  const intent = {
    status: "intended",
    outcome_category: "PENDING",
    outcome_code: null,
    outcome_data: undefined,
    cost_cents: null,
    duration_ms: null,
  } as const;
  const outcome = (intent_index: number) =>
    ({ status: "success", intent_index, params: undefined }) as const;
  const verdictOf = ({ trace, steps, sealed }: ReturnType<typeof gated>, isOpen = false) => {
    const verifier = new StoredRunVerifier(isOpen ? { ...trace, status: "running" } : trace);
    for (const step of steps) verifier.addStep(step);
    return verifier.finish(isOpen ? null : sealed);
  };
  const aborted = { status: "aborted", reason: "died" } as const;

  it("agree where each act has both, in any order of answers", () => {
    const run = gated([intent, intent, outcome(1), outcome(0), { status: "skipped" }]);
    expect(verdictOf(run)).toMatchObject({
      verification_status: "VERIFIED",
      capture: "gated",
      intents_open: 0,
      findings: [],
    });
  });

  it("leave an ABORTED run VERIFIED where an act has no outcome, and name the step", () => {
    const verdict = verdictOf(gated([intent, outcome(0), intent], aborted));
    expect(verdict).toMatchObject({ verification_status: "VERIFIED", intents_open: 1 });
    expect(verdict.findings).toMatchObject([{ code: "OUTCOME_UNKNOWN", step_index: 2 }]);
  });

  it("of a COMPLETE run FAIL it where an act has no outcome", () => {
    const verdict = verdictOf(gated([intent, outcome(0), intent]));
    expect(verdict.verification_status).toBe("FAILED");
    expect(verdict.findings).toMatchObject([{ code: "OUTCOME_UNKNOWN", step_index: 2 }]);
  });

  it("of an OPEN run are under way, and no finding", () => {
    const verdict = verdictOf(gated([intent]), true);
    expect(verdict).toMatchObject({ verification_status: "UNSUPPORTED", intents_open: 1 });
    expect(verdict.findings).toEqual([]);
  });

  it("give one finding where a step is gone, at that step", () => {
    const run = gated([intent, outcome(0), intent, outcome(2)]);
    const verdict = verdictOf({ ...run, steps: run.steps.toSpliced(2, 1) });
    expect(verdict.findings).toMatchObject([{ code: "GAP", step_index: 2 }]);
  });
});

/** `runproof demo`: a run is recorded, proved, tampered with, and found out. */
import type { RunProofResult } from "@runproof/schemas/RunProofResult";
import type { Demonstration } from "@runproof/attack-test/Demonstration";
import type { RunOutcome } from "@runproof/spine-coordinators/runs/RunOutcome";
import * as Command from "effect/cli/Command";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { verifyFile } from "../BundleFile.ts";
import * as DemoShop from "../DemoShop.ts";
import * as File from "../File.ts";
import * as Invocation from "../Invocation.ts";
import { Output, printJson } from "../Output.ts";
import { root } from "../Root.ts";
import * as Progress from "../Progress.ts";
import { load } from "../Runproof.ts";
import { tone, wrap } from "../Screen.ts";
import * as Verdict from "../Verdict.ts";
import { callsOf, renderOutcome, stepLines } from "./Run.ts";
import { drawnStep } from "../Acts.ts";
import { renderRun } from "./Traces.ts";

const TENANT = "demo";

/** The refund's attempt that succeeded: step 1 is the one that the shop was too busy for. */
const REFUND_STEP = 2;

const AMOUNT = `"amount_cents":${DemoShop.REFUND_CENTS}`;
const FORGED_AMOUNT = AMOUNT.replace("4", "1");

/** What the demonstration did, for `--json`. */
interface Story {
  readonly home: string;
  readonly run: RunOutcome;
  readonly before: RunProofResult;
  readonly bundle: string;
  readonly bundle_status: string;
  readonly refusal: string;
  readonly statements: ReadonlyArray<string>;
  readonly after: RunProofResult;
  readonly bundle_status_after: string;
}

/** Tells the story as it happens; with `--json` only its steps on stderr. */
const narrator = Effect.gen(function* () {
  const { json } = yield* root;
  const output = yield* Output;
  let chapter = 0;
  const say = (text: string) => (json ? Effect.void : output.data(text));
  return {
    say,
    chapter: (title: string) => {
      chapter += 1;
      return say(`\n${tone(output.stdout, "strong", `${chapter}. ${title}`)}\n`);
    },
  };
});

const indent = (text: string): string => text.replace(/^(?=.)/gmu, "   ");

const tell = Effect.fnUntraced(function* (demo: Demonstration["Service"]) {
  const { home } = demo;
  const { stdout } = yield* Output;
  const { say, chapter } = yield* narrator;
  const narrow = { ...stdout, columns: stdout.columns - 3 };
  const { RunCoordinator } = yield* load(
    () => import("@runproof/spine-coordinators/runs/RunCoordinator"),
  );
  const { TraceCoordinator } = yield* load(
    () => import("@runproof/spine-coordinators/logs/TraceCoordinator"),
  );
  const { RunProofCoordinator } = yield* load(
    () => import("@runproof/spine-coordinators/proof/RunProofCoordinator"),
  );
  const runs = yield* RunCoordinator;
  const traces = yield* TraceCoordinator;
  const proofs = yield* RunProofCoordinator;
  const shop = yield* DemoShop.open;

  yield* chapter("An agent refunds an order. Each step is on disk before the next begins.");
  const plan = DemoShop.plan(shop);
  const line = stepLines(narrow, callsOf(narrow, plan));
  const run = yield* runs.execute({
    plan,
    tenant_id: TENANT,
    run_id: `refund-1842-${randomBytes(3).toString("hex")}`,
    agent_id: "support-agent",
    origin_system_id: "demo-shop",
    goal: "Refund order 1842",
    onStep: (event) => (event.event === "recorded" ? say(indent(line(event))) : Effect.void),
  });
  yield* say(`\n${indent(renderOutcome(narrow, run))}`);
  const id = { tenant_id: TENANT, run_id: run.run_id };
  const subject = `run ${run.run_id}`;

  yield* chapter("What is stored, as a timeline.");
  const stored = yield* traces.show(id);
  yield* say(indent(renderRun(narrow, stored, stored.steps.map(drawnStep))));

  yield* chapter("The proof: every hash recomputed from the stored records.");
  const before = yield* proofs.getRunProof(id);
  yield* say(indent(Verdict.render(narrow, subject, before)));

  yield* chapter("The evidence in a file, verified with no database and no network.");
  const bundle = join(home, `${run.run_id}.runproof.json`);
  yield* File.write(bundle, (yield* proofs.getBundle(id)).text);
  const offline = yield* verifyFile(bundle);
  yield* say(indent(Verdict.render(narrow, bundle, offline)));

  yield* chapter("Somebody wants the refund to have been 19.90 instead of 49.90.");
  const change = {
    trace_id: run.trace_id,
    step_index: REFUND_STEP,
    from: AMOUNT,
    to: FORGED_AMOUNT,
  };
  const refusal = yield* demo.changeAsApplication(change);
  yield* say(indent(`As the application: the database refuses.\n   ${refusal}`));
  const statements = yield* demo.changeAsSuperuser(change);
  yield* say(
    indent(
      `As a superuser, past the triggers: one byte is changed.\n${indent(`${statements.join(";\n")};`)}`,
    ),
  );

  yield* chapter("The proof again.");
  const after = yield* proofs.getRunProof(id);
  yield* say(indent(Verdict.render(narrow, subject, after)));
  const kept = yield* verifyFile(bundle);
  yield* say(
    `\n${indent(`The file from before is what it was: ${kept.integrity.verification_status}.`)}`,
  );

  return {
    home,
    run,
    before,
    bundle,
    bundle_status: offline.integrity.verification_status,
    refusal,
    statements,
    after,
    bundle_status_after: kept.integrity.verification_status,
  } satisfies Story;
});

/** Whether everything went as the demonstration says it does. */
const isAsTold = (story: Story): boolean =>
  story.before.integrity.verification_status === "VERIFIED" &&
  story.bundle_status === "VERIFIED" &&
  story.after.integrity.verification_status === "FAILED" &&
  story.after.findings.every((finding) => finding.step_index === REFUND_STEP) &&
  story.bundle_status_after === "VERIFIED";

const nextCommands = (story: Story): string => {
  const program = Invocation.program();
  const { run_id } = story.run;
  return [
    `export RUNPROOF_HOME=${Invocation.quote(story.home)}`,
    `${program} proof ${run_id} --tenant-id ${TENANT}`,
    `${program} traces list --tenant-id ${TENANT}`,
    `${program} traces show ${run_id} --tenant-id ${TENANT} --json`,
    `${program} verify ${Invocation.quote(story.bundle)}`,
    `${program} run --help`,
  ].join("\n");
};

export const command = Command.make(
  "demo",
  {},
  Effect.fnUntraced(function* () {
    const { json } = yield* root;
    const { stdout } = yield* Output;
    const { say } = yield* narrator;
    const { Demonstration } = yield* load(() => import("@runproof/attack-test/Demonstration"));
    const context = yield* Progress.during("opening the database", null, () =>
      Layer.build(Demonstration.layer),
    );
    const demo = Context.get(context, Demonstration);
    const opening = `An embedded PostgreSQL in ${demo.home}: no server needed, and all of this demonstration is there.`;
    yield* say(wrap(opening, stdout.columns));
    const story = yield* Effect.provideContext(Effect.scoped(tell(demo)), context);
    if (json) yield* printJson(story);
    yield* say("\nTry next:\n");
    yield* say(indent(nextCommands(story)));
    if (!isAsTold(story)) {
      return yield* Effect.die("the demonstration did not go as it should: see the verdicts above");
    }
  }, Effect.scoped),
).pipe(
  Command.withDescription("Record a run, prove it, tamper with it, and see it found out"),
  Command.withExamples([{ command: "runproof demo" }]),
);

/** `runproof hooks print`: the settings that have a coding agent tell the service of its calls. */
import * as Argument from "effect/cli/Argument";
import * as Command from "effect/cli/Command";
import * as Flag from "effect/cli/Flag";
import * as Effect from "effect/Effect";
import { Output } from "../Output.ts";

/** The variable that holds the key: the settings name it, and hold no secret. */
const KEY = "RUNPROOF_API_KEY";

/** How long an agent waits for an answer, in seconds: one commit, and a slow network. */
const TIMEOUT_S = 10;

/** What Claude Code tells of, as its settings file has it. Source: code.claude.com/docs/en/hooks, HTTP hooks. */
const claudeCode = (url: string, on_failure: "block" | "allow") => {
  const to = new URL("/v1/hooks/claude-code", url);
  if (on_failure === "block") to.searchParams.set("on_failure", "block");
  const hook = {
    type: "http",
    url: to.href,
    headers: { Authorization: `Bearer $${KEY}` },
    allowedEnvVars: [KEY],
    timeout: TIMEOUT_S,
  };
  const before = on_failure === "block" ? { ...hook, onFailure: "block" } : hook;
  return {
    hooks: {
      PreToolUse: [{ matcher: "*", hooks: [before] }],
      PostToolUse: [{ matcher: "*", hooks: [hook] }],
      PostToolUseFailure: [{ matcher: "*", hooks: [hook] }],
      SessionEnd: [{ hooks: [hook] }],
    },
  };
};

/** What Codex tells of, as its hooks.json has it: commands alone, which get the event on their standard input. */
const codex = (url: string) => {
  const to = new URL("/v1/hooks/codex", url).href;
  const command = `curl -sS --max-time ${TIMEOUT_S} -H "Authorization: Bearer $${KEY}" -H 'content-type: application/json' --data-binary @- '${to}'`;
  const hook = { hooks: [{ type: "command", command, timeout: TIMEOUT_S }] };
  return {
    hooks: {
      PreToolUse: [{ matcher: ".*", ...hook }],
      PostToolUse: [{ matcher: ".*", ...hook }],
      Stop: [hook],
    },
  };
};

const print = Command.make(
  "print",
  {
    agent: Argument.Literals("AGENT", ["claude-code", "codex"]).pipe(
      Argument.withDescription("Whose settings: claude-code or codex"),
    ),
    url: Flag.String("url").pipe(
      Flag.withMetavar("URL"),
      Flag.withDescription("Where the service listens [http://127.0.0.1:8787]"),
      Flag.filter(
        (url) => URL.canParse(url) && /^https?:$/u.test(new URL(url).protocol),
        (url) => `${JSON.stringify(url)} is no http address`,
      ),
      Flag.withDefault("http://127.0.0.1:8787"),
    ),
    on_failure: Flag.Literals("on-failure", ["block", "allow"]).pipe(
      Flag.withDescription(
        "What Claude Code does where the service does not answer: block the call, so that none acts unrecorded, or let it act [block]",
      ),
      Flag.withDefault("block" as const),
    ),
  },
  Effect.fnUntraced(function* ({ agent, url, on_failure }) {
    const output = yield* Output;
    const settings = agent === "codex" ? codex(url) : claudeCode(url, on_failure);
    yield* output.data(JSON.stringify(settings, null, 2));
    const file = agent === "codex" ? ".codex/hooks.json" : ".claude/settings.json";
    yield* output.note(
      `put this into ${file}, and a key of the scope write into ${KEY} where the agent runs (runproof keys api create)`,
    );
  }),
).pipe(
  Command.withDescription("Print the settings by which a coding agent tells of its calls"),
  Command.withExamples([
    { command: "runproof hooks print claude-code > .claude/settings.json" },
    { command: "runproof hooks print codex --url https://runproof.example.com" },
  ]),
);

export const command = Command.make("hooks").pipe(
  Command.withDescription("Record what coding agents do, by their hooks"),
  Command.withSubcommands([print]),
);

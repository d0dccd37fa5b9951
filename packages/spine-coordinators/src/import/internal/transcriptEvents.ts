/** Reads transcripts of OpenAI-style chat messages with tool calls. */
import type { JsonObject, JsonValue } from "@runproof/proof/CanonicalJson";
import { parseJson } from "@runproof/proof/JsonText";
import { Refusal } from "@runproof/proof/Refusal";
import { type SourceEnd, type SourceEvent, SourceInvalid, type SourceStep } from "./SourceEvent.ts";

/** Keys under which an object holds its messages, the first one there counts. */
const MESSAGES_KEYS = ["messages", "traj"];

/** One transcript, and where it stands in its JSON value. */
export interface Transcript {
  readonly path: string;
  readonly value: JsonValue;
}

/** The transcripts of a JSON value: itself, or each of an array's items where these have messages of their own. */
export const transcriptsOf = (value: JsonValue): ReadonlyArray<Transcript> => {
  if (!isArray(value) || (value.some(isMessage) && !value.some(hasMessages)))
    return [{ path: "$", value }];
  return value.map((item, index) => ({ path: `$[${index}]`, value: item }));
};

/** What a transcript says, as a run. Throws `SourceInvalid` for what is no transcript. */
export const transcriptEvents = ({ path, value }: Transcript): ReadonlyArray<SourceEvent> => {
  const { messages, messages_path, run_id, rest } = read(path, value);
  const calls = matchCalls(messages, messages_path);
  const told = new Set(calls.map(({ result }) => result?.message_index));
  const own = Map.groupBy(calls, ({ message_index }) => message_index);
  const steps = messages.flatMap((message, index) =>
    isResult(message)
      ? told.has(index)
        ? []
        : [orphanStep(message, index)]
      : messageSteps(message, index, own.get(index) ?? []),
  );
  const run = {
    event: "run" as const,
    run_id,
    content: value,
    started_at: null,
    attributes: rest,
    fields: {},
  };
  return [run, ...steps, endOf(calls)];
};

const isArray = (value: JsonValue | undefined): value is ReadonlyArray<JsonValue> =>
  Array.isArray(value);

const isObject = (value: JsonValue | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !isArray(value);

/** A run may have a role as well, the part that its agent plays: it is known by its messages. */
const hasMessages = (value: JsonValue): boolean =>
  isObject(value) && MESSAGES_KEYS.some((key) => isArray(value[key]));

const isMessage = (value: JsonValue): boolean =>
  isObject(value) && typeof value["role"] === "string" && !hasMessages(value);

/** Whether a message is the result of a call, in today's form or in the one before. */
const isResult = ({ role }: JsonObject): boolean => role === "tool" || role === "function";

interface Reading {
  readonly messages: ReadonlyArray<JsonObject>;
  readonly messages_path: string;
  readonly run_id: JsonValue | undefined;
  /** What the transcript says beside its messages. */
  readonly rest: JsonObject | undefined;
}

const read = (path: string, value: JsonValue): Reading => {
  if (isArray(value)) {
    return { ...messagesAt(path, value), run_id: undefined, rest: undefined };
  }
  const key = isObject(value)
    ? MESSAGES_KEYS.find((name) => Object.hasOwn(value, name))
    : undefined;
  if (!isObject(value) || key === undefined) {
    throw new SourceInvalid(
      path,
      "no transcript",
      "Give an array of messages, or an object that has them as `messages` or `traj`.",
    );
  }
  const { run_id, [key]: messages = null, ...rest } = value;
  const reading = messagesAt(`${path}.${key}`, messages);
  return { ...reading, run_id, rest: Object.keys(rest).length === 0 ? undefined : rest };
};

const messagesAt = (path: string, value: JsonValue) => {
  if (!isArray(value) || value.length === 0) {
    throw new SourceInvalid(path, "must be an array of at least one message", "Leave the run out.");
  }
  const odd = value.findIndex((message) => !isMessage(message));
  if (odd >= 0) {
    throw new SourceInvalid(
      `${path}[${odd}]`,
      "no message: it must be an object with a role",
      "Give messages as the chat completions API has them.",
    );
  }
  return { messages: value as ReadonlyArray<JsonObject>, messages_path: path };
};

/** A tool call with its result, each with the index of its message. */
interface Call {
  readonly message_index: number;
  /** What its result names it by. */
  readonly id: string;
  readonly call: JsonObject;
  readonly name: string;
  readonly arguments: JsonValue | undefined;
  result: { readonly message_index: number; readonly message: JsonObject } | null;
}

/**
 * The calls in order, each with its result: a result belongs to the latest message before it with an open call of its id,
 * and there to the first such call. Ids are used again in some transcripts, turn by turn.
 */
const matchCalls = (messages: ReadonlyArray<JsonObject>, path: string): ReadonlyArray<Call> => {
  const calls: Array<Call> = [];
  /** The open calls of an id, by message, the latest last. */
  const open = new Map<string, Array<Array<Call>>>();
  for (const [message_index, message] of messages.entries()) {
    const made = callsOf(message, message_index, `${path}[${message_index}]`);
    calls.push(...made);
    for (const [id, ofMessage] of Map.groupBy(made, (call) => call.id)) {
      const turns = open.get(id) ?? [];
      turns.push(ofMessage);
      open.set(id, turns);
    }
    if (!isResult(message)) continue;
    const turns = open.get(resultId(message)) ?? [];
    while (turns.at(-1)?.length === 0) turns.pop();
    const call = turns.at(-1)?.shift();
    if (call !== undefined) call.result = { message_index, message };
  }
  return calls;
};

/** Which call a result answers: by its id, or in the older form by the function's name. */
const resultId = (message: JsonObject): string =>
  message["role"] === "function" ? functionId(message["name"]) : idOf(message["tool_call_id"]);

const functionId = (name: JsonValue | undefined): string =>
  `function ${JSON.stringify(name ?? null)}`;

/** An id as a key; one that is no string is matched by its JSON. */
const idOf = (id: JsonValue | undefined): string => JSON.stringify(id ?? null);

const callsOf = (message: JsonObject, message_index: number, path: string): ReadonlyArray<Call> => {
  const calls = message["tool_calls"] ?? [];
  if (!isArray(calls)) {
    throw new SourceInvalid(
      `${path}.tool_calls`,
      "must be an array",
      "Leave it out where there is none.",
    );
  }
  const made = calls.map((call, index): Call => {
    const what = isObject(call) ? (call["function"] ?? call["custom"]) : undefined;
    if (!isObject(call) || !isObject(what) || typeof what["name"] !== "string") {
      throw new SourceInvalid(
        `${path}.tool_calls[${index}]`,
        "no tool call: it must have a function with a name",
        "Give tool calls as the chat completions API has them.",
      );
    }
    const { name, arguments: text, input } = what;
    const id = idOf(call["id"]);
    return { message_index, id, call, name, arguments: text ?? input, result: null };
  });
  return [...legacyCalls(message, message_index, path), ...made];
};

/** A call in the form that the API had first: one a message, answered by the function's name. */
const legacyCalls = (
  message: JsonObject,
  message_index: number,
  path: string,
): ReadonlyArray<Call> => {
  const call = message["function_call"] ?? null;
  if (call === null) return [];
  if (!isObject(call) || typeof call["name"] !== "string") {
    throw new SourceInvalid(
      `${path}.function_call`,
      "no function call: it must be an object with a name",
      "Give function calls as the chat completions API had them.",
    );
  }
  const { name, arguments: text } = call;
  return [
    {
      message_index,
      id: functionId(name),
      call: { type: "function_call", function: call },
      name,
      arguments: text,
      result: null,
    },
  ];
};

/** The steps that a message gives: what it says, then the calls that it makes. A result is told with its call. */
const messageSteps = (
  message: JsonObject,
  message_index: number,
  calls: ReadonlyArray<Call>,
): ReadonlyArray<SourceStep> => {
  const said = without(message, ["tool_calls", "function_call"]);
  const saysMore = Object.entries(said).some(
    ([key, value]) => key !== "role" && value !== null && value !== "",
  );
  const isOnlyCalls = calls.length > 0 && !saysMore;
  return isOnlyCalls
    ? calls.map((call, index) => callStep(call, index === 0 ? { message: said } : {}))
    : [saidStep(said, message_index), ...calls.map((call) => callStep(call, {}))];
};

const saidStep = (message: JsonObject, message_index: number): SourceStep => ({
  event: "step",
  outcome_data: message,
  attributes: { message_index },
  // A message has a role that is a string.
  fields: { skill_id: `message.${message["role"] as string}`, status: "success" },
});

/** What a transcript does not say is not said here either: a result came, and its text tells whether the call worked. */
const RETURNED = { status: "success", outcome_category: "RETURNED" };

/** Whether a call that has no result was carried out is not known, so it is no success. */
const NO_RESULT = {
  status: "failure",
  outcome_category: "UNKNOWN",
  outcome_code: "NO_RESULT",
};

const callStep = (
  { message_index, call, name, arguments: text, result }: Call,
  of_message: JsonObject,
): SourceStep => {
  const { params, kept } = readArguments(text);
  const content = result === null ? undefined : result.message["content"];
  const attributes: JsonObject = {
    message_index,
    ...of_message,
    tool_call: withoutTold(call),
    ...kept,
    ...(result === null ? {} : { result_message_index: result.message_index }),
    ...(result === null ? {} : { result: without(result.message, ["content"]) }),
  };
  return {
    event: "step",
    params,
    outcome_data:
      result === null ? { error: "the transcript holds no result of this call" } : content,
    attributes,
    fields: { skill_id: name, ...(result === null ? NO_RESULT : RETURNED) },
  };
};

const orphanStep = (message: JsonObject, message_index: number): SourceStep => ({
  event: "step",
  outcome_data: message["content"],
  attributes: { message_index, result: without(message, ["content"]) },
  fields: {
    skill_id: typeof message["name"] === "string" ? message["name"] : "message.tool",
    ...RETURNED,
    outcome_code: "NO_CALL",
  },
});

/** The arguments' value; where their text is not strict JSON, the text itself, and why. */
const readArguments = (
  text: JsonValue | undefined,
): { readonly params: JsonValue | undefined; readonly kept: JsonObject } => {
  if (typeof text !== "string") return { params: text, kept: {} };
  try {
    return { params: parseJson(text), kept: {} };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { params: text, kept: { arguments: `kept as text: ${error.what}` } };
  }
};

/** A tool call without what the step tells by itself: the function's name and its arguments. */
const withoutTold = (call: JsonObject): JsonObject =>
  Object.fromEntries(
    Object.entries(call).flatMap(([key, value]) => {
      if ((key !== "function" && key !== "custom") || !isObject(value)) return [[key, value]];
      const rest = without(value, ["name", key === "function" ? "arguments" : "input"]);
      return Object.keys(rest).length === 0 ? [] : [[key, rest]];
    }),
  );

const without = (object: JsonObject, keys: ReadonlyArray<string>): JsonObject =>
  Object.fromEntries(Object.entries(object).filter(([key]) => !keys.includes(key)));

/** A transcript gives no status: it is whole as it is given, unless a call of its last message with calls is unanswered. */
const endOf = (calls: ReadonlyArray<Call>): SourceEnd => {
  const last = calls.at(-1)?.message_index;
  const isBrokenOff = calls.some(
    ({ message_index, result }) => message_index === last && result === null,
  );
  return {
    event: "end",
    status: isBrokenOff ? "aborted" : "completed",
    reason: isBrokenOff ? "the transcript holds no result of a call of its last turn" : null,
    completed_at: null,
    import_notes: { status: "the transcript gives none; it is recorded to its last message" },
  };
};

/** `runproof serve`: the HTTP service in this process. */
import * as Context from "effect/Context";
import * as Command from "effect/cli/Command";
import * as Flag from "effect/cli/Flag";
import * as Effect from "effect/Effect";
import * as HttpServer from "effect/http/HttpServer";
import * as Layer from "effect/Layer";
import * as Options from "../Options.ts";
import { Output } from "../Output.ts";
import { load } from "../Runproof.ts";

export const command = Command.make(
  "serve",
  {
    port: Options.optional(
      Flag.Int("port").pipe(
        Flag.withDescription(
          "Port to listen on; 0 takes a free one [RUNPROOF_API_PORT, else 8787]",
        ),
      ),
    ),
    host: Options.optional(
      Flag.String("host").pipe(
        Flag.withMetavar("H"),
        Flag.withDescription("Address to listen on [RUNPROOF_API_HOST, else 127.0.0.1]"),
      ),
    ),
    ...Options.database,
  },
  Effect.fnUntraced(function* (settings) {
    const { fromEnvironment } = yield* load(() => import("@runproof/api/Server"));
    const context = yield* Layer.build(fromEnvironment(settings));
    const { address } = Context.get(context, HttpServer.HttpServer);
    const { note } = yield* Output;
    yield* note(`listening on ${HttpServer.formatAddress(address)}; /docs shows what there is`);
    return yield* Effect.never;
  }, Effect.scoped),
).pipe(
  Command.withDescription("Serve runs, proofs and the log over HTTP, until it is told to end"),
  Command.withExamples([
    { command: "runproof serve --port 8787", description: "Over an embedded database" },
  ]),
);

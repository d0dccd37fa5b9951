/** Server-sent events, asked for again and again where the next ones come from. */
import * as Clock from "effect/Clock";
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import * as HttpServerResponse from "effect/http/HttpServerResponse";
import * as Option from "effect/Option";
import * as Stream from "effect/Stream";

/** How long after the last look the next one comes, where that one found nothing: soon for a person, seldom for a database. */
const LOOK_EVERY = Duration.millis(500);

/** Proxies cut a connection that is silent for about a minute. */
const SILENT_MS_MAX = 15_000;

/** A stream ends after this, so that its key is looked at again: who reads it connects anew and goes on where it was. */
const LASTS_MS = 300_000;

/** One event; without data it only says where the stream is. */
export interface ServerEvent {
  readonly id: string;
  readonly event?: string;
  readonly data?: unknown;
}

/** What a look found, and where the next one is to begin: null where there is nothing more to come. */
export interface Look<Place> {
  readonly events: ReadonlyArray<ServerEvent>;
  readonly next: Place | null;
}

/** JSON has no line break of its own, so data is one line. */
const textOf = ({ id, event, data }: ServerEvent): string =>
  [
    ...(event === undefined ? [] : [`event: ${event}`]),
    `id: ${id}`,
    ...(data === undefined ? [] : [`data: ${JSON.stringify(data)}`]),
    "\n",
  ].join("\n");

interface State<Place> {
  readonly place: Place;
  readonly said_at_ms: number;
  readonly waits: boolean;
}

/**
 * Events from a place on. `look` is asked until it says that nothing more comes; `where` names the place of a stream that has
 * nothing to say. A look that fails ends the stream: who reads it connects anew, and is told why.
 */
export const eventStream = <Place, E extends { readonly message: string }>(
  from: Place,
  look: (place: Place) => Effect.Effect<Look<Place>, E>,
  where: (place: Place) => ServerEvent | null,
): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  Effect.map(Clock.currentTimeMillis, (began_ms) => {
    const texts = Stream.paginate(
      { place: from, said_at_ms: began_ms, waits: false },
      Effect.fnUntraced(function* ({ place, said_at_ms, waits }: State<Place>) {
        if (waits) yield* Effect.sleep(LOOK_EVERY);
        const { events, next } = yield* look(place);
        const now_ms = yield* Clock.currentTimeMillis;
        const is_silent = events.length === 0 && now_ms - said_at_ms >= SILENT_MS_MAX;
        const here = is_silent && next !== null ? where(next) : null;
        const said = [
          ...events.map(textOf),
          ...(here === null ? [] : [textOf(here)]),
          ...(is_silent && here === null ? [":\n\n"] : []),
        ];
        const is_over = next === null || now_ms - began_ms >= LASTS_MS;
        return [
          said,
          is_over
            ? Option.none()
            : Option.some({
                place: next,
                said_at_ms: said.length > 0 ? now_ms : said_at_ms,
                waits: next === place,
              }),
        ] as const;
      }),
    ).pipe(
      Stream.catch((error) =>
        Stream.fromEffectDrain(Effect.logWarning(`a stream of events ended: ${error.message}`)),
      ),
    );
    const first = where(from);
    const begun = first === null ? Stream.make(":\n\n") : Stream.make(textOf(first));
    return HttpServerResponse.stream(Stream.encodeText(Stream.concat(begun, texts)), {
      contentType: "text/event-stream",
      headers: { "cache-control": "no-store", "x-accel-buffering": "no" },
    });
  });

/** Nothing more will come: a browser's `EventSource` does not ask again. */
export const noMoreEvents: HttpServerResponse.HttpServerResponse = HttpServerResponse.empty({
  status: 204,
});

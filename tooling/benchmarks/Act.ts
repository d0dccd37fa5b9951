/** The act that is recorded again and again: about 1 KB of params and outcome. */
export const SKILL_ID = "http_call";

const words = (length: number): string =>
  "The customer asked for the order to be sent again, since the parcel was damaged. "
    .repeat(Math.ceil(length / 80))
    .slice(0, length);

export const PARAMS = {
  method: "POST",
  url: "https://example.com/orders/1842/replacements",
  headers: { accept: "application/json", "content-type": "application/json" },
  body: { order_id: "1842", reason: words(160) },
};

export const OUTCOME = {
  status: 201,
  body: { id: "r-93", order_id: "1842", state: "queued", total_cents: 4990, note: words(500) },
};

/** Runs at once, steps of each: as many agents beside each other, each waiting for its own acknowledgements. */
export const RUNS_AT_ONCE = 16;
export const STEPS_OF_A_RUN = 50;

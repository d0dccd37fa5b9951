/** Goal: an attempt is made again only where that is right, and not before it should be. */
import { assert, describe, it } from "@effect/vitest";
import * as fc from "fast-check";
import {
  backoff_ms,
  DEFAULT_RETRIES,
  mayRepeat,
  RETRY_AFTER_MS_MAX,
} from "../src/runs/internal/Backoff.ts";
import { failure, success } from "./Act.ts";

const transient = failure("TRANSIENT");

describe("an attempt", () => {
  it("is made again while attempts are left, and only after what is transient", () => {
    assert.isTrue(mayRepeat(transient, 0, undefined));
    assert.isTrue(mayRepeat(transient, DEFAULT_RETRIES - 1, undefined));
    assert.isFalse(mayRepeat(transient, DEFAULT_RETRIES, undefined));
    assert.isFalse(mayRepeat(transient, 0, 0));
    assert.isTrue(mayRepeat(transient, 6, 7));
    assert.isFalse(mayRepeat(transient, 7, 7));
    assert.isFalse(mayRepeat(failure("PERMANENT"), 0, 7));
    assert.isFalse(mayRepeat(success(), 0, 7));
  });

  it("that is not safe to repeat is made again only where the plan says so", () => {
    const once = failure("TRANSIENT", { safe_to_repeat: false });
    assert.isFalse(mayRepeat(once, 0, undefined));
    assert.isTrue(mayRepeat(once, 0, 1));
  });

  it("is not made again where the callee asks for a longer wait than is waited for", () => {
    const asks = (retry_after_ms: number) => failure("TRANSIENT", { retry_after_ms });
    assert.isTrue(mayRepeat(asks(RETRY_AFTER_MS_MAX), 0, 5));
    assert.isFalse(mayRepeat(asks(RETRY_AFTER_MS_MAX + 1), 0, 5));
  });

  it("waits longer each time, from half of the wait to all of it, and up to a limit", () => {
    assert.strictEqual(backoff_ms(transient, 0, 0), 100);
    assert.closeTo(backoff_ms(transient, 0, 0.999999), 200, 0.001);
    assert.strictEqual(backoff_ms(transient, 3, 0), 800);
    assert.strictEqual(backoff_ms(transient, 99, 0), 15_000);
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(
        fc.nat(100),
        random,
        fc.nat(RETRY_AFTER_MS_MAX),
        (attempt, each, retry_after_ms) => {
          const wait = backoff_ms(failure("TRANSIENT", { retry_after_ms }), attempt, each);
          return wait >= retry_after_ms && wait <= Math.max(retry_after_ms, 30_000);
        },
      ),
    );
  });
});

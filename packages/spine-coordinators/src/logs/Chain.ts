/** The chain of a trace as this process computes it from what it sends, to compare with what the database answers. */
import type { TraceHead } from "@runproof/drivers/logs/readHead";
import type { SealedTrace } from "@runproof/drivers/logs/sealTrace";
import { nextLink, rootHash } from "@runproof/proof/Chain";
import { CompactRange } from "@runproof/proof/MerkleTree";
import { type PreparedSeal, sealRecordText } from "@runproof/proof/SealRecord";
import type { PreparedStep } from "@runproof/proof/StepRecord";
import type { PreparedTrace } from "@runproof/proof/TraceRecord";
import { ChainMismatch } from "@runproof/schemas/RunProofError";

/** One writer's view of one trace. */
export class Chain {
  readonly #trace_id: string;
  readonly #leaves = new CompactRange();
  #link: string;
  #next_index = 0;

  constructor(trace_id: string, trace: PreparedTrace) {
    this.#trace_id = trace_id;
    this.#link = trace.link;
    this.#leaves.append(trace.leaf_hash);
  }

  /** Where the next step goes. */
  get head(): TraceHead {
    return { trace_id: this.#trace_id, next_index: this.#next_index, link: this.#link };
  }

  /** Takes in steps that the store says it has, and compares the link that it answered with the one computed here. */
  extend(steps: ReadonlyArray<PreparedStep>, answered: string): ChainMismatch | undefined {
    for (const step of steps) this.#append(step);
    return this.#difference(`the link of step ${this.#next_index - 1}`, this.#link, answered);
  }

  /** Compares a head that the store answered with the one computed here. */
  compareHead(answered: TraceHead): ChainMismatch | undefined {
    return (
      this.#difference("the next index", String(this.#next_index), String(answered.next_index)) ??
      this.#difference(`the link before step ${this.#next_index}`, this.#link, answered.link)
    );
  }

  /**
   * Compares a seal that the store answered with the one computed here. `unanswered` are steps that were sent last and
   * whose answer never came: they may be in the seal's count, or not.
   */
  compareSeal(
    seal: PreparedSeal,
    answered: SealedTrace,
    unanswered: ReadonlyArray<PreparedStep>,
  ): ChainMismatch | undefined {
    if (answered.step_count === this.#next_index + unanswered.length) {
      for (const step of unanswered) this.#append(step);
    }
    const facts = {
      step_count: this.#next_index,
      chain_head: this.#link,
      merkle_root: this.#leaves.root(),
    };
    const record = sealRecordText(seal, facts);
    return (
      this.#difference("step_count", String(facts.step_count), String(answered.step_count)) ??
      this.#difference("chain_head", facts.chain_head, answered.chain_head) ??
      this.#difference("merkle_root", facts.merkle_root, answered.merkle_root) ??
      this.#difference("the seal record", record, answered.seal_record) ??
      this.#difference("root_hash", rootHash(this.#link, record), answered.root_hash)
    );
  }

  #append(step: PreparedStep): void {
    this.#link = nextLink(this.#link, step.leaf_hash);
    this.#leaves.append(step.leaf_hash);
    this.#next_index += 1;
  }

  #difference(what: string, expected: string, answered: string): ChainMismatch | undefined {
    return expected === answered
      ? undefined
      : new ChainMismatch({ trace_id: this.#trace_id, what, expected, answered });
  }
}

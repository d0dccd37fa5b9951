/** The chain of a trace as this process computes it from what it sends, to compare with what the database answers. */
import type { TraceHead } from "@runproof/drivers/logs/readHead";
import type { OpenTrace } from "@runproof/drivers/logs/readOpenTrace";
import type { SealedTrace } from "@runproof/drivers/logs/sealTrace";
import { nextLink, rootHash } from "@runproof/proof/Chain";
import { CompactRange } from "@runproof/proof/MerkleTree";
import { type PreparedSeal, sealRecordText } from "@runproof/proof/SealRecord";
import type { PreparedStep } from "@runproof/proof/StepRecord";
import type { PreparedTrace } from "@runproof/proof/TraceRecord";
import { ChainMismatch } from "@runproof/schemas/RunProofError";

/** Where a chain stands, with the roots of the complete subtrees over its leaves. */
export type ChainHead = NonNullable<OpenTrace["head"]>;

/** One writer's view of one trace. */
export class Chain {
  readonly #trace_id: string;
  readonly #leaves: CompactRange;
  #link: string;
  #next_index: number;

  private constructor(trace_id: string, link: string, leaves: CompactRange, next_index: number) {
    this.#trace_id = trace_id;
    this.#link = link;
    this.#leaves = leaves;
    this.#next_index = next_index;
  }

  /** The chain of a trace that begins. */
  static begin(trace_id: string, trace: PreparedTrace): Chain {
    const leaves = new CompactRange();
    leaves.append(trace.leaf_hash);
    return new Chain(trace_id, trace.link, leaves, 0);
  }

  /** The chain of a trace that another process wrote so far, as the database says where it stands. */
  static resume(trace_id: string, { next_index, link, peaks }: ChainHead): Chain {
    return new Chain(trace_id, link, CompactRange.from(next_index + 1, peaks), next_index);
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

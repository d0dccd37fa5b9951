/** A part of a text that a rule masks. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly rule: string;
}

/** Takes a part that a rule masks. */
export type Emit = (start: number, end: number) => void;

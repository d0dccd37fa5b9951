/** Makes trace records. */
import {
  type TracePayloadName,
  TraceRecord,
  TRACE_RECORD_TYPE,
} from "@runproof/schemas/TraceRecord";
import { canonicalize } from "./CanonicalJson.ts";
import { firstLink, leafHash } from "./Chain.ts";
import { commitPayloads, type Telling } from "./internal/commitPayloads.ts";
import type { Payload } from "./Payload.ts";
import { validator } from "./RecordInvalid.ts";

/**
 * All fields of a trace record, with the payloads themselves. A payload left out is none, null is a payload; where both
 * are left out, `attributes` is `{}`.
 */
export interface TraceInput extends Omit<TraceRecord, "type" | TracePayloadName> {
  readonly plan?: unknown;
  readonly attributes?: unknown;
}

/** A trace record ready to be stored. */
export interface PreparedTrace extends Pick<TraceRecord, "trace_id" | "run_id" | "tenant_id"> {
  /** The canonical text. */
  readonly record: string;
  /** E_0. */
  readonly leaf_hash: string;
  /** C_0. */
  readonly link: string;
  readonly payloads: { readonly plan: Payload | null; readonly attributes: Payload | null };
}

const validate = validator(
  TraceRecord,
  "Give every field of a trace record, each as section 1 of the format says.",
);

/** The rules that were applied, behind whose id a source's own may stand. */
const namedRules = ({ redaction }: TraceInput, { redactor }: Telling): Partial<TraceInput> => {
  if (redactor === undefined) return {};
  if (redaction === null) return { redaction: redactor.id };
  return typeof redaction === "string" ? { redaction: `${redactor.id} ${redaction}` } : {};
};

/** Makes a trace record. Throws `RecordInvalid`, and, where values are taken exactly, `CanonicalJsonError`. */
export const prepareTrace = (
  input: TraceInput,
  telling: Telling = { values: "exactly" },
): PreparedTrace => {
  const payloads = commitPayloads(["plan"], input, telling);
  const said = validate({
    ...input,
    ...namedRules(input, telling),
    type: TRACE_RECORD_TYPE,
    plan: payloads.plan?.commitment ?? null,
    attributes: payloads.attributes?.commitment ?? null,
  });
  const { trace_id, run_id, tenant_id } = said;
  const record = canonicalize(said);
  const leaf_hash = leafHash(record);
  return { trace_id, run_id, tenant_id, record, leaf_hash, link: firstLink(leaf_hash), payloads };
};

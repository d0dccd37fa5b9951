import { TEXT_BYTES_MAX } from "@runproof/proof/CanonicalJson";

/**
 * SQL for a text that is read whole where it may be honest, and of which a piece is read where it is longer than any that
 * the format knows: that is no record's, payload's or note's text, and must not keep a reader from the rows beside it.
 */
export const boundedText = (column: string, bytes_max: number = TEXT_BYTES_MAX): string =>
  `case when octet_length(${column}) > ${bytes_max} then left(${column}, 1024) else ${column} end`;

/** The same under the column's own name. */
export const bounded = (column: string): string => `${boundedText(column)} as ${column}`;

/**
 * SQL for a time in the record's form. What that form can't hold, such as `infinity` or a year BC, comes as another
 * text: as null, or as the same year AD, an edited column would look like its record. `concat` takes the type's own output,
 * where `::text` would take a cast that somebody made.
 */
export const timeText = (column: string): string =>
  `case when isfinite(${column}) and ${column} >= '0001-01-01T00:00:00Z'
                then to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') when ${column} is not null then concat(${column}) end`;

/** Where evidence lies: in the tables that are written to, and in the archive. Readers of it read both, as one. */

/** All traces, as `aos_traces` has them: to stand after `from`, with a name of its own. */
export const TRACES = "(select * from aos_traces union all select * from aos_traces_archive)";

/** All steps, as `aos_trace_steps` has them: to stand after `from`, with a name of its own. */
export const STEPS =
  "(select * from aos_trace_steps union all select * from aos_trace_steps_archive)";

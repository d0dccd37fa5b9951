import type { Migration } from "./Migration.ts";

/**
 * A role for who serves tenants: it reads the rows of the tenant that its session names (`runproof.tenant_id`), and none
 * where it names none. Everyone else sees what their rights let them.
 */
export const migration: Migration = {
  id: 5,
  name: "tenants",
  statements: [
    `do $$
begin
  if not exists (select from pg_roles where rolname = 'runproof_tenant') then
    create role runproof_tenant nologin;
  end if;
  execute format('grant usage on schema %I to runproof_tenant', current_schema());
exception
  -- Roles belong to the whole cluster: another database's migration may have been faster.
  when duplicate_object or unique_violation then
    execute format('grant usage on schema %I to runproof_tenant', current_schema());
end
$$`,
    `grant select on runs to runproof_tenant`,
    `grant select on aos_traces to runproof_tenant`,
    `grant select on aos_traces_archive to runproof_tenant`,
    `grant select on aos_trace_steps to runproof_tenant`,
    `grant select on aos_trace_steps_archive to runproof_tenant`,
    `alter table runs enable row level security`,
    `alter table aos_traces enable row level security`,
    `alter table aos_traces_archive enable row level security`,
    `alter table aos_trace_steps enable row level security`,
    `alter table aos_trace_steps_archive enable row level security`,
    `create policy application on runs to runproof_app using (true)`,
    `create policy application on aos_traces to runproof_app using (true)`,
    `create policy application on aos_traces_archive to runproof_app using (true)`,
    `create policy application on aos_trace_steps to runproof_app using (true)`,
    `create policy application on aos_trace_steps_archive to runproof_app using (true)`,
    `create policy tenants on runs for select to runproof_tenant using (tenant_id = current_setting('runproof.tenant_id', true))`,
    `create policy tenants on aos_traces for select to runproof_tenant using (tenant_id = current_setting('runproof.tenant_id', true))`,
    `create policy tenants on aos_traces_archive for select to runproof_tenant using (tenant_id = current_setting('runproof.tenant_id', true))`,
    `create policy tenants on aos_trace_steps for select to runproof_tenant using (tenant_id = current_setting('runproof.tenant_id', true))`,
    `create policy tenants on aos_trace_steps_archive for select to runproof_tenant using (tenant_id = current_setting('runproof.tenant_id', true))`,
    `create policy others on runs using (not pg_has_role(current_user, 'runproof_tenant', 'usage'))`,
    `create policy others on aos_traces using (not pg_has_role(current_user, 'runproof_tenant', 'usage'))`,
    `create policy others on aos_traces_archive using (not pg_has_role(current_user, 'runproof_tenant', 'usage'))`,
    `create policy others on aos_trace_steps using (not pg_has_role(current_user, 'runproof_tenant', 'usage'))`,
    `create policy others on aos_trace_steps_archive using (not pg_has_role(current_user, 'runproof_tenant', 'usage'))`,
  ],
};

-- Spreads Consentry's tables over a Citus cluster. Only for Citus: plain PostgreSQL refuses it at the first statement.
--
-- Run it with psql on the coordinator, as a superuser, once, after `consentry migrate up` and before there is much
-- data, with the service stopped. Every node needs `shared_preload_libraries = 'citus'`, a `max_prepared_transactions` above 0
-- and CREATE EXTENSION citus; the coordinator must know itself and its workers:
--
--   SELECT citus_set_coordinator_host('coordinator', 5432);
--   SELECT citus_add_node('worker-1', 5432);
--
-- A table that a later `consentry migrate up` makes lies on the coordinator until its line here is run by itself, with the service stopped.
--
-- Whatever is known of one subject lies in one shard, so that a decision is taken on one moment's state. What
-- is not named here stays on the coordinator, as it should: decision, audit_batch, audit_leaf, audit_tile,
-- audit_checkpoint, change_log, processor, dispatch, delivery, River's tables, key_page, keyring_mark, retention_run, segment, release, activation, message, idempotency and the record of the migrations.
\set ON_ERROR_STOP on
BEGIN;
SELECT citus_version();
SET LOCAL citus.enable_local_reference_table_foreign_keys = off;
SET LOCAL citus.multi_shard_modify_mode = 'sequential';

-- Small, read by every request, the same on every node.
SELECT create_reference_table('revision');
SELECT create_reference_table('publication');
SELECT create_reference_table('notice');
SELECT create_reference_table('notice_draft');
SELECT create_reference_table('policy_draft');

-- By subject, side by side. What is referred to comes first.
SELECT create_distributed_table('subject', 'subject_id', shard_count => 32, colocate_with => 'none');
SELECT create_distributed_table('subject_identifier', 'subject_id', colocate_with => 'subject');
SELECT create_distributed_table('attribute_value', 'subject_id', colocate_with => 'subject');
SELECT create_distributed_table('consent_record', 'subject_id', colocate_with => 'subject');
SELECT create_distributed_table('confirmation', 'subject_id', colocate_with => 'subject');
SELECT create_distributed_table('consent_receipt', 'subject_id', colocate_with => 'subject');
SELECT create_distributed_table('consent_state', 'subject_id', colocate_with => 'subject');
SELECT create_distributed_table('subject_signal', 'subject_id', colocate_with => 'subject');
SELECT create_distributed_table('consent_evidence', 'subject_id', colocate_with => 'subject');
SELECT create_distributed_table('change', 'subject_id', colocate_with => 'subject');
SELECT create_distributed_table('legal_hold', 'subject_id', colocate_with => 'subject');
SELECT create_distributed_table('spent_slot', 'subject_id', colocate_with => 'subject');
SELECT create_distributed_table('rights_request', 'subject_id', colocate_with => 'subject');
SELECT create_distributed_table('rights_detail', 'subject_id', colocate_with => 'subject');
SELECT create_distributed_table('rights_code', 'subject_id', colocate_with => 'subject');
SELECT create_distributed_table('rights_recipient', 'subject_id', colocate_with => 'subject');
SELECT create_distributed_table('erasure', 'subject_id', colocate_with => 'subject');
SELECT create_distributed_table('part_certificate', 'subject_id', colocate_with => 'subject');
SELECT create_distributed_table('export', 'subject_id', colocate_with => 'subject');
SELECT create_distributed_table('export_chunk', 'subject_id', colocate_with => 'subject');

-- By what they are looked up with, and by the batch they are written in.
SELECT create_distributed_table('identifier', 'blind_index', shard_count => 32, colocate_with => 'none');
SELECT create_distributed_table('suppression', 'hash', shard_count => 32, colocate_with => 'none');
SELECT create_distributed_table('audit_entry', 'batch_id', shard_count => 32, colocate_with => 'none');
SELECT create_distributed_table('audit_run', 'batch_id', colocate_with => 'audit_entry');

-- Writing to it makes a transaction that touches coordinator and workers commit in two phases.
SELECT citus_add_local_table_to_metadata('commit_marker');
COMMIT;

-- +goose NO TRANSACTION
-- +goose Up
-- A request that is joined while it is carried out is carried out again, and spends another key: of a subject it is one row each time.
ALTER TABLE spent_slot ADD COLUMN IF NOT EXISTS joins integer NOT NULL DEFAULT 0;
DROP INDEX CONCURRENTLY IF EXISTS spent_slot_once; -- what an attempt that was interrupted has left
CREATE UNIQUE INDEX CONCURRENTLY spent_slot_once ON spent_slot (subject_id, request_id, joins);
ALTER TABLE spent_slot DROP CONSTRAINT spent_slot_pkey, ADD CONSTRAINT spent_slot_pkey PRIMARY KEY USING INDEX spent_slot_once;

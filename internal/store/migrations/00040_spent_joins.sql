-- +goose Up
-- A request that is joined while it is carried out is carried out again, and spends another key: of a subject it is one row each time. There are few
-- rows, one for each key that was replaced, and Citus makes no primary key of an index that is there already.
ALTER TABLE spent_slot ADD COLUMN joins integer NOT NULL DEFAULT 0;
ALTER TABLE spent_slot DROP CONSTRAINT spent_slot_pkey;
ALTER TABLE spent_slot ADD CONSTRAINT spent_slot_pkey PRIMARY KEY (subject_id, request_id, joins);

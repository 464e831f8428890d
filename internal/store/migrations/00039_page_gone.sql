-- +goose NO TRANSACTION
-- +goose Up
-- Erasures of people whose key page was gone from Vault: version 0. Should the page come back, their keys have to be taken away then.
DROP INDEX CONCURRENTLY IF EXISTS erasure_page_gone; -- what an attempt that was interrupted has left
CREATE INDEX CONCURRENTLY erasure_page_gone ON erasure (key_slot) WHERE page_version = 0;

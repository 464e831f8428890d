-- +goose NO TRANSACTION
-- +goose Up
-- The erasure of a part waits for processors like a rectification does: it is carried out here, and what is asked after it is another.
DROP INDEX CONCURRENTLY IF EXISTS rights_request_to_do; -- what an attempt that was interrupted has left
CREATE UNIQUE INDEX CONCURRENTLY rights_request_to_do ON rights_request (subject_id, type, scope)
    WHERE state = 'in_progress' OR state = 'awaiting_processors' AND type = 'erasure' AND scope = '*';
DROP INDEX CONCURRENTLY IF EXISTS rights_request_undone;

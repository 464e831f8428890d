-- +goose NO TRANSACTION
-- +goose Up
-- A withdrawal, an objection or a restriction is done when the call returns. Who asks for one while another is being carried out may have
-- decided otherwise in between, so it joins none, and is carried out itself.
DROP INDEX CONCURRENTLY IF EXISTS rights_request_joinable; -- what an attempt that was interrupted has left
CREATE UNIQUE INDEX CONCURRENTLY rights_request_joinable ON rights_request (subject_id, type, scope)
    WHERE type NOT IN ('withdrawal', 'objection', 'restriction') AND (state = 'in_progress' OR state = 'awaiting_processors' AND type = 'erasure' AND scope = '*');
DROP INDEX CONCURRENTLY IF EXISTS rights_request_to_do;

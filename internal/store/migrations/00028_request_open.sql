-- +goose NO TRANSACTION
-- +goose Up
-- Who asks again joins the request of the kind that is not carried out yet. A withdrawal, a restriction or a rectification that waits for
-- processors alone is carried out: what is asked after it is another request, and has to be carried out itself. Only an
-- erasure is one to its end.
DROP INDEX CONCURRENTLY IF EXISTS rights_request_undone; -- what an attempt that was interrupted has left
CREATE UNIQUE INDEX CONCURRENTLY rights_request_undone ON rights_request (subject_id, type, scope)
    WHERE state = 'in_progress' OR state = 'awaiting_processors' AND type = 'erasure';
DROP INDEX CONCURRENTLY IF EXISTS rights_request_open;

-- Requests of which nobody has shown that the subject asks expire, the oldest first.
DROP INDEX CONCURRENTLY IF EXISTS rights_request_verifying;
CREATE INDEX CONCURRENTLY rights_request_verifying ON rights_request (received_at) WHERE state = 'verifying';

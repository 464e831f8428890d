-- +goose NO TRANSACTION
-- +goose Up
-- A budget is what was told since its window began, whatever window was in force then.
DROP INDEX CONCURRENTLY IF EXISTS release_spent; -- what an attempt that was interrupted has left
CREATE INDEX CONCURRENTLY release_spent ON release (client, purpose, released_at) INCLUDE (epsilon_milli);
DROP INDEX CONCURRENTLY IF EXISTS release_budget;

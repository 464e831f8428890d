-- +goose NO TRANSACTION
-- +goose Up
-- Every disclosure asks whether there was an order about its subjects meanwhile. There was hardly ever one: an index of those of whom there ever was is
-- small, and answers without a look at the others.
DROP INDEX CONCURRENTLY IF EXISTS subject_ordered; -- what an attempt that was interrupted has left
CREATE INDEX CONCURRENTLY subject_ordered ON subject (subject_id) INCLUDE (orders) WHERE orders > 0;

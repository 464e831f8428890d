-- +goose Up
-- The service and the reader are group roles without log-in: a deployment creates its own
-- log-in users and makes them members (deploy/postgres/roles.sql). They are made here so that
-- each migration can grant exactly what its tables need. Roles belong to the whole
-- cluster, so another database may have made them already, perhaps at this very moment.
-- +goose StatementBegin
DO $$
BEGIN
    CREATE ROLE consentry_app NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
DO $$
BEGIN
    CREATE ROLE consentry_reader NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
-- +goose StatementEnd
GRANT USAGE ON SCHEMA public TO consentry_app, consentry_reader;

-- Who may do what in the database. Run it with psql as a superuser, connected to Consentry's
-- database, once before `consentry migrate up`; running it again changes nothing
-- but the passwords that are given.
--
--   consentry_owner     owns the schema; for `consentry migrate up`, and nothing else
--   consentry_service   for `consentry serve`: member of consentry_app, which may insert into the
--                       consent ledger and the audit log and read them, but not change them
--   consentry_auditor   for `consentry audit export|verify`: member of consentry_reader, which reads
--
-- Passwords are taken from the environment (OWNER_PASSWORD, SERVICE_PASSWORD, AUDITOR_PASSWORD) or from
-- variables of the same name in small letters (psql -v service_password=…). Whoever is given none
-- logs in as pg_hba.conf says, by certificate for instance. A server that logs statements would log them
-- with the passwords in: that is turned off for this session.
\set ON_ERROR_STOP on
\if :{?owner_password} \else
    \getenv owner_password OWNER_PASSWORD
\endif
\if :{?service_password} \else
    \getenv service_password SERVICE_PASSWORD
\endif
\if :{?auditor_password} \else
    \getenv auditor_password AUDITOR_PASSWORD
\endif

BEGIN;
SET LOCAL log_statement = 'none';
SET LOCAL log_min_duration_statement = -1;
SET LOCAL log_min_error_statement = 'panic';

-- The two group roles are those that the first migration makes and grants rights to.
SELECT format('CREATE ROLE %I', name)
FROM unnest(ARRAY['consentry_app', 'consentry_reader', 'consentry_owner', 'consentry_service', 'consentry_auditor']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec

ALTER ROLE consentry_app NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
ALTER ROLE consentry_reader NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
ALTER ROLE consentry_service LOGIN INHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
ALTER ROLE consentry_auditor LOGIN INHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;

-- The first migration sees to the group roles, and PostgreSQL asks for CREATEROLE even where they exist.
-- Once it has run, running this file again takes that right away.
SELECT CASE WHEN to_regclass('public.goose_db_version') IS NULL THEN 'CREATEROLE' ELSE 'NOCREATEROLE' END AS createrole \gset
ALTER ROLE consentry_owner LOGIN INHERIT NOSUPERUSER NOCREATEDB :createrole NOREPLICATION NOBYPASSRLS;

GRANT consentry_app TO consentry_service;
GRANT consentry_reader TO consentry_auditor;

\if :{?owner_password}
ALTER ROLE consentry_owner PASSWORD :'owner_password';
\endif
\if :{?service_password}
ALTER ROLE consentry_service PASSWORD :'service_password';
\endif
\if :{?auditor_password}
ALTER ROLE consentry_auditor PASSWORD :'auditor_password';
\endif

-- Nobody else has any business here.
ALTER DATABASE :"DBNAME" OWNER TO consentry_owner;
REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"DBNAME" TO consentry_app, consentry_reader;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT ALL ON SCHEMA public TO consentry_owner;
COMMIT;

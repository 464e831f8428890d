-- +goose Up
-- Requests of subjects about their data, and what they lead to.

-- Since when nothing of a subject is read any more: their erasure was decided then. The row stays, emptied, because the ledger of
-- their consent refers to it.
ALTER TABLE subject ADD COLUMN erased_at timestamptz;

-- A restriction of processing joins the ledger. What is there already passed a narrower check.
ALTER TABLE consent_record DROP CONSTRAINT consent_record_action_check;
ALTER TABLE consent_record ADD CONSTRAINT consent_record_action_check
    CHECK (action IN ('grant', 'deny', 'withdraw', 'object', 'lift', 'restrict', 'unrestrict')) NOT VALID;

-- A request. One that came by an identifier which finds nobody is kept under a subject_id that nobody has, so that nothing tells it
-- apart. There is no free text and no name in it: it is kept when its subject is erased. A request whose subject turned out to have
-- an open one of the kind already is closed in favour of that one (joined_to).
CREATE TABLE rights_request (
    subject_id      uuid NOT NULL,
    request_id      uuid NOT NULL,
    type            text NOT NULL CHECK (type IN ('access', 'portability', 'rectification', 'erasure', 'restriction', 'objection', 'withdrawal')),
    scope           text NOT NULL,
    state           text NOT NULL CHECK (state IN ('received', 'verifying', 'in_progress', 'awaiting_processors', 'completed', 'rejected', 'expired')),
    version         bigint NOT NULL CHECK (version > 0),
    lodged_by       text NOT NULL CHECK (lodged_by IN ('subject', 'agent', 'form')),
    identified_by   text NOT NULL CHECK (identified_by IN ('', 'token', 'code', 'agent', 'law')),
    regime          text NOT NULL,
    revision_id     text NOT NULL,
    received_at     timestamptz NOT NULL,
    acknowledge_by  timestamptz,
    acknowledged_at timestamptz NOT NULL,
    due_at          timestamptz NOT NULL,
    legal_due_on    date NOT NULL,
    extension       text NOT NULL DEFAULT '',
    extended_at     timestamptz,
    reminded_at     timestamptz,
    ground          text NOT NULL DEFAULT '',
    joined_to       uuid,
    client          text NOT NULL,
    actor           text NOT NULL,
    updated_at      timestamptz NOT NULL,
    closed_at       timestamptz,
    PRIMARY KEY (subject_id, request_id),
    CHECK ((state IN ('completed', 'rejected', 'expired')) = (closed_at IS NOT NULL)),
    CHECK (state <> 'rejected' OR ground <> ''),
    CHECK ((extended_at IS NULL) = (extension = '')),
    CHECK (state NOT IN ('in_progress', 'awaiting_processors', 'completed') OR identified_by <> '')
);
-- Of one kind there is one open request a subject, once it is known that it is theirs: a form that anybody can fill in must not
-- tell whether there is one.
CREATE UNIQUE INDEX rights_request_open ON rights_request (subject_id, type, scope) WHERE state IN ('in_progress', 'awaiting_processors');
CREATE INDEX rights_request_name ON rights_request (request_id);
CREATE INDEX rights_request_due ON rights_request (due_at) WHERE closed_at IS NULL;

-- What was asked in detail, sealed under the subject's key; goes with it.
CREATE TABLE rights_detail (
    subject_id uuid NOT NULL,
    request_id uuid NOT NULL,
    number     integer NOT NULL CHECK (number > 0),
    sealed     bytea NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (subject_id, request_id, number)
);

-- The code that proves who is asking. Of it only a keyed hash is kept.
CREATE TABLE rights_code (
    subject_id uuid NOT NULL,
    request_id uuid NOT NULL,
    code_hash  bytea NOT NULL CHECK (octet_length(code_hash) = 32),
    attempts   integer NOT NULL CHECK (attempts >= 0), -- with a wrong code
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz,
    PRIMARY KEY (subject_id, request_id)
);

-- A message may bring such a code instead of a link.
ALTER TABLE message ADD COLUMN kind text NOT NULL DEFAULT 'confirmation' CHECK (kind IN ('confirmation', 'code'));
CREATE INDEX message_subject ON message (subject_id);

-- What must be kept although its subject asks for erasure, and by which provision.
CREATE TABLE legal_hold (
    subject_id  uuid NOT NULL REFERENCES subject,
    hold_id     uuid NOT NULL,
    ground      text NOT NULL,
    placed_by   text NOT NULL,
    placed_at   timestamptz NOT NULL,
    released_by text,
    released_at timestamptz,
    PRIMARY KEY (subject_id, hold_id),
    CHECK ((released_by IS NULL) = (released_at IS NULL))
);

-- Keyed hashes of the identifiers of erased people, under a key of their own: who comes in again is noticed.
CREATE TABLE suppression (
    type       smallint NOT NULL,
    hash       bytea NOT NULL CHECK (octet_length(hash) = 16),
    request_id uuid NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (type, hash)
);

-- How far an erasure has come. The tombstone names the record beside the key page in Vault that tells of it, whatever becomes of this
-- database; the hashes are those of the suppression again. The certificate is kept as it was handed out.
CREATE TABLE erasure (
    subject_id   uuid NOT NULL,
    request_id   uuid NOT NULL,
    step         text NOT NULL CHECK (step IN ('marked', 'buried', 'punctured', 'deleted', 'told', 'certified')),
    key_slot     bigint NOT NULL CHECK (key_slot >= 0),
    tombstone    uuid NOT NULL,
    hashes       bytea NOT NULL,
    marked_at    timestamptz NOT NULL,
    page_version bigint,
    punctured_at timestamptz,
    deleted_at   timestamptz,
    erased       jsonb NOT NULL DEFAULT '{}',
    entries      text[] NOT NULL DEFAULT '{}',
    certificate  text,
    certified_at timestamptz,
    PRIMARY KEY (subject_id, request_id),
    CHECK ((step = 'certified') = (certificate IS NOT NULL)),
    CHECK (step IN ('marked', 'buried') OR page_version IS NOT NULL)
);
CREATE INDEX erasure_tombstone ON erasure (tombstone);
CREATE INDEX erasure_under_way ON erasure (marked_at) WHERE step <> 'certified';

-- Which processors have to be told of what a request led to, and who has confirmed it.
CREATE TABLE rights_recipient (
    subject_id      uuid NOT NULL,
    request_id      uuid NOT NULL,
    processor_id    uuid NOT NULL,
    told_at         timestamptz NOT NULL,
    acknowledged_at timestamptz,
    acknowledged_by text,
    escalated_at    timestamptz,
    PRIMARY KEY (subject_id, request_id, processor_id)
);
CREATE INDEX rights_recipient_waiting ON rights_recipient (told_at) WHERE acknowledged_at IS NULL;

GRANT SELECT, INSERT, UPDATE ON rights_request, legal_hold, erasure, rights_recipient TO consentry_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON rights_code TO consentry_app;
GRANT SELECT, INSERT, DELETE ON rights_detail, suppression TO consentry_app;
GRANT SELECT ON rights_request, rights_detail, rights_code, legal_hold, suppression, erasure, rights_recipient TO consentry_reader;
-- Erasure deletes what was sealed. The ledger and the signals stay, what proves them goes.
GRANT DELETE ON identifier, subject_identifier, attribute_value, consent_evidence, confirmation TO consentry_app;
GRANT UPDATE (sealed) ON subject_signal TO consentry_app;

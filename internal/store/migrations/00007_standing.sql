-- +goose Up
-- What holds for a subject beside their consent for single purposes: objections and signals, in the form of
-- privacy.Standing. It lies in the subject's row, because every decision reads that row already.
ALTER TABLE subject ADD COLUMN standing jsonb NOT NULL DEFAULT '{}';

-- Objections join the ledger; of theirs, purpose is a scope: a purpose, a family ("marketing.*") or "*".
-- What is there already passed a narrower check, so it need not be read again.
ALTER TABLE consent_record DROP CONSTRAINT consent_record_action_check;
ALTER TABLE consent_record ADD CONSTRAINT consent_record_action_check
    CHECK (action IN ('grant', 'deny', 'withdraw', 'object', 'lift')) NOT VALID;

-- The notice that a consent rests on; version 0 stands for none. A consent may also wait to be confirmed.
ALTER TABLE consent_state ADD COLUMN notice_id text NOT NULL DEFAULT '';
ALTER TABLE consent_state ADD COLUMN notice_version integer NOT NULL DEFAULT 0 CHECK (notice_version >= 0);
ALTER TABLE consent_state DROP CONSTRAINT consent_state_status_check;
ALTER TABLE consent_state ADD CONSTRAINT consent_state_status_check
    CHECK (status IN ('pending', 'granted', 'denied', 'withdrawn')) NOT VALID;

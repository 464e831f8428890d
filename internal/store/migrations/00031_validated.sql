-- +goose Up
-- 00017 let every record be written while it widened what a record may be. What was there before is looked at now, which
-- holds up neither readers nor writers (a SHARE UPDATE EXCLUSIVE lock, and a scan).
ALTER TABLE consent_record VALIDATE CONSTRAINT consent_record_action_check;

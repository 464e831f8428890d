-- +goose Up
-- The mark of an erased identifier says that somebody was erased, and no more who: neither by the request that led to it, nor by a time
-- that is found again there. The erasure has the hashes until the keyring has them.
ALTER TABLE suppression ALTER request_id DROP NOT NULL;
UPDATE suppression SET request_id = NULL, at = date_trunc('day', at);
UPDATE erasure SET hashes = '' WHERE step <> 'marked';

-- +goose Up
-- Of the kinds of messages: looks at every row, and lets others write meanwhile.
ALTER TABLE message VALIDATE CONSTRAINT message_kind_check;

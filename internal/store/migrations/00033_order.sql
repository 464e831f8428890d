-- +goose Up
-- How many orders there were about a subject: something was done at their request that those who hold their data have to be told of. A
-- disclosure is decided as of one of them; when there is another by the time it is on record, nothing is released by it. So
-- whoever reads, after an order, to whom the subject was disclosed, finds all of them.
ALTER TABLE subject ADD COLUMN orders integer NOT NULL DEFAULT 0;

-- How often somebody has joined a request while it was being carried out, and for how many of them it was: one that was joined meanwhile
-- is carried out anew, because more has happened since it was read.
ALTER TABLE rights_request ADD COLUMN joins integer NOT NULL DEFAULT 0;
ALTER TABLE rights_request ADD COLUMN effected integer NOT NULL DEFAULT -1;

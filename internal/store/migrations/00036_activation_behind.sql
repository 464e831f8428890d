-- +goose Up
-- What the members of a campaign are known to have by being on its list: the attributes behind the facets of its segment, as the catalogue had them when
-- it began. Who is to be taken off the list goes by that, whatever becomes of the catalogue.
ALTER TABLE activation ADD COLUMN behind text[] NOT NULL DEFAULT '{}';

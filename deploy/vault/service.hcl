# What the running service may do: `consentry serve` reads key pages, makes new ones, and
# punctures them when somebody is erased. Nothing more.
#
# It cannot export, back up, delete, rotate or reconfigure the key that wraps the pages,
# nor delete a page's record as a whole, nor write the keys of the indexes. It can
# destroy versions of a page, because erasure is made of that; so its
# token can destroy data, and keys have to be backed up like the database.
#
# The mounts are the default ones; change them here when you change them in the settings.

path "consentry/data/pages/*" {
  capabilities = ["create", "read", "update"]
}

path "consentry/metadata/pages/*" {
  capabilities = ["read", "list"]
}

path "consentry/destroy/pages/*" {
  capabilities = ["update"]
}

# What is remembered of erased subjects: made once, never changed.
path "consentry/data/tombstones/*" {
  capabilities = ["create", "read"]
}

path "consentry/metadata/tombstones/*" {
  capabilities = ["list"]
}

path "consentry/metadata/tombstones" {
  capabilities = ["list"]
}

path "consentry/data/keys/*" {
  capabilities = ["read"]
}

# Only "update": with "create", encrypting under a key that is missing would make one.
path "transit/encrypt/consentry-kek" {
  capabilities = ["update"]
}

path "transit/decrypt/consentry-kek" {
  capabilities = ["update"]
}

path "transit/sign/consentry-sign" {
  capabilities = ["update"]
}

path "transit/keys/consentry-kek" {
  capabilities = ["read"]
}

path "transit/keys/consentry-sign" {
  capabilities = ["read"]
}

path "auth/token/lookup-self" {
  capabilities = ["read"]
}

path "auth/token/renew-self" {
  capabilities = ["update"]
}

# Denied even if another policy on the same token allows it.
path "transit/export/*" {
  capabilities = ["deny"]
}

path "transit/backup/*" {
  capabilities = ["deny"]
}

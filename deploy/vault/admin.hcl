# What `consentry keys init`, `keys rotate` and `keys verify` may do, beside what
# service.hcl allows. Give it to a person for an hour, not to a service. Mounting the
# engines is not in it: setup.sh does that with a more powerful token.

path "consentry/data/pages/*" {
  capabilities = ["create", "read", "update"]
}

path "consentry/metadata/pages/*" {
  capabilities = ["read", "list"]
}

path "consentry/destroy/pages/*" {
  capabilities = ["update"]
}

# Init makes the keys of the indexes; a rotation wraps them anew.
path "consentry/data/keys/*" {
  capabilities = ["create", "read", "update"]
}

path "consentry/metadata/keys/*" {
  capabilities = ["read", "list"]
}

path "consentry/destroy/keys/*" {
  capabilities = ["update"]
}

path "transit/encrypt/consentry-kek" {
  capabilities = ["update"]
}

path "transit/decrypt/consentry-kek" {
  capabilities = ["update"]
}

# Init makes the two Transit keys. They cannot be exported, since they are made so, and
# cannot be deleted without a change of their configuration, which nobody is allowed.
path "transit/keys/consentry-kek" {
  capabilities = ["create", "read", "update"]

  allowed_parameters = {
    "type"       = ["aes256-gcm96"]
    "exportable" = [false]
  }
}

path "transit/keys/consentry-sign" {
  capabilities = ["create", "read", "update"]

  allowed_parameters = {
    "type"       = ["ed25519"]
    "exportable" = [false]
  }
}

path "transit/keys/consentry-kek/rotate" {
  capabilities = ["update"]
}

path "transit/keys/consentry-sign/rotate" {
  capabilities = ["update"]
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

path "transit/keys/consentry-kek/config" {
  capabilities = ["deny"]
}

path "transit/keys/consentry-sign/config" {
  capabilities = ["deny"]
}
